"""Change the sample rate of a stream of audio."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from reactivex import abc

from webapi.voice_node.audio.fir_resampler import Fir, fir_can
from webapi.voice_node.audio_io import Resampler, resampler
from webapi.voice_node.events import (
    BYTES_PER_SAMPLE,
    AudioChunk,
    AudioGap,
    FillerAudio,
    HaltReply,
    ReplyAudio,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
)
from webapi.voice_node.operators.kinds import AUDIO, REPLIES, BuildInfo, Stage, operator
from webapi.voice_node.reactive.direct import handled_by

Rate = Literal[8000, 16000, 48000]
Engine = Literal["fir", "soxr-qq", "soxr-lq", "soxr-mq", "soxr-hq", "soxr-vhq"]


@operator(takes=(AUDIO, REPLIES), gives=lambda kind, args: replace(kind, rate=args["rate"]))
def resample(*, rate: Rate, engine: Engine = "fir", info: BuildInfo) -> Stage[Any]:
    """Audio of another rate to audio at `rate` Hz.

        in   48000  --a----a----a----gap--
        out   8000  --a----a----a----tgap--      t: the filter's tail, flushed at a gap

    `fir` holds audio back 4 ms. The soxr engines hold back up to 171 ms, in bursts: for offline work. A reply
    whose rate `fir` can't resample (22050 or 44100 Hz, say) is resampled by soxr-vhq all the same.
    What is not audio passes through; a reply that is cut, and a filler that is halted, take their tail with them.

    Where a window follows, the caller's audio is filtered a window at a time, which takes half as long as chunk by
    chunk: what does not fill one can wait here as well as there.
    """
    window_ms, unheard = info.following.ms or 0, info.context.unheard
    return handled_by(lambda observer: _Resampling(observer, rate, engine, window_ms, unheard).on_next)


class _Resampling:
    """The state of one subscription. `window_ms`: how much of the caller's audio is filtered at a time; 0: any.

    `unheard`: replies become silence as long as they are.
    """

    def __init__(self, observer: abc.ObserverBase[Any], rate: int, engine: str, window_ms: int, unheard: bool) -> None:
        self._emit = observer.on_next
        self._rate = rate
        self._engine = engine
        self._window_ms = window_ms
        self._unheard = unheard
        self._size = 0  # of `window_ms`, in bytes; 0: as it comes
        self._held = b""  # of the caller's audio: less than `_size`
        self._last: AudioChunk | ReplyAudio | None = None
        self._stream: Resampler | None = None  # None: nothing is pending

    def on_next(self, value: Any) -> None:
        """Filter audio; pass on everything else."""
        if type(value) is AudioChunk or isinstance(value, ReplyAudio):
            last = self._last
            if last is not None and (last.rate != value.rate or type(last) is not type(value)):
                self._flush(value.t_us)
            stream = self._stream or self._begin(value)
            self._last, pcm, size = value, value.pcm, self._size
            if size:
                held = self._held + pcm
                if len(held) < size:
                    self._held = held
                    return
                whole = len(held) // size * size
                pcm, self._held = held[:whole], held[whole:]
            self._give(value, value.t_us, stream.push(pcm))
            return
        if isinstance(value, (AudioGap, ReplyEnded)):
            self._flush(value.t_us)
        elif isinstance(value, (ReplyStarted, ReplyCut)) or (
            isinstance(value, HaltReply) and isinstance(self._last, FillerAudio)
        ):
            self._reset()
        self._emit(value)

    def _begin(self, first: AudioChunk | ReplyAudio) -> Resampler:
        aligned = isinstance(first, ReplyAudio)  # a reply comes out as long as it went in
        self._size = 0 if aligned else first.rate * self._window_ms // 1000 * BYTES_PER_SAMPLE
        others = aligned and self._engine == "fir" and first.rate != self._rate and not fir_can(first.rate, self._rate)
        engine = "soxr-vhq" if others else self._engine
        if self._unheard and aligned and engine == "fir" and fir_can(first.rate, self._rate):
            self._stream = Fir(first.rate, self._rate, aligned=True, silent=True)
        else:
            self._stream = resampler(first.rate, self._rate, engine, aligned=aligned)
        return self._stream

    def _give(self, like: AudioChunk | ReplyAudio, t_us: int, pcm: bytes) -> None:
        if not pcm:
            return
        if isinstance(like, AudioChunk):
            self._emit(AudioChunk(t_us, pcm, self._rate, like.echo, like.echo_left))
        else:
            self._emit(type(like)(t_us, like.turn, pcm, self._rate))  # a filler stays one

    def _flush(self, t_us: int) -> None:
        """Give what the filter still holds, and begin anew."""
        if self._last is not None and self._stream is not None:
            self._give(self._last, t_us, self._stream.push(self._held) + self._stream.flush())
        self._reset()

    def _reset(self) -> None:
        """Begin anew, and drop what is held."""
        self._last, self._stream, self._held = None, None, b""
