"""An orchestrator for nodes that run as programs: a file in the node's folder says what its next reply does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from tests import orchestrators
from webapi.voice_node.orchestrator_mock import MockOrchestrator

SCRIPT = "script"  # the file
GOOD = "Good"  # half a second of tone; any other text is a class of tests/orchestrators.py that goes wrong


class ScriptedOrchestrator(MockOrchestrator):
    """Gives half a second of tone, or goes wrong in the way that the file names."""

    def __init__(self) -> None:
        super().__init__("tone:0.5", think_ms=20)

    def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        script = Path(SCRIPT).read_text()
        if script == GOOD:
            return super().get_audio_reply(trace_id, user_pcm8k)
        wrong: AsyncIterator[bytes] = getattr(orchestrators, script)().go_wrong()
        return wrong
