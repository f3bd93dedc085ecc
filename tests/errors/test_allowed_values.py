"""What a value of a setting may be, and why another one is refused. (tests/test_config.py has each variable.)"""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from webapi.voice_node.config import pinned_settings
from webapi.voice_node.errors import UserError


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def refused(**settings: object) -> list[str]:
    with pytest.raises(UserError) as caught:
        pinned_settings(**settings)
    return str(caught.value).splitlines()


def test_mock_reply_takes_words_tones_and_wavs(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(320))
    for value in ("beep", "echo", "tone:0.5", "tone:3600", str(path), "reply.wav"):
        assert pinned_settings(mock_reply=value).mock_reply == value


def test_mock_reply_says_why_a_file_is_refused(tmp_path: Path) -> None:
    Path("text.wav").write_text("not really")
    assert "not a WAV" in refused(mock_reply="text.wav")[0]
    assert "directory" in refused(mock_reply=str(tmp_path))[0].lower()
    assert "No such file" in refused(mock_reply="gone.wav")[0]
    assert refused(mock_reply="a\0b")[0].startswith("MOCK_REPLY=")
