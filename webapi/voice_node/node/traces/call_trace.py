"""Makes the spans of a call out of its events. It is a tap of a session, and nothing on the way of a frame.

    call   |-------------------------------------------------------------------…
    turn       |---------------------------------------------|
    children   |- speech -|- endpointing -|- parts … -|- playback -|

Spans have ids and numbers. The room, the caller and what was said are not in them; words are with LOG_TRANSCRIPTS.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from loguru import logger
from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from webapi.voice_node.events import US_PER_MS, Event
from webapi.voice_node.report.open_turns import ClosedTurn, OpenTurns, step
from webapi.voice_node.report.turn_line import turn_line

CLOSE_S = 2.0  # how long the last spans may take at the end of the process
NAME = re.compile(r"[A-Za-z0-9_.:-]{1,40}")  # of a part that an orchestrator names itself
SPEECH_ENDS = ("silence", "noise", "too_long", "cough")
FAILED = ("failed", "timeout")
NUMBERS = ("turn_index", "vad_speech_ms", "heard_ms", "caller_wait_ms", "barge_in_stop_ms")
Attributes = Mapping[str, str | bool | int | float]


class Traces:
    """Makes the traces of this process. It has a provider of its own: what other libraries trace is not its concern."""

    def __init__(self, processor: SpanProcessor, node: str) -> None:
        given = {"service.instance.id": node}
        if str(Resource.create().attributes[SERVICE_NAME]).startswith("unknown_service"):
            given[SERVICE_NAME] = "voice-node"  # neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES has one
        # At exit nothing is waited for: `close` does that, and not for long.
        self._provider = TracerProvider(resource=Resource.create(given), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("voice_node")

    def call(self, session_id: str, graph: str, since_us: int, *, kind: str = "standard", words: bool) -> CallTrace:
        """The trace of a call that began at `since_us` of the monotonic clock. `words`: with what was said."""
        about = {"voice_node.session_id": session_id, "voice_node.graph": graph, "voice_node.caller_kind": kind}
        return CallTrace(self._tracer, about, since_us, words=words)

    async def close(self) -> None:
        """Send what waits, for CLOSE_S at most. A server that hangs or is away holds nothing up."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is closed: it was not waited for
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=send, name="traces-close", daemon=True).start()
        try:
            await asyncio.wait_for(done.wait(), CLOSE_S)
        except asyncio.TimeoutError:
            logger.bind(event="traces_lost").warning(f"the last traces were not sent within {CLOSE_S:g} s")


class CallTrace:
    """The trace of one call: a tap of its session, until `close`."""

    def __init__(self, tracer: Tracer, about: Attributes, since_us: int, *, words: bool) -> None:
        self._tracer = tracer
        self._session_id = str(about["voice_node.session_id"])
        self._words = words
        self._turns: OpenTurns = {}
        self._count = 0
        self._last_us = since_us
        self._wall_ns = time.time_ns() - time.monotonic_ns()  # once: a clock that is set must not bend a call
        self._span = tracer.start_span(
            "call", kind=SpanKind.SERVER, start_time=self._at(since_us), attributes=dict(about)
        )

    def __call__(self, event: Event) -> None:
        """Take the next event, in the order of causes."""
        self._last_us = max(self._last_us, event.t_us)
        self._turns, closed = step(self._turns, event)
        for turn in closed:
            self._add(turn)

    def close(self) -> None:
        """End the call: turns that are open get their span too."""
        for turn in self._turns.values():
            self._add(ClosedTurn(turn, turn.cut or "closed"))
        self._turns = {}
        self._span.set_attribute("voice_node.turns", self._count)
        self._span.end(self._at(max(self._last_us, time.monotonic_ns() // 1000)))

    def _add(self, closed: ClosedTurn) -> None:
        """Make the span of a turn, with its children."""
        turn = closed.turn
        began_us = min((t for t in (*turn.times, turn.last_voiced_us) if t is not None), default=self._last_us)
        ended_us = max(self._last_us, began_us)
        line = turn_line(closed, session_id=self._session_id, room="", graph="", words=self._words)
        about: dict[str, str | bool | int | float] = {
            "voice_node.trace_id": turn.turn.trace_id,
            "voice_node.outcome": closed.outcome,
            "voice_node.begun_by": "caller" if turn.prompt is None else "bot",
            "voice_node.barge_in": turn.barge_us is not None,
            **{f"voice_node.{name}": line[name] for name in NUMBERS if line[name] is not None},
        }
        if turn.speech_end is not None:
            about["voice_node.speech_end"] = turn.speech_end if turn.speech_end in SPEECH_ENDS else "audio_stopped"
        for side, text in line.get("words", {}).items():
            if text:
                about[f"voice_node.words.{side}"] = text
        span = self._start("turn", self._span, began_us, about)
        self._children(span, closed, line["parts"] or [], ended_us)
        if turn.barge_us is not None:
            span.add_event("barge_in", timestamp=self._at(turn.barge_us))
        if closed.outcome in FAILED:
            span.set_status(Status(StatusCode.ERROR, closed.outcome))
        span.end(self._at(ended_us))
        self._count += 1

    def _children(
        self, span: Span, closed: ClosedTurn, parts: list[dict[str, str | float | None]], ended_us: int
    ) -> None:
        """What the turn was made of: the caller's speech, each part of their wait, and the playback of the reply."""
        turn = closed.turn
        t1, t6, at_us = turn.times[0], turn.times[5], turn.last_voiced_us
        if t1 is not None and at_us is not None and t1 <= at_us:
            self._child(span, "speech", t1, at_us)
        for part in parts:
            assert at_us is not None  # noqa: S101 - for the type checker: there are parts only of a wait, from there on
            until_us = at_us + round(float(part["ms"] or 0) * US_PER_MS)
            name = str(part["name"])
            self._child(span, name if NAME.fullmatch(name) else "other", at_us, until_us, owner=str(part["owner"]))
            at_us = until_us
        if t6 is not None:
            self._child(span, "playback", t6, max(t6, ended_us if turn.stopped_us is None else turn.stopped_us))

    def _child(self, parent: Span, name: str, from_us: int, to_us: int, owner: str | None = None) -> None:
        about = {} if owner is None else {"voice_node.owner": owner}
        self._start(name, parent, from_us, about).end(self._at(to_us))

    def _start(self, name: str, parent: Span, from_us: int, about: Attributes) -> Span:
        context = trace.set_span_in_context(parent)
        return self._tracer.start_span(name, context, start_time=self._at(from_us), attributes=dict(about))

    def _at(self, t_us: int) -> int:
        """A time of the session in nanoseconds of the wall clock."""
        return t_us * 1000 + self._wall_ns
