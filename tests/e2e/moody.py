"""An orchestrator whose next reply is what the file `mood` in its folder says: for nodes that run as programs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from tests import orchestrators
from webapi.voice_node.orchestrator_mock import MockOrchestrator

MOOD = "mood"
FINE = "Fine"  # any other mood is a class of tests/orchestrators.py that goes wrong


class Moody(MockOrchestrator):
    """Half a second of tone, or whatever goes wrong."""

    def __init__(self) -> None:
        super().__init__("tone:0.5", think_ms=20)

    def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        mood = Path(MOOD).read_text()
        if mood == FINE:
            return super().get_audio_reply(trace_id, user_pcm8k)
        wrong: AsyncIterator[bytes] = getattr(orchestrators, mood)().go_wrong()
        return wrong
