"""Metrics: the events of a session as one line for each turn, written when its reply is over, however it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from loguru import logger

from webapi.voice_node.errors import UserError
from webapi.voice_node.events import (
    SHORT_INTERRUPTION,
    US_PER_MS,
    BargeIn,
    Event,
    LlmRequestDone,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    Prompted,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    SpeechEnded,
    SpeechStarted,
    Superseded,
    TtsFirstChunk,
    Turn,
    seconds,
)
from webapi.voice_node.files.line_writer import line_file

MAX_OPEN = 32  # turns. Two or three are open at a time; a bug elsewhere must not fill the memory
OUTCOMES = ("completed", "barged_in", "superseded", "failed", "timeout", "empty", "closed")
TIMES = (
    "t1_first_user_audio",
    "t2_speech_ended",
    "t3_logic_start",
    "t4_llm_request_done",
    "t5_tts_first_chunk",
    "t6_first_bot_audio",
)
# Positions in TIMES, the most trusted first: where two times contradict each other, that of the node counts more than
# that of the orchestrator.
TRUSTED = (0, 1, 5, 2, 4, 3)


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """What is known of a turn so far. Times are in µs; None: it has not happened."""

    turn: Turn
    times: tuple[int | None, ...]  # t1 to t6
    voiced_ms: int | None = None
    speech_end: str | None = None  # why the utterance ended
    ended: str | None = None  # the outcome of the orchestrator's stream
    cut: str | None = None  # the outcome of a cancel; it has precedence
    barge_us: int | None = None  # the interrupting speech's first voiced frame
    stopped_us: int | None = None  # from here on nothing of the reply is heard
    heard_ms: int | None = None
    heard_all: bool = False
    prompt: str | None = None  # the name of a prompt: the bot began, without a turn of the caller

    @property
    def unanswered(self) -> bool:
        """Whether the caller has stopped talking, and no orchestrator was called."""
        return self.times[1] is not None and self.times[2] is None

    def at(self, which: int, t_us: int) -> OpenTurn:
        """Return the turn with `t<which>` set, unless it is set already: the first time counts."""
        i = which - 1
        return self if self.times[i] is not None else replace(self, times=_with_time(self.times, i, t_us))


@dataclass(frozen=True, slots=True)
class ClosedTurn:
    """A turn that is over, and how it went."""

    turn: OpenTurn
    outcome: str  # one of OUTCOMES


OpenTurns: TypeAlias = Mapping[str, OpenTurn]  # by trace_id, the oldest first


def step(turns: OpenTurns, event: Event) -> tuple[OpenTurns, tuple[ClosedTurn, ...]]:
    """Return the open turns after an event, and the turns that it closed. Pure; unknown turns change nothing."""
    trace_id = event.turn.trace_id
    if isinstance(event, (SpeechStarted, Prompted)):
        if trace_id in turns:
            return turns, ()
        opened = {**turns, trace_id: _open(event)}
        return _closed(opened, [next(iter(opened))], "closed") if len(opened) > MAX_OPEN else (opened, ())
    turn = turns.get(trace_id)
    if turn is None:
        return turns, ()
    if isinstance(event, PlaybackEnded):
        stopped_us = event.t_us if turn.stopped_us is None else turn.stopped_us
        turn = replace(turn, stopped_us=stopped_us, heard_ms=event.heard_ms, heard_all=event.completed)
        return _closed({**turns, trace_id: turn}, [trace_id], _outcome(turn))
    if isinstance(event, Superseded) and turn.times[2] is None:  # no reply: no end of a playback will come
        return _closed(turns, [trace_id], "superseded")
    turns = {**turns, trace_id: _learn(turn, event)}
    if isinstance(event, SpeechEnded):
        if event.reason == SHORT_INTERRUPTION:
            return _closed(turns, [trace_id], "empty")
        # Not at the next start of speech: just after that, a reply that is being prepared may be superseded.
        silent = [key for key, t in turns.items() if t.unanswered and key != trace_id]
        return _closed(turns, silent, "empty")
    return turns, ()


def _open(event: SpeechStarted | Prompted) -> OpenTurn:
    if isinstance(event, Prompted):
        return OpenTurn(event.turn, (None,) * 6, prompt=event.prompt)
    return OpenTurn(event.turn, (event.t_first_voiced_us, *[None] * 5))


def _learn(turn: OpenTurn, event: Event) -> OpenTurn:
    """Return the turn with what an event adds to it."""
    if isinstance(event, SpeechEnded):
        # A superseded utterance is carried into this one, which then began earlier than its own first frame.
        times = _with_time(turn.times, 0, event.t_first_voiced_us)
        return replace(turn, times=times, voiced_ms=event.voiced_ms, speech_end=event.reason).at(2, event.t_us)
    if isinstance(event, ReplyStarted):
        return turn.at(3, event.t_us)
    if isinstance(event, LlmRequestDone):
        return turn.at(4, event.t_us)
    if isinstance(event, TtsFirstChunk):
        return turn.at(5, event.t_us)
    if isinstance(event, PlaybackStarted):
        return turn.at(6, event.t_us)
    if isinstance(event, PlaybackPaused):
        return replace(turn, stopped_us=event.t_us)
    if isinstance(event, PlaybackResumed):
        return replace(turn, stopped_us=None)
    if isinstance(event, BargeIn):
        return replace(turn, barge_us=event.t_first_voiced_us)
    if isinstance(event, ReplyEnded):
        return replace(turn, ended=turn.ended or event.outcome)
    if isinstance(event, ReplyCut):
        return replace(turn, cut=turn.cut or event.outcome)
    return turn


def _outcome(turn: OpenTurn) -> str:
    """Return the outcome of a turn whose playback is over. Only a reply that was heard to its end is completed."""
    if turn.cut:
        return turn.cut
    if turn.ended and turn.ended != "completed":
        return turn.ended
    return "completed" if turn.heard_all else "closed"


def _with_time(times: tuple[int | None, ...], i: int, t_us: int) -> tuple[int | None, ...]:
    return (*times[:i], t_us, *times[i + 1 :])


def _closed(turns: OpenTurns, keys: Iterable[str], outcome: str) -> tuple[OpenTurns, tuple[ClosedTurn, ...]]:
    gone = set(keys)
    closed = tuple(ClosedTurn(t, outcome) for key, t in turns.items() if key in gone)
    return {key: t for key, t in turns.items() if key not in gone}, closed


# ---------------------------------------------------------------- a line


def in_order(times: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Return the times without those that break t1 ≤ t2 ≤ … ≤ t6: of two, the less trusted becomes None.

    A streaming language model is done after the first audio of the reply: its t4 is then left out.
    """
    kept: dict[int, int] = {}
    for i in TRUSTED:
        t_us = times[i]
        if t_us is not None and all((j < i) == (t < t_us) or t == t_us for j, t in kept.items()):
            kept[i] = t_us
    return tuple(kept.get(i) for i in range(len(times)))


