"""Cut audio into analysis windows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from reactivex import Observable, abc

from webapi.voice_node.audio_io import Framer
from webapi.voice_node.events import BYTES_PER_SAMPLE, AudioChunk, AudioGap, CallerAudio, Frame
from webapi.voice_node.operators.kinds import AUDIO, Kind, Stage, operator
from webapi.voice_node.reactive.direct import DirectObservable

Ms = Annotated[int, Field(ge=10, le=100)]


@operator(takes=AUDIO, gives=lambda kind, args: Kind("frames", kind.rate, args["ms"]))
def window(*, ms: Ms = 20) -> Stage[Frame | AudioGap]:
    """Audio chunks of any length to frames of `ms`, counted from the start of the session.

    in   --aa--aaa-a---gap
    out  ---F---F-F----Fgap      a partial frame where audio ends is padded with silence; at the session's end, dropped
    """

    def apply(source: Observable[CallerAudio]) -> Observable[Frame | AudioGap]:
        def subscribe(
            observer: abc.ObserverBase[Frame | AudioGap], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            framer: Framer | None = None
            rate = 0
            index = 0
            last_us = 0
            echo_left: float | None = None

            def on_next(value: CallerAudio) -> None:
                nonlocal framer, rate, index, last_us, echo_left
                last_us = value.t_us
                if isinstance(value, AudioChunk):
                    echo_left = value.echo_left
                    if framer is None:
                        rate = value.rate
                        framer = Framer(rate * ms // 1000 * BYTES_PER_SAMPLE)
                    for pcm in framer.push(value.pcm):
                        observer.on_next(Frame(value.t_us, pcm, rate, index, echo_left))
                        index += 1
                    return
                flush()
                observer.on_next(value)

            def flush() -> None:
                nonlocal index
                padded = framer.flush() if framer else None
                if padded:
                    observer.on_next(Frame(last_us, padded, rate, index, echo_left))
                    index += 1

            return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

        return DirectObservable(subscribe)

    return apply
