"""Ask a voice activity detector about every frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator
from reactivex import abc

from webapi.voice_node.errors import UserError
from webapi.voice_node.events import Frame, Voiced
from webapi.voice_node.operators.kinds import FRAMES, BuildInfo, Kind, Stage, becomes, operator
from webapi.voice_node.reactive.direct import handled_by
from webapi.voice_node.vad import VoiceActivityDetector, check_backend, unknown

FRAME_MS = (10, 20, 30)
RATES_HZ = (8000, 16000)


def _known(backend: str) -> str:
    reason = unknown(backend)
    if reason:
        raise ValueError(reason)
    return backend


def _can_not_be_made(kind: Kind, arguments: Mapping[str, Any]) -> str:
    """Why the first caller would have no detector; "" where they would have one."""
    try:
        check_backend(arguments["backend"], kind.rate or 8000, kind.ms or 20)
    except UserError as error:
        return str(error)
    return ""


BackendName = Annotated[str, AfterValidator(_known)]
TAKES = tuple(Kind(FRAMES.name, rate, ms) for rate in RATES_HZ for ms in FRAME_MS)


@operator(takes=TAKES, gives=becomes("voiced"), check=_can_not_be_made)
def vad(*, backend: BackendName = "webrtc", info: BuildInfo) -> Stage[Any]:
    """Frames to voiced frames. Each subscription has a detector of its own, which the end of the audio resets.

    in   --F--F--F--F--gap
    out  --0--1--1--0--gap
    """

    def begin(observer: abc.ObserverBase[Any]) -> Callable[[Any], None]:
        # Made before the first frame comes: the first of a process loads Silero, which takes 40 ms.
        detector = VoiceActivityDetector(backend, rate=info.gives.rate or 8000, frame_ms=info.gives.ms or 20)

        def on_next(value: Any) -> None:
            if type(value) is Frame:
                voiced = detector.is_speech(value.pcm)
                observer.on_next(Voiced(value, voiced, detector.probability, second=detector.second))
            else:
                detector.reset()
                observer.on_next(value)

        return on_next

    return handled_by(begin)