def line(closed: ClosedTurn, *, session_id: str, room: str, graph: str, origin_us: int = 0) -> dict[str, Any]:
    """Return the turn as a line of metrics.jsonl. Times are seconds since `origin_us`; what did not happen is None."""
    turn = closed.turn
    times = in_order(turn.times)
    t1, t2, t6 = times[0], times[1], times[5]
    cut_short = closed.outcome in ("barged_in", "superseded", "closed") and not turn.heard_all
    stop_us = turn.stopped_us if turn.cut else None
    return {
        "trace_id": turn.turn.trace_id,
        "session_id": session_id,
        "room": room,
        "turn_index": turn.turn.number,
        **{name: None if t is None else seconds(t - origin_us) for name, t in zip(TIMES, times, strict=True)},
        "barge_in": turn.barge_us is not None,
        "playback_cancelled": cut_short and t6 is not None,
        "outcome": closed.outcome,
        "latency_user_to_first_bot_chunk_ms": _ms(t1, t6),
        "latency_speech_end_to_first_bot_chunk_ms": _ms(t2, t6),
        "vad_speech_ms": turn.voiced_ms,
        "speech_end": turn.speech_end,
        "heard_ms": turn.heard_ms,
        "barge_in_stop_ms": _ms(turn.barge_us, stop_us),
        "graph": graph,
        **({} if turn.prompt is None else {"prompt": turn.prompt}),
    }


def _ms(start_us: int | None, end_us: int | None) -> float | None:
    """Return the ms from one time to another; None where one is missing, or the end is before the start."""
    if start_us is None or end_us is None or end_us < start_us:
        return None
    return (end_us - start_us) / US_PER_MS


# ---------------------------------------------------------------- a session


class Metrics:
    """A tap of one session: is called with every event, and calls `write` with a line for each turn that is over."""

    def __init__(
        self,
        session_id: str,
        room: str,
        graph: str,
        write: Callable[[dict[str, Any]], None],
        origin_us: int = 0,
    ) -> None:
        self._names = {"session_id": session_id, "room": room, "graph": graph}
        self._write = write
        self._origin_us = origin_us
        self._turns: OpenTurns = {}

    def __call__(self, event: Event) -> None:
        """Take the next event, in the order of causes."""
        self._turns, closed = step(self._turns, event)
        self._write_all(closed)

    def close(self) -> None:
        """End the session: turns that are still open get their line too."""
        self._write_all(tuple(ClosedTurn(turn, turn.cut or "closed") for turn in self._turns.values()))
        self._turns = {}

    def _write_all(self, closed: tuple[ClosedTurn, ...]) -> None:
        for turn in closed:
            self._write(line(turn, **self._names, origin_us=self._origin_us))


class MetricsFile:
    """Appends lines to METRICS_FILE in a thread and flushes each. A full disk is logged once, and calls go on.

    The constructor raises UserError where the file can't be opened.
    """

    def __init__(self, path: Path) -> None:
        log = logger.bind(event="metrics_failed", path=str(path))
        try:
            self._file = line_file(path, on_problem=lambda why: log.error(f"METRICS_FILE {path}: {why}"))
        except OSError as error:
            raise UserError(f"METRICS_FILE={path}: {error.strerror}; allowed: a file to write, or off") from None

    def write(self, turn: dict[str, Any]) -> None:
        """Append the line of one turn. Never blocks."""
        self._file.write(json.dumps(turn, ensure_ascii=False))

    def close(self) -> None:
        """Write what is queued; waits 4 s at most."""
        self._file.close()
