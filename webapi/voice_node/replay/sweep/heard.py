"""A recording of a sweep: what the caller's part of each graph gives for it, computed once for all cells."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from reactivex import Observable

from webapi.voice_node.audio.wav import silence_note, wav_info
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop
from webapi.voice_node.config import Settings
from webapi.voice_node.context import Context
from webapi.voice_node.events import ROOM_RATE_HZ, US_PER_S, AudioChunk, AudioGap, Frame, Voiced
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.kinds import BuildInfo
from webapi.voice_node.reactive.direct import DirectSubject
from webapi.voice_node.replay.progress import PROGRESS_CHUNKS, OnProgress
from webapi.voice_node.replay.sweep.caller_part import Section
from webapi.voice_node.replay.sweep.heard_cache import HeardCache, Judged
from webapi.voice_node.replay.sweep.versions import hearing_versions
from webapi.voice_node.replay.wav_replay import CHUNK_US, OVER, chunks, content_hash

Timed = tuple[int, Any]  # a value, and the time in µs at which it came


class Heard(NamedTuple):
    """What a section gives for a whole recording."""

    values: list[Timed]  # that came with a chunk of it
    tail: list[Any]  # that came when it was over
    end_us: int  # the time of its last chunk


class HeardRecording:
    """A channel of a WAV. What a section gives is computed when it is first asked for, and kept.

    Raises UserError for a file that can't be read, and where it has no such channel. `computed` counts the sections
    that were found neither in memory nor on disk. `problems`: why something could not be kept on disk.
    """

    def __init__(self, path: Path, channel: int, settings: Settings, cache: HeardCache | None) -> None:
        self.path = path
        self.channel = channel
        self.truncated = wav_info(path).truncated
        self.note = silence_note(path, channel)
        self.digest = content_hash(path, channel)
        self.problems: dict[str, None] = {}
        self.computed = 0
        self._settings = settings
        self._cache = cache
        self._heard: dict[str, Heard] = {}

    def heard(self, section: Section, on_progress: OnProgress | None = None) -> Heard:
        """Return what a section gives. Raises what an operator raises."""
        if section.key not in self._heard:
            self._heard[section.key] = self._hear(section, on_progress)
        return self._heard[section.key]

    def forget(self, section: Section) -> None:
        """Free the memory of what a section gave. What it took from other sections is kept."""
        self._heard.pop(section.key, None)

    def _hear(self, section: Section, on_progress: OnProgress | None) -> Heard:
        if section.before is None:
            return self._compute(section, None, None, on_progress)
        before = self.heard(section.before, on_progress)
        other = self.heard(section.other, on_progress) if section.other else None
        if self._cache is None or not section.own or [made.step.operator for made in section.steps] != ["vad"]:
            return self._compute(section, before, other, on_progress)
        file = self._cache.path(hearing_versions(), self.digest, section.key)
        frames = sum(type(value) is Frame for value in _all(before))
        judged = self._cache.read(file, frames)
        if judged is not None:
            return _with_verdicts(before, judged)
        heard = self._compute(section, before, None, on_progress)
        judged = [Judged(each.voiced, each.probability, each.second) for each in _all(heard) if type(each) is Voiced]
        self._cache.write(file, judged)
        if self._cache.problem:
            self.problems[self._cache.problem] = None
        return heard

    def _compute(
        self, section: Section, before: Heard | None, other: Heard | None, on_progress: OnProgress | None
    ) -> Heard:
        """Compute a section from what it takes: what another one gave, or (None) the recording."""
        self.computed += 1
        found: list[Timed] = []
        clock = _Clock(on_progress)
        port: DirectSubject[Any] = DirectSubject()
        second: DirectSubject[Any] = DirectSubject()
        loop = VirtualTimeLoop()  # for the context: no operator of a caller's part asks for it
        try:
            context = Context(self.digest[:12], "replay", self._settings, loop, clock.time)
            stream = _built(section, port, second, context)
            stream.subscribe(lambda value: found.append((clock.now_us, value)), _raise)
            if before is None:
                self._feed(port.on_next, clock)
            else:
                _feed_both(before, port.on_next, other, second.on_next, clock)
            count = len(found)
            for value in [AudioGap(clock.now_us, OVER)] if before is None else before.tail:
                port.on_next(value)
            for value in other.tail if other else ():
                second.on_next(value)
        finally:
            loop.close()
        return Heard(found[:count], [value for _, value in found[count:]], clock.now_us)

    def _feed(self, push: Callable[[Any], None], clock: _Clock) -> None:
        """Give the recording as its replay does."""
        for chunk in chunks(self.path, self.channel):
            clock.set(clock.now_us + CHUNK_US)
            push(AudioChunk(clock.now_us, chunk, ROOM_RATE_HZ))


class _Clock:
    """The time of what is being given; `on_progress` learns of it."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self.now_us = 0
        self._on_progress = on_progress
        self._next_us = 0

    def time(self) -> int:
        """Now, in µs."""
        return self.now_us

    def set(self, now_us: int) -> None:
        """Go on."""
        self.now_us = now_us
        if self._on_progress and now_us >= self._next_us:
            self._next_us = now_us + PROGRESS_CHUNKS * CHUNK_US
            self._on_progress(now_us / US_PER_S)


def _all(heard: Heard) -> chain[Any]:
    """All values, without times."""
    return chain((value for _, value in heard.values), heard.tail)


def _with_verdicts(before: Heard, judged: list[Judged]) -> Heard:
    """What a `vad` gives that said this of the frames."""
    each = iter(judged)

    def voiced(value: Any) -> Any:
        if type(value) is not Frame:
            return value
        flag, probability, second = next(each)
        return Voiced(value, flag, probability, second=second)

    values = [(t_us, voiced(value)) for t_us, value in before.values]
    return Heard(values, [voiced(value) for value in before.tail], before.end_us)


def _built(section: Section, port: Observable[Any], second: Observable[Any], context: Context) -> Observable[Any]:
    stream = port
    for step, following in section.steps:
        operator = TABLE[step.operator]
        arguments: dict[str, Any] = {**step.arguments, **dict.fromkeys(step.reads, second)}
        if operator.wants_info:
            arguments["info"] = BuildInfo(context, step.gives, following)
        stream = operator.made_with(arguments)(stream)
    return stream


def _feed_both(
    one: Heard, push: Callable[[Any], None], other: Heard | None, push_other: Callable[[Any], None], clock: _Clock
) -> None:
    """Give the values of one stream, or of two, at their times. Of two at the same time, either may come first."""
    others = iter(other.values) if other else iter(())
    waiting = next(others, None)
    for t_us, value in one.values:
        while waiting is not None and waiting[0] < t_us:
            clock.set(waiting[0])
            push_other(waiting[1])
            waiting = next(others, None)
        clock.set(t_us)
        push(value)
    while waiting is not None:
        clock.set(waiting[0])
        push_other(waiting[1])
        waiting = next(others, None)
    clock.set(one.end_us)


def _raise(error: Exception) -> None:
    raise error
