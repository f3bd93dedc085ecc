"""Take the bot's own voice out of what the caller's microphone sends back."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable

from webapi.voice_node.audio_io import Framer
from webapi.voice_node.events import (
    BYTES_PER_SAMPLE,
    ROOM_RATE_HZ,
    US_PER_MS,
    US_PER_S,
    AudioChunk,
    CallerAudio,
    Played,
    ReplyAudio,
)
from webapi.voice_node.hearing.echo_detector import EchoDetector
from webapi.voice_node.operators.kinds import PLAYED, Kind, Stage, operator
from webapi.voice_node.playback.play_queue import PlayQueue
from webapi.voice_node.reactive.direct import DirectObservable

if TYPE_CHECKING:
    from webapi.voice_node.hearing.echo_canceller import EchoCanceller

PIECE_MS = 10  # what the canceller takes at a time
PIECE_BYTES = ROOM_RATE_HZ * PIECE_MS // 1000 * BYTES_PER_SAMPLE
BEST_OF = 100  # chunks: the one that came with the least delay among them shows where the caller's clock stands
MOVES_MS = 40  # only a larger shift is followed: the canceller copes with less, and forgets what it learnt with more
KEPT = 10 * ROOM_RATE_HZ  # samples that were played, for a caller whose chunks come late


@operator(takes=Kind("audio", ROOM_RATE_HZ))
def cancel_echo(
    *, when: Literal["needed", "always", "never"] = "needed", played: Annotated[Observable[Played], PLAYED]
) -> Stage[CallerAudio]:
    """Audio without the echo of what the speaker played. `needed`: where the caller's side does not cancel it.

        in      --a--a--a--a--gap--
        played  -----P--P--E-------      P a piece from then on, E all of it has ended
        out     --a--c--c--c--gap--      a as it came: until the bot has first spoken there is nothing to do,
                                         and nothing while it is plain that there is no echo (echo_watch.py)

    What is c says in `echo_left` how much of the echo may still be in it: `turn_events` asks more of a barge-in then.

    Chunks of 10 ms, or multiples of it, come out at once; of others, up to 10 ms wait for the next one.
    """

    def apply(source: Observable[CallerAudio]) -> Observable[CallerAudio]:
        def subscribe(
            observer: abc.ObserverBase[CallerAudio], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            canceller: EchoCanceller | None = None
            wanted = False
            far, watch = _Far(), EchoDetector()
            framer = Framer(PIECE_BYTES)

            def on_next(value: CallerAudio) -> None:
                nonlocal wanted
                if not isinstance(value, AudioChunk):
                    framer.flush()
                    far.lose_step()
                    observer.on_next(value)
                    return
                wanted = value.echo or when == "always"
                if canceller is None or not wanted:
                    framer.flush()  # what waited for this chunk is not to wait for a later one
                    observer.on_next(value)
                else:
                    pieces = framer.push(value.pcm)
                    far.arrived(value.t_us, len(pieces))
                    pcm = b"".join(clean(canceller, piece, far.next_piece()) for piece in pieces)
                    if pcm:
                        observer.on_next(value._replace(pcm=pcm, echo_left=watch.left if watch.echo else None))

            def clean(canceller: EchoCanceller, heard: bytes, played: bytes) -> bytes:
                cleaned = canceller.process(heard, played)  # also where there is no echo: it goes on learning
                watch.look(power(heard), power(played))
                return cleaned if watch.echo else heard

            def on_played(value: Played) -> None:
                nonlocal canceller
                if wanted:
                    canceller = canceller or new_canceller()
                    far.on_played(value)

            return CompositeDisposable(
                played.subscribe(on_played, observer.on_error, scheduler=scheduler),
                source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler),
            )

        return DirectObservable(subscribe)

    return (lambda source: source) if when == "never" else apply


def power(pcm: bytes) -> float:
    """The mean square of a piece."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    return float(samples.dot(samples)) / len(samples)


def new_canceller() -> EchoCanceller:
    """Made where it is needed: a replay without echo runs without livekit."""
    from webapi.voice_node.hearing.echo_canceller import EchoCanceller

    return EchoCanceller()


class _Far:
    """What was played, in step with the caller's samples.

    Chunks come unevenly, samples do not: so the clock of what was played goes on by 10 ms a piece, and is set anew only
    where the least delayed chunk of the last second shows that it is off by more than the canceller copes with.
    """

    def __init__(self) -> None:
        self._queue = PlayQueue()
        self._late_us: deque[int] = deque(maxlen=BEST_OF)  # of each chunk: its arrival less the clock
        self._clock_us = 0

    def on_played(self, value: Played) -> None:
        """The speaker plays a piece from its stamp on, or behind what it plays; or it has ended."""
        now = value.t_us * ROOM_RATE_HZ // US_PER_S
        if isinstance(value, ReplyAudio):
            self._queue.push(now, value.pcm)
            self._queue.skip(now - KEPT)  # who is muted takes nothing, however long the bot talks
        else:
            self._queue.cut(now)

    def arrived(self, t_us: int, pieces: int) -> None:
        """A chunk of so many pieces has come."""
        begins_us = t_us - pieces * PIECE_MS * US_PER_MS
        self._late_us.append(begins_us - self._clock_us)
        off_us = min(self._late_us)
        if abs(off_us) > MOVES_MS * US_PER_MS:
            self._clock_us += off_us
            self._late_us = deque((late - off_us for late in self._late_us), BEST_OF)
            self._queue.skip(self._clock_us * ROOM_RATE_HZ // US_PER_S)

    def lose_step(self) -> None:
        """The caller's audio stopped: when it goes on, it is somewhere else."""
        self._late_us.clear()

    def next_piece(self) -> bytes:
        """What was played in the next 10 ms of the caller's clock."""
        self._clock_us += PIECE_MS * US_PER_MS
        return self._queue.take(self._clock_us * ROOM_RATE_HZ // US_PER_S).rjust(PIECE_BYTES, b"\0")[-PIECE_BYTES:]
