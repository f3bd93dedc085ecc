"""Makes a running session of a graph, a sink and a clock: one room, one caller."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import reactivex as rx
from reactivex import Observable, Subject, abc
from reactivex.disposable import CompositeDisposable
from reactivex.scheduler.eventloop import AsyncIOScheduler

from webapi.voice_node.clock.off_loop import Compute, at_once
from webapi.voice_node.config import Settings
from webapi.voice_node.context import Context, ReplyScript
from webapi.voice_node.errors import as_exception
from webapi.voice_node.errors.contained import contained
from webapi.voice_node.events import (
    Asked,
    AudioChunk,
    AudioGap,
    CallerAudio,
    Digit,
    Event,
    KeyPressed,
    PartialAudio,
    Playback,
    Played,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.inputs import CallerInfo, Closed, Input
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.kinds import VOICED, BuildInfo
from webapi.voice_node.playback.sink import Sink
from webapi.voice_node.playback.speaker import Speaker
from webapi.voice_node.reactive.direct import DirectSubject, handled_by, merged, shared

Tap = Callable[[Event], None]
Probe = Callable[[Any], None]  # gets what every detector gives, Voiced and AudioGap: for pictures, not for decisions
CLOSE_S = 2.0  # how long a closing session waits for its tasks; a task that ignores its cancel is left behind
HOOKS_S = 1.0  # of that, how long the orchestrator's hooks may take before they are cancelled too
LAST_HOOK_S = 0.7  # and of the rest, its very last one, `on_call_ended`


class Taps:
    """Passes events to the observers (`taps`) in the next round of the loop, in the order in which they were caused.

    So the audio path acts first. `on_trouble` gets what an observer raises.
    """

    def __init__(
        self, taps: Sequence[Tap], loop: asyncio.AbstractEventLoop, on_trouble: Callable[[Exception], None]
    ) -> None:
        self._taps = list(taps)
        self._loop = loop
        self._on_trouble = on_trouble
        self._waiting: deque[Event] = deque()

    def add(self, tap: Tap) -> None:
        """Add an observer."""
        self._taps.append(tap)

    def on_next(self, value: Any) -> None:
        """Keep an event for the observers. Other values that flow in the same streams are ignored."""
        if isinstance(value, Event):
            if not self._waiting:
                self._loop.call_soon(self.drain)
            self._waiting.append(value)

    def drain(self) -> None:
        """Pass the kept events on. When one observer raises, the others get the event all the same."""
        alone = contained(lambda error: self._on_trouble(as_exception(error)))
        while self._waiting:
            event = self._waiting.popleft()
            for tap in self._taps:
                with alone:
                    tap(event)


class Session:
    """A running graph. The caller's audio goes in by `hear`, the bot's comes out at `sink`, and `taps` get the events.

    `clock` gives µs; `origin_us` is the session's start on it, now unless given. `on_failure` gets the error of an
    operator: the graph is stopped then, and the session should be closed. `on_trouble` gets errors beside the graph: an
    observer that raised, a task that does not end. `probe` gets what detectors give, `note` every input, in order.
    `script` is a recorded call that gives the replies; `tap_file`, `compute`, `unheard`: see Context. Raises UserError
    where the graph can't be built, for example because its orchestrator can't be made.
    """

    def __init__(
        self,
        graph: GraphSpec,
        *,
        settings: Settings,
        sink: Sink,
        clock: Callable[[], int],
        session_id: str,
        room: str,
        taps: Sequence[Tap] = (),
        on_failure: Callable[[Exception], None],
        on_trouble: Callable[[Exception], None] | None = None,
        probe: Probe | None = None,
        note: Callable[[Input], None] | None = None,
        script: ReplyScript | None = None,
        origin_us: int | None = None,
        tap_file: Callable[[str], Path | None] = Path,
        caller: CallerInfo = CallerInfo(),  # noqa: B008 - it is immutable
        unheard: bool = False,
        compute: Compute = at_once,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._clock = clock
        self._on_failure = on_failure
        self._on_trouble = on_trouble or on_failure
        self._closed = False
        tell, trouble = self._tell_words, self._on_trouble
        first = (session_id, room, settings, loop, self._now, note, script, graph.folder, tap_file, caller)
        self.context = Context(*first, self.ask, tell_words=tell, compute=compute, trouble=trouble, unheard=unheard)
        self.origin_us = clock() if origin_us is None else origin_us
        self._fed_us = self.origin_us  # the stamp of the caller's last chunk or gap
        self._caller: DirectSubject[Any] = DirectSubject()
        self._asked: DirectSubject[Asked] = DirectSubject()
        self._keys: DirectSubject[KeyPressed] = DirectSubject()
        self._words: DirectSubject[Transcript] = DirectSubject()
        self._taps = Taps(taps, loop, self._on_trouble)
        self._speaking = False  # the caller
        self._graph = CompositeDisposable()  # made before anything is subscribed, as an operator may fail at once
        playback: Subject[Playback] = Subject()
        played: DirectSubject[Played] | None = DirectSubject() if graph.readers("played") else None
        self._speaker = Speaker(sink, playback, self.context, played)
        ports: dict[str, Observable[Any]] = {
            "caller": self._caller, "playback": playback, "played": played or rx.never(),
            "asked": self._asked, "keys": self._keys, "words": self._words,
        }  # fmt: skip
        streams = build_streams(graph, ports, self.context, probe)
        scheduler = AsyncIOScheduler(loop)

        def listen(port: str, *listeners: Callable[[Any], None]) -> abc.DisposableBase:
            def on_next(value: Any) -> None:
                for listener in listeners:
                    listener(value)

            heard = merged([streams[name] for name in graph.outputs.get(port, ())])
            return heard.subscribe(listeners[0] if len(listeners) == 1 else on_next, self._fail, scheduler=scheduler)

        # Taps are subscribed first everywhere, so they keep a cause before what it causes.
        self._graph.add(playback.subscribe(self._taps.on_next, self._fail))
        self._graph.add(listen("events", self._on_turns))
        self._graph.add(listen("speaker", self._taps.on_next, self._speaker.on_next))

    def tap(self, tap: Tap) -> None:
        """From now on, `tap` gets the events too."""
        self._taps.add(tap)

    def hear(self, pcm: bytes, rate: int, echo: bool = False, t_us: int | None = None) -> None:
        """A chunk of the caller's audio (int16 mono at `rate` Hz, of any length) has arrived: now, or at `t_us` before.

        `echo`: the bot's own voice may be in it. What arrived before the audio or the gap that was given last counts as
        arrived with that.
        """
        self.feed(AudioChunk(self._in_order(t_us), pcm, rate, echo))

    def lost(self, reason: str, t_us: int | None = None) -> None:
        """The caller's audio has stopped, now or at `t_us` before: an utterance is over."""
        self.feed(AudioGap(self._in_order(t_us), reason))

    def cut(self, reason: str) -> None:
        """Nobody can hear the bot any more: a reply that is playing is over, and its turn ends as `closed`."""
        if self._speaker.playing:
            self.feed(AudioGap(self._in_order(None), reason, unheard=True))

    def played_out(self, t_us: int) -> None:
        """Of a recorded call: the last sample of the reply was played at `t_us`."""
        self._speaker.played_out(t_us)

    @property
    def idle(self) -> bool:
        """No reply is being made or played."""
        return not self.context.replies and not self._speaker.busy

    @property
    def between_turns(self) -> bool:
        """Whether neither the caller speaks nor a reply is made or played."""
        return self.idle and not self._speaking

    async def close(self, reason: str = "closed") -> None:
        """Cancel the reply, flush the sink, wait for tasks (2 s at most), and pass the last events to the observers.

        The orchestrator is told the `reason` last.
        """
        closed_us = self._clock()
        self._clock = lambda: closed_us  # it stands still from here on, so all that happens now has one stamp
        self._closed = True
        if self.context.note:
            self.context.note(Closed(closed_us))
        with contained(self._fail):
            self._caller.on_completed()  # cancels the reply, as a barge-in would
        self._speaker.close()
        self._graph.dispose()
        await asyncio.sleep(0)  # let what was called "soon" happen: the orchestrator's last hooks
        await self._done(HOOKS_S)  # the reply's task was cancelled by the dispose
        self.context.replies.cancel_all()
        self.context.hooks.cancel_all()
        for _ in range(2):  # rounds in which the cancelled hooks end: the last one is called behind them
            await asyncio.sleep(0)
        for tell in self.context.on_ended:
            tell(reason, self._on_trouble)
        await self._done(LAST_HOOK_S)
        self.context.hooks.cancel_all()
        hanging = await self._done(CLOSE_S - HOOKS_S - LAST_HOOK_S)
        if hanging:
            self._on_trouble(TimeoutError(f"{hanging} task(s) of the orchestrator ignore that they are cancelled"))
        self._taps.drain()

    async def _done(self, timeout_s: float) -> int:
        """Wait for the tasks, at most so long. Returns how many still run."""
        waits = (tasks.wait(timeout_s) for tasks in (self.context.replies, self.context.hooks))
        return sum(await asyncio.gather(*waits))

    def feed(self, audio: CallerAudio) -> None:
        """The caller's audio has arrived, or stopped, at its stamp."""
        self._fed_us = audio.t_us
        if self.context.note:
            self.context.note(audio)
        self.heard(audio)

    def heard(self, value: Any) -> None:
        """The next value of the port `caller`. (In a sweep that takes what detectors gave: replay/sweep/decide.py.)"""
        try:  # a hundred times a second: `contained` would take longer
            self._caller.on_next(value)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an operator may raise anything; only this session ends with it
            self._fail(error)

    def ask(self, asked: Asked) -> None:
        """The bot is to say something of its own accord, or to hang up."""
        if self._closed:
            return
        if self.context.note:
            self.context.note(asked)
        with contained(self._fail):
            self._asked.on_next(asked)

    def press(self, digit: Digit, t_us: int | None = None) -> None:
        """The caller has pressed a key of their phone, now or at `t_us` before."""
        if self._closed:
            return
        key = KeyPressed(self._clock() if t_us is None else t_us, digit)
        if self.context.note:
            self.context.note(key)
        with contained(self._fail):
            self._keys.on_next(key)

    def _on_turns(self, value: Any) -> None:
        if type(value) is PartialAudio:  # fifty times a second, and only for the orchestrator
            return
        if isinstance(value, (SpeechStarted, SpeechEnded)):
            self._speaking = isinstance(value, SpeechStarted)
        self._taps.on_next(value)

    def _tell_words(self, words: Transcript) -> None:
        with contained(self._fail):
            self._words.on_next(words)

    def _now(self) -> int:
        """The session's clock."""
        return self._clock()

    def _in_order(self, t_us: int | None) -> int:
        """A stamp for the caller's audio: `t_us` or now, and not before the one of what was given last."""
        arrived_us = self._clock() if t_us is None else t_us
        return arrived_us if arrived_us > self._fed_us else self._fed_us  # a hundred times a second: no `max`

    def _fail(self, error: BaseException) -> None:
        self._graph.dispose()
        self._on_failure(as_exception(error))


