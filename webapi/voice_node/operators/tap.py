"""Write the audio that flows here to a WAV file, too."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from webapi.voice_node.events import AudioChunk, Frame, ReplyAudio, Voiced
from webapi.voice_node.files.wav_tap import WavTap
from webapi.voice_node.operators.kinds import AUDIO, FRAMES, REPLIES, VOICED, BuildInfo, Stage, operator

WavFile = Annotated[str, Field(pattern=r"\.wav$")]  # so that a mistyped name replaces no other file
Seconds = Annotated[int, Field(ge=1, le=3600)]


@operator(takes=(AUDIO, FRAMES, VOICED, REPLIES))
def tap(*, file: WavFile, longest_s: Seconds = 600, info: BuildInfo) -> Stage[Any]:
    """Everything unchanged; its audio also into the WAV `file`, which each call begins anew.

        in    --F--F--F--gap--F--
        out   --F--F--F--gap--F--
        file    F  F  F       F        audio and no pauses, `longest_s` seconds at most

    A replay writes it below its --out, and nothing without. The name comes from the graph and its length is bounded, so
    no caller can fill the disk. A thread writes, so the audio doesn't wait. The graph decides the same with a tap and
    without. Of replies, the file has all that the orchestrator gave, also what was cut. Raises
    UserError, at subscribe, where the file can't be written.
    """

    def apply(source: Observable[Any]) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            assert info.gives.rate is not None  # noqa: S101 - for the type checker: all that it takes has one
            path = info.context.tap_file(file)
            if path is None:
                return source.subscribe(observer, scheduler=scheduler)
            wav = WavTap(path, info.gives.rate, longest_s)

            def on_next(value: Any) -> None:
                if isinstance(value, (AudioChunk, Frame, ReplyAudio)):
                    wav.write(value.pcm)
                elif isinstance(value, Voiced):
                    wav.write(value.frame.pcm)
                observer.on_next(value)

            return CompositeDisposable(
                source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler),
                Disposable(wav.close),
            )

        return Observable(subscribe)

    return apply
