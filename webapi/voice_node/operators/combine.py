"""Let two voice activity detectors vote."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Any, Literal

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable

from webapi.voice_node.events import AudioGap, Voiced
from webapi.voice_node.hearing.onset import HELD
from webapi.voice_node.operators.kinds import VOICED, Stage, operator
from webapi.voice_node.reactive.direct import DirectObservable

FARTHEST = 500  # frames that one may be ahead of the other: 10 s; they hear the same caller, so it is none or one


@operator(takes=VOICED)
def combine(*, other: Annotated[Observable[Any], VOICED], rule: Literal["both", "either"]) -> Stage[Any]:
    """Two streams of voiced frames to one, frame by frame: voiced where `both` say so, or `either`.

        in      --1--1--0--0--gap
        other   ---1--0--0--1--gap
        both    ---1--0--0--0--gap      the frames, and so the audio, are those of `in`

    Probabilities are those of `in`. Second opinions (Voiced.second) are combined as the flags are: that of `in` where
    `other` agrees by either of its opinions, or the surer one.
    Where the audio ends, `in` may have a frame more than `other`, which then counts as silent in it.
    Raises ValueError where one stream gets more than 500 frames ahead of the other.
    """

    def apply(source: Observable[Any]) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            pairing = _Pairing(observer, both=rule == "both")
            return CompositeDisposable(
                other.subscribe(pairing.theirs, observer.on_error, pairing.on_completed, scheduler=scheduler),
                source.subscribe(pairing.mine, observer.on_error, pairing.on_completed, scheduler=scheduler),
            )

        return DirectObservable(subscribe)

    return apply


class _Pairing:
    """The state of one subscription: the values of either stream that wait for one of the other."""

    def __init__(self, observer: abc.ObserverBase[Any], *, both: bool) -> None:
        self._observer = observer
        self._both = both
        self._mine: deque[Voiced | AudioGap] = deque()
        self._theirs: deque[Voiced | AudioGap] = deque()
        self._going = 2  # streams that are not completed

    def mine(self, value: Voiced | AudioGap) -> None:
        """A value of the source."""
        self._add(self._mine, value)

    def theirs(self, value: Voiced | AudioGap) -> None:
        """A value of the other stream."""
        self._add(self._theirs, value)

    def on_completed(self) -> None:
        """One of the streams is over; the result is when both are."""
        self._going -= 1
        if self._going == 0:
            self._observer.on_completed()

    def _add(self, queue: deque[Voiced | AudioGap], value: Voiced | AudioGap) -> None:
        queue.append(value)
        if len(queue) > FARTHEST:
            raise ValueError(f"combine: one stream is {FARTHEST} frames ahead of the other")
        while self._mine and self._theirs:
            self._pair(self._mine[0], self._theirs[0])

    def _pair(self, a: Voiced | AudioGap, b: Voiced | AudioGap) -> None:
        """Two frames or two gaps go together. Where one stream has a gap already, the other's frame goes alone."""
        if isinstance(b, AudioGap) or not isinstance(a, AudioGap):
            self._mine.popleft()
        if isinstance(a, AudioGap) or not isinstance(b, AudioGap):
            self._theirs.popleft()
        if isinstance(a, Voiced):
            agrees = isinstance(b, Voiced) and b.voiced
            voiced = a.voiced and agrees if self._both else a.voiced or agrees
            second = self._second(a, b) if isinstance(b, Voiced) else None
            self._observer.on_next(Voiced(a.frame, voiced, a.probability, a.done, second))
        elif isinstance(b, AudioGap):
            self._observer.on_next(a)

    def _second(self, a: Voiced, b: Voiced) -> float | None:
        if self._both:
            return a.second if b.voiced or (b.second is not None and b.second >= HELD) else None
        return max((each for each in (a.second, b.second) if each is not None), default=None)
