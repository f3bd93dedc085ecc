"""An orchestrator that gives the same reply every time, after a pause. It uses no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from webapi.voice_node.audio_io import read_wav, resample_pcm
from webapi.voice_node.errors.allowed_values import MockReply

FRAME_MS = 20  # the length of the first chunk
CHUNK_MS = 100  # of those after it: text-to-speech is also faster than real time
BEEP_HZ = 880
TONE_HZ = 440
LEVEL = 0.3  # of full scale, −10 dBFS
QUIET_FRAMES = 40  # after the beep
EDGE_MS = 5  # tones rise and fall over this, so that they don't click

# What a graph may give under `with`. Their checks are made when the graph is read, and not here.
Reply = Annotated[MockReply, Field(description="What it answers: beep, echo, tone:SECONDS, or the path of a WAV.")]
ThinkMs = Annotated[int, Field(ge=0, le=600_000, description="How long it thinks before it answers, in ms.")]


class OrchestratorMock:
    """Answers every utterance with `reply` (int16 mono at `rate` Hz), after `think_ms`.

    `reply` is what MOCK_REPLY may be: beep, echo, tone:SECONDS, or the path of a WAV. Raises UserError for a WAV that
    can't be read. `calls` lists what was called on it, in order, as (method, trace_id).
    """

    on_tts_first_chunk: Callable[[str, float], None] | None = None
    on_llm_request_done: Callable[[str, float], None] | None = None

    def __init__(self, reply: Reply = "beep", *, think_ms: ThinkMs = 120, rate: int = 8000) -> None:
        self.calls: list[tuple[str, str]] = []
        self._think_s = think_ms / 1000
        self._rate = rate
        self._reply = _reply(reply, rate)

    def on_speech_started(self, trace_id: str, ts_monotonic: float) -> None:
        """Add it to `calls`."""
        self.calls.append(("on_speech_started", trace_id))

    def on_speech_ended(self, trace_id: str, utterance_pcm8k: bytes, t_first_byte: float, t_last_byte: float) -> None:
        """Add it to `calls`."""
        self.calls.append(("on_speech_ended", trace_id))

    def on_barge_in_detected(self, trace_id: str) -> None:
        """Add it to `calls`."""
        self.calls.append(("on_barge_in_detected", trace_id))

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        """Waits `think_ms`, reports both stamps, and gives the reply: 20 ms, then 100 ms at a time."""
        self.calls.append(("get_audio_reply", trace_id))
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(self._think_s)
            if self.on_llm_request_done:
                self.on_llm_request_done(trace_id, loop.time())
            if self.on_tts_first_chunk:
                self.on_tts_first_chunk(trace_id, loop.time())
            for chunk in self._reply(user_pcm8k):
                yield chunk
        finally:
            self.calls.append(("reply_closed", trace_id))

    def stop_playback(self, trace_id: str) -> None:
        """Add it to `calls`."""
        self.calls.append(("stop_playback", trace_id))

    def on_playback_ended(self, trace_id: str, heard_ms: int, completed: bool) -> None:
        """Add it to `calls`."""
        self.calls.append(("on_playback_ended", trace_id))

    def play_filler(self, trace_id: str, key: str) -> Any:
        """A mock has no fillers."""


MockOrchestrator = OrchestratorMock  # another name of it, which code may import


def _reply(reply: str, rate: int) -> Callable[[bytes], Iterator[bytes]]:
    """The function from the caller's utterance to the chunks of the reply."""
    frame, chunk = rate * FRAME_MS // 1000 * 2, rate * CHUNK_MS // 1000 * 2

    def cut(pcm: bytes) -> Iterator[bytes]:
        if pcm:
            yield pcm[:frame]
        for at in range(frame, len(pcm), chunk):
            yield pcm[at : at + chunk]

    if reply == "echo":
        return cut
    if reply == "beep":
        beep = tone(FRAME_MS / 1000, rate, BEEP_HZ) + bytes(QUIET_FRAMES * frame)
        return lambda _: cut(beep)
    if reply.startswith("tone:"):
        steady = tone(float(reply.removeprefix("tone:")), rate, TONE_HZ)
        return lambda _: cut(steady)
    pcm, wav_rate = read_wav(reply)
    said = resample_pcm(pcm, wav_rate, rate)
    return lambda _: cut(said)


def tone(seconds: float, rate: int, hz: float) -> bytes:
    """A sine of `hz` at −10 dBFS with edges of 5 ms, as int16 PCM at `rate` Hz."""
    n = round(seconds * rate)
    wave = LEVEL * np.sin(2 * np.pi * hz * np.arange(n) / rate)
    edge = min(n // 2, rate * EDGE_MS // 1000)
    ramp = np.linspace(0, 1, edge, endpoint=False)
    wave[:edge] *= ramp
    wave[n - edge :] *= ramp[::-1]
    return np.round(wave * 32767).astype("<i2").tobytes()
