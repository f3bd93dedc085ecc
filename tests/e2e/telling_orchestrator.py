"""An orchestrator that tells words and marks, for the page that shows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from webapi.voice_node.orchestrator import Call
from webapi.voice_node.orchestrator_mock import tone

INTERIM, FINAL = "a table", "A table for Friday, please."
SENTENCES = ("Of course.", "For how many people shall I keep the table, and at what time will you come?")
SECONDS = (0.6, 6.0)  # how long the sentences are


class Telling:
    """Tells the interim text, waits until the test has seen it (once), and answers with two sentences."""

    seen = asyncio.Event()  # set by the test

    def on_call_started(self, call: Call) -> None:
        """Keep the call."""
        self._call = call

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        """Tones in the place of the sentences."""
        self._call.transcript(trace_id, INTERIM, final=False)
        await Telling.seen.wait()
        self._call.transcript(trace_id, FINAL)
        self._call.mark(trace_id, "speech_to_text")
        await asyncio.sleep(0.12)  # as a language model would
        self._call.mark(trace_id, "llm_first_token")
        await asyncio.sleep(0.06)
        self._call.mark(trace_id, "text_to_speech")
        for sentence, seconds in zip(SENTENCES, SECONDS, strict=True):
            self._call.transcript(trace_id, sentence, speaker="bot")
            yield tone(seconds, 8000, 440)
