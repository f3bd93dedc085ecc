"""An orchestrator in forty lines: plays back what the caller said, at half the volume, and notes how much was heard.

PYTHONPATH=docs/examples voice-node --set ORCHESTRATOR=parrot:Parrot
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np

CHUNK_BYTES = 3200  # 200 ms at 8 kHz; any size will do


class Parrot:
    """One conversation. The node makes an instance for each caller."""

    on_llm_request_done: Callable[[str, float], None] | None = None  # the node sets both
    on_tts_first_chunk: Callable[[str, float], None] | None = None

    def __init__(self) -> None:
        self.heard_ms: dict[str, int] = {}

    def on_speech_started(self, trace_id: str, ts_monotonic: float) -> None:
        """The caller began to speak: open connections here, so that they are ready for the reply."""

    def on_speech_ended(self, trace_id: str, utterance_pcm8k: bytes, t_first_byte: float, t_last_byte: float) -> None:
        """The utterance has ended: its audio, and the arrival of its first and last sample."""

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        """Yield the reply as it is made. A barge-in closes this generator: clean up in `finally`."""
        try:
            await asyncio.sleep(0.1)  # a language model would work here
            if self.on_llm_request_done:
                self.on_llm_request_done(trace_id, asyncio.get_running_loop().time())
            softly = (np.frombuffer(user_pcm8k, "<i2") // 2).astype("<i2").tobytes()
            for at in range(0, len(softly), CHUNK_BYTES):
                yield softly[at : at + CHUNK_BYTES]
        finally:
            pass  # close the connection to the speech synthesizer here

    def on_barge_in_detected(self, trace_id: str) -> None:
        """The caller talked over this reply, which is already silent."""

    def stop_playback(self, trace_id: str) -> None:
        """The reply is cancelled, for any reason."""

    def on_playback_ended(self, trace_id: str, heard_ms: int, completed: bool) -> None:
        """How much of the reply was heard: put only this part into the conversation's history."""
        self.heard_ms[trace_id] = heard_ms

    def play_filler(self, trace_id: str, key: str) -> None:
        """No filler: returns None."""
