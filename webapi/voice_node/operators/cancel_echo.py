"""Take the bot's own voice out of what the caller's microphone sends back."""

from __future__ import annotations

from collections import deque
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable

from webapi.voice_node.audio_io import Framer
from webapi.voice_node.events import ROOM_RATE_HZ, AudioChunk, CallerAudio, Played
from webapi.voice_node.hearing.echo_detector import EchoDetector
from webapi.voice_node.hearing.echo_share import EchoShare
from webapi.voice_node.operators.kinds import PLAYED, Kind, Stage, operator
from webapi.voice_node.playback.far_end import PIECE_BYTES, FarEnd
from webapi.voice_node.reactive.direct import DirectObservable

if TYPE_CHECKING:
    from webapi.voice_node.hearing.echo_canceller import EchoCanceller

# An echo that is there again shows when the bot has been silent for 0.5 s. What went before is enough to learn it. The
# canceller has learnt it 0.15 s later: all at once would keep the loop for 20 ms.
REMEMBERED, CATCH_UP = 200, 16  # pieces of 10 ms: in all, and at a time
SILENCE = bytes(PIECE_BYTES)


@operator(takes=Kind("audio", ROOM_RATE_HZ))
def cancel_echo(
    *, when: Literal["needed", "always", "never"] = "needed", played: Annotated[Observable[Played], PLAYED]
) -> Stage[CallerAudio]:
    """Audio without the echo of what the speaker played. `needed`: where the caller's side does not cancel it.

        in      --a--a--a--a--gap--
        played  -----P--P--E-------      P a piece from then on, E all of it has ended
        out     --a--c--c--c--gap--      a as it came: until the bot has first spoken there is nothing to do,
                                         and nothing while it is plain that there is no echo (echo_detector.py)

    What is c says in `echo_left` how much of the echo may still be in it: `turn_events` asks more of a barge-in then.
    What is the bot's voice for the most part (echo_share.py) says so there, and begins no utterance.

    Chunks of 10 ms, or multiples of it, come out at once; of others, up to 10 ms wait for the next one.
    """

    def apply(source: Observable[CallerAudio]) -> Observable[CallerAudio]:
        def subscribe(
            observer: abc.ObserverBase[CallerAudio], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            cancelling = _Cancelling(observer, always=when == "always")
            return CompositeDisposable(
                played.subscribe(cancelling.on_played, observer.on_error, scheduler=scheduler),
                source.subscribe(cancelling.on_caller, observer.on_error, observer.on_completed, scheduler=scheduler),
            )

        return DirectObservable(subscribe)

    return (lambda source: source) if when == "never" else apply


class _Cancelling:
    """The state of one subscription."""

    def __init__(self, observer: abc.ObserverBase[CallerAudio], *, always: bool) -> None:
        self._emit = observer.on_next
        self._always = always
        self._wanted = False  # the caller's side does not cancel the echo
        self._canceller: EchoCanceller | None = None  # made when the bot first speaks
        self._far_end = FarEnd()
        self._detector = EchoDetector()
        self._share = EchoShare()
        self._framer = Framer(PIECE_BYTES)
        self._behind: deque[tuple[bytes, bytes]] = deque(maxlen=REMEMBERED)  # heard and played; not yet processed

    def on_caller(self, value: CallerAudio) -> None:
        """Pass the caller's audio on, without the echo where that is wanted."""
        if not isinstance(value, AudioChunk):
            self._framer.flush()
            self._far_end.lose_step()
            self._emit(value)
            return
        self._wanted = value.echo or self._always
        if self._canceller is None:
            self._emit(value)
            return
        if not self._wanted:
            self._framer.flush()  # what waited for this chunk is not to wait for a later one
            self._emit(value)
            return
        pieces = self._framer.push(value.pcm)
        self._far_end.arrived(value.t_us, len(pieces))
        cleaned = [self._clean(self._canceller, piece) for piece in pieces]
        for echo_left, alike in groupby(cleaned, itemgetter(1)):
            self._emit(value._replace(pcm=b"".join(pcm for pcm, _ in alike), echo_left=echo_left))

    def on_played(self, value: Played) -> None:
        """Remember what the speaker plays."""
        if self._wanted:
            self._canceller = self._canceller or _new_canceller()
            self._far_end.on_played(value)

    def _clean(self, canceller: EchoCanceller, heard: bytes) -> tuple[bytes, float | None]:
        """A piece without its echo, or as it came where it has none or the canceller is behind; and its `echo_left`."""
        played = self._far_end.next_piece()
        cleaned, behind, detector = heard, self._behind, self._detector
        behind.append((heard, played))
        if not detector.none:  # else there is nothing to learn: it waits until there is an echo again
            for _ in range(min(CATCH_UP, len(behind))):
                cleaned = canceller.process(*behind.popleft())
        detector.look(power(heard), power(played))
        self._share.push(heard, played)
        if detector.asks:
            detector.explained(self._share.share())
        return cleaned if detector.echo and not behind else heard, detector.echo_left


def power(pcm: bytes) -> float:
    """The mean square of a piece of int16 samples."""
    if pcm == SILENCE:
        return 0.0
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    return float(samples.dot(samples)) / len(samples)


def _new_canceller() -> EchoCanceller:
    """Import it where it is needed: a replay without echo runs without livekit."""
    from webapi.voice_node.hearing.echo_canceller import EchoCanceller

    return EchoCanceller()
