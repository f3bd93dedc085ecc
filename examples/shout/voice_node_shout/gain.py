"""An operator: make audio louder or softer."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field
from reactivex import Observable, abc

from webapi.voice_node.events import AudioChunk
from webapi.voice_node.operators.kinds import AUDIO, Stage, operator

Decibels = Annotated[float, Field(ge=-60, le=40)]


@operator(takes=AUDIO)
def gain(*, db: Decibels) -> Stage[Any]:
    """Audio that is `db` decibels louder. Samples beyond full scale are clipped.

    in   --a--b--gap
    out  --A--B--gap
    """
    factor = 10 ** (db / 20)

    def apply(source: Observable[Any]) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            def on_next(value: Any) -> None:
                if isinstance(value, AudioChunk):
                    louder = np.clip(np.frombuffer(value.pcm, "<i2") * factor, -32768, 32767).astype("<i2")
                    value = value._replace(pcm=louder.tobytes())
                observer.on_next(value)

            return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

        return Observable(subscribe)

    return apply