def build_streams(
    graph: GraphSpec, ports: Mapping[str, Observable[Any]], context: Context, probe: Probe | None = None
) -> dict[str, Observable[Any]]:
    """The graph's streams by name, and the ports that lead in. A stream that is read more than once is shared."""
    streams = dict(ports)
    for stream in graph.streams:
        source = merged([streams[name] for name in stream.sources])
        for step, following in zip(stream.steps, stream.steps[1:] + stream.steps[-1:], strict=True):
            operator = TABLE[step.operator]
            arguments: dict[str, Any] = dict(step.arguments)
            arguments.update({name: streams[read] for name, read in step.reads.items()})
            if operator.wants_info:
                arguments["info"] = BuildInfo(context, step.gives, following.gives)
            source = operator.made_with(arguments)(source)
            if probe and step.gives.name == VOICED.name:
                source = probed(source, probe)
        streams[stream.name] = shared(source) if graph.readers(stream.name) > 1 else source
    return streams


def probed(source: Observable[Any], probe: Probe) -> Observable[Any]:
    """The source. The probe gets every value first."""

    def begin(observer: abc.ObserverBase[Any]) -> Callable[[Any], None]:
        def on_next(value: Any) -> None:
            probe(value)
            observer.on_next(value)

        return on_next

    return handled_by(begin)(source)
