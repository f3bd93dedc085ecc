"""An orchestrator: it plays back what the caller said, as loud as possible."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np

PEAK = 30_000  # of 32,767


class Shout:
    """Made once for each caller, without arguments. docs/orchestrator.md says when each method is called."""

    on_tts_first_chunk = None
    on_llm_request_done = None

    def on_speech_started(self, trace_id: str, ts_monotonic: float) -> None:
        """Nothing to do."""

    def on_speech_ended(self, trace_id: str, utterance_pcm8k: bytes, t_first_byte: float, t_last_byte: float) -> None:
        """Nothing to do: `get_audio_reply` gets the utterance too."""

    def on_barge_in_detected(self, trace_id: str) -> None:
        """Nothing to do."""

    def stop_playback(self, trace_id: str) -> None:
        """Nothing to do: the generator below has been closed."""

    def play_filler(self, trace_id: str, key: str) -> None:
        """No filler: returns None."""

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        """The utterance, scaled so that its largest sample is near full scale."""
        samples = np.frombuffer(user_pcm8k, "<i2").astype(np.float64)
        yield (samples * PEAK / max(1.0, np.abs(samples).max())).astype("<i2").tobytes()
