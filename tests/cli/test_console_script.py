"""The console command, whose own folder is the first on sys.path: what is in the working directory is found too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOT = """
from helper import TONE

class Bot:
    async def get_audio_reply(self, trace_id, user_pcm):
        yield TONE
"""


def voice_node(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`voice-node …` in a folder, by the script that an installer writes."""
    script = folder.parent / "bin" / "voice-node"
    script.parent.mkdir(exist_ok=True)
    script.write_text("import sys\nfrom webapi.voice_node.main import main\nsys.exit(main())\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VAD_BACKEND": "webrtc"}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", ["", "bots"])
def test_an_orchestrator_in_the_working_directory_is_found(tmp_path: Path, package: str) -> None:
    folder = tmp_path / "work"
    (folder / package).mkdir(parents=True)
    (folder / "helper.py").write_text('TONE = b"\\x00\\x10" * 4000\n')
    (folder / package / "mybot.py").write_text(BOT)
    name = f"{package}.mybot:Bot" if package else "mybot:Bot"
    hello = str(ROOT / "docs" / "examples" / "hello.wav")
    ran = voice_node(folder, "replay", hello, "--set", f"ORCHESTRATOR={name}")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "heard 500 ms" in ran.stdout


def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    hello = str(ROOT / "docs" / "examples" / "hello.wav")
    ran = voice_node(folder, "replay", hello, "--set", "ORCHESTRATOR=mybot:Bot")
    assert ran.returncode == 2
    assert "can't import 'mybot'" in ran.stderr
    assert "It must be in the working directory, on PYTHONPATH or installed." in ran.stderr
