"""Let two voice activity detectors vote."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Any, Literal

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable

from webapi.voice_node.events import AudioGap, Voiced
from webapi.voice_node.operators.kinds import VOICED, Stage, operator
from webapi.voice_node.reactive.direct import DirectObservable

FARTHEST = 500  # frames that one may be ahead of the other: 10 s; they hear the same caller, so it is none or one


@operator(takes=VOICED)
def combine(*, other: Annotated[Observable[Any], VOICED], rule: Literal["both", "either"]) -> Stage[Any]:
    """Two streams of voiced frames to one, frame by frame: voiced where `both` say so, or `either`.

        in      --1--1--0--0--gap
        other   ---1--0--0--1--gap
        both    ---1--0--0--0--gap      the frames, and so the audio, are those of `in`

    Where the audio ends, `in` may have a frame more than `other`, which then counts as silent in it.
    """

    def apply(source: Observable[Any]) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            mine: deque[Voiced | AudioGap] = deque()
            theirs: deque[Voiced | AudioGap] = deque()
            going = 2

            def take(queue: deque[Voiced | AudioGap], value: Voiced | AudioGap) -> None:
                queue.append(value)
                if len(queue) > FARTHEST:
                    raise ValueError(f"combine: one stream is {FARTHEST} frames ahead of the other")
                while mine and theirs:
                    pair()

            def pair() -> None:
                a, b = mine[0], theirs[0]
                if isinstance(b, AudioGap) or not isinstance(a, AudioGap):
                    mine.popleft()
                if isinstance(a, AudioGap) or not isinstance(b, AudioGap):
                    theirs.popleft()
                if isinstance(a, Voiced):
                    agrees = isinstance(b, Voiced) and b.voiced
                    voiced = a.voiced and agrees if rule == "both" else a.voiced or agrees
                    observer.on_next(Voiced(a.frame, voiced, a.probability))
                elif isinstance(b, AudioGap):
                    observer.on_next(a)

            def on_completed() -> None:
                nonlocal going
                going -= 1
                if going == 0:
                    observer.on_completed()

            return CompositeDisposable(
                other.subscribe(lambda v: take(theirs, v), observer.on_error, on_completed, scheduler=scheduler),
                source.subscribe(lambda v: take(mine, v), observer.on_error, on_completed, scheduler=scheduler),
            )

        return DirectObservable(subscribe)

    return apply
