"""Change the sample rate of a stream of audio."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from reactivex import Observable, abc

from webapi.voice_node.audio_io import Resampler, resampler
from webapi.voice_node.events import (
    BYTES_PER_SAMPLE,
    AudioChunk,
    AudioGap,
    ReplyAudio,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
)
from webapi.voice_node.operators.kinds import AUDIO, REPLIES, Kind, Stage, operator
from webapi.voice_node.reactive.direct import DirectObservable

Rate = Literal[8000, 16000, 48000]
Engine = Literal["fir", "soxr-qq", "soxr-lq", "soxr-mq", "soxr-hq", "soxr-vhq"]


@operator(takes=(AUDIO, REPLIES), gives=lambda kind, args: replace(kind, rate=args["rate"]))
def resample(*, rate: Rate, engine: Engine = "fir", then: Kind = AUDIO) -> Stage[Any]:
    """Audio of any of the three rates to audio at `rate` Hz.

        in   48000  --a----a----a----gap--
        out   8000  --a----a----a----tgap--      t: the filter's tail, flushed at a gap

    `fir` holds audio back 4 ms. The soxr engines hold back up to 171 ms, in bursts: for offline work.
    What is not audio passes through; a reply that is cut takes its tail with it.

    Where a window follows, the caller's audio is filtered a window at a time, which takes half as long as chunk by
    chunk: what does not fill one can wait here as well as there.
    """

    def apply(source: Observable[Any]) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            through: Resampler | None = None  # None: nothing is pending
            last: AudioChunk | ReplyAudio | None = None
            held = b""  # of the caller's audio: less than a piece
            size = 0  # of a piece

            def begin(first: AudioChunk | ReplyAudio) -> Resampler:
                nonlocal through, size
                aligned = isinstance(first, ReplyAudio)  # a reply comes out as long as it went in
                size = 0 if aligned or not then.ms else first.rate * then.ms // 1000 * BYTES_PER_SAMPLE
                through = resampler(first.rate, rate, engine, aligned=aligned)
                return through

            def give(like: AudioChunk | ReplyAudio, t_us: int, pcm: bytes) -> None:
                if not pcm:
                    return
                if isinstance(like, AudioChunk):
                    observer.on_next(AudioChunk(t_us, pcm, rate, like.echo, like.echo_left))
                else:
                    observer.on_next(type(like)(t_us, like.turn, pcm, rate))  # a filler stays one

            def flush(t_us: int) -> None:
                if last is not None and through is not None:
                    give(last, t_us, through.push(held) + through.flush())
                reset()

            def reset() -> None:
                nonlocal last, through, held
                last, through, held = None, None, b""

            def on_next(value: Any) -> None:
                nonlocal last, held
                if isinstance(value, (AudioChunk, ReplyAudio)):
                    if last is not None and (last.rate != value.rate or type(last) is not type(value)):
                        flush(value.t_us)
                    filtered = through or begin(value)
                    last, pcm = value, value.pcm
                    if size:
                        held += pcm
                        whole = len(held) // size * size
                        if not whole:
                            return
                        pcm, held = held[:whole], held[whole:]
                    give(value, value.t_us, filtered.push(pcm))
                    return
                if isinstance(value, (AudioGap, ReplyEnded)):
                    flush(value.t_us)
                elif isinstance(value, (ReplyStarted, ReplyCut)):
                    reset()
                observer.on_next(value)

            return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

        return DirectObservable(subscribe)

    return apply
