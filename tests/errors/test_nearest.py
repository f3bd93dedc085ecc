"""`Did you mean …?`: for a word with a slip in it, and for the beginning of a longer one."""

from __future__ import annotations

import pytest

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import nearest

NAMES = [name.upper() for name in Settings.model_fields]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("VAD_PREROL_MS", " Did you mean 'VAD_PREROLL_MS'?"),
        ("VAD_SPEACH_START", " Did you mean 'VAD_SPEECH_START_FRAMES'?"),
        ("VAD_SPEACH", " Did you mean 'VAD_SPEECH_START_FRAMES' or 'VAD_SPEECH_END_FRAMES'?"),
        ("VAD_SPEECH", " Did you mean 'VAD_SPEECH_START_FRAMES' or 'VAD_SPEECH_END_FRAMES'?"),
        ("ORCH", " Did you mean 'ORCHESTRATOR'?"),
        ("X", ""),
        ("COLOUR_OF_THE_SKY", ""),
    ],
)
def test_what_is_meant(word: str, said: str) -> None:
    assert nearest(word, NAMES) == said
