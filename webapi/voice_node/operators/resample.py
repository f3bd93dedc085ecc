"""Change the sample rate of a stream of audio."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from reactivex import Observable, abc

from webapi.voice_node.audio_io import Resampler, resampler
from webapi.voice_node.events import AudioChunk, AudioGap, ReplyAudio, ReplyCut, ReplyEnded, ReplyStarted
from webapi.voice_node.hop import Hop
from webapi.voice_node.operators.kinds import AUDIO, REPLIES, Stage, operator

Rate = Literal[8000, 16000, 48000]
Engine = Literal["fir", "soxr-qq", "soxr-lq", "soxr-mq", "soxr-hq", "soxr-vhq"]


@operator(takes=(AUDIO, REPLIES), gives=lambda kind, args: replace(kind, rate=args["rate"]))
def resample(*, rate: Rate, engine: Engine = "fir") -> Stage[Any]:
    """Audio of any of the three rates to audio at `rate` Hz.

        in   48000  --a----a----a----gap--
        out   8000  --a----a----a----tgap--      t: the filter's tail, flushed at a gap

    `fir` holds audio back 4 ms. The soxr engines hold back up to 171 ms, in bursts: for offline work.
    What is not audio passes through; a reply that is cut takes its tail with it.
    """

    def apply(source: Observable[Any]) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            filters: dict[int, Resampler] = {}  # by the rate that comes in
            last: AudioChunk | ReplyAudio | None = None

            def give(like: AudioChunk | ReplyAudio, t_us: int, pcm: bytes) -> None:
                if isinstance(like, AudioChunk):
                    observer.on_next(AudioChunk(t_us, pcm, rate))
                else:
                    observer.on_next(type(like)(t_us, like.turn, pcm, rate))  # a filler stays one

            def flush(t_us: int) -> None:
                nonlocal last
                if last is not None:
                    tail = filters[last.rate].flush()
                    if tail:
                        give(last, t_us, tail)
                reset()

            def reset() -> None:
                nonlocal last
                last = None
                filters.clear()

            def on_next(value: Any) -> None:
                nonlocal last
                if isinstance(value, (AudioChunk, ReplyAudio)):
                    if last is not None and (last.rate != value.rate or type(last) is not type(value)):
                        flush(value.t_us)
                    through = filters.get(value.rate)
                    if through is None:
                        aligned = isinstance(value, ReplyAudio)  # a reply comes out as long as it went in
                        through = filters[value.rate] = resampler(value.rate, rate, engine, aligned=aligned)
                    last = value
                    pcm = through.push(value.pcm)
                    if pcm:
                        give(value, value.t_us, pcm)
                    return
                if isinstance(value, (AudioGap, ReplyEnded)):
                    flush(value.t_us)
                elif isinstance(value, (ReplyStarted, ReplyCut)):
                    reset()
                observer.on_next(value)

            return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

        return Hop(subscribe)

    return apply
