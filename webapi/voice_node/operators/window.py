"""Cut audio into analysis windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field
from reactivex import abc

from webapi.voice_node.audio_io import Framer
from webapi.voice_node.events import BYTES_PER_SAMPLE, AudioChunk, AudioGap, CallerAudio, Frame
from webapi.voice_node.operators.kinds import AUDIO, Kind, Stage, operator
from webapi.voice_node.reactive.direct import handled_by

Ms = Annotated[int, Field(ge=10, le=100)]


@operator(takes=AUDIO, gives=lambda kind, args: Kind("frames", kind.rate, args["ms"]))
def window(*, ms: Ms = 20) -> Stage[Frame | AudioGap]:
    """Audio chunks of any length to frames of `ms`, counted from the start of the session.

    in   --aa--aaa-a---gap
    out  ---F---F-F----Fgap      a partial frame where audio ends is padded with silence; at the session's end, dropped
    """

    def begin(observer: abc.ObserverBase[Frame | AudioGap]) -> Callable[[CallerAudio], None]:
        framer: Framer | None = None
        rate = 0
        number = 0
        last_us = 0
        echo_left: float | None = None

        def on_next(value: CallerAudio) -> None:
            nonlocal framer, rate, number, last_us, echo_left
            last_us = value.t_us
            if isinstance(value, AudioChunk):
                echo_left = value.echo_left
                if framer is None:
                    rate = value.rate
                    framer = Framer(rate * ms // 1000 * BYTES_PER_SAMPLE)
                for pcm in framer.push(value.pcm):
                    observer.on_next(Frame(value.t_us, pcm, rate, number, echo_left))
                    number += 1
                return
            flush()
            observer.on_next(value)

        def flush() -> None:
            nonlocal number
            padded = framer.flush() if framer else None
            if padded:
                observer.on_next(Frame(last_us, padded, rate, number, echo_left))
                number += 1

        return on_next

    return handled_by(begin)
