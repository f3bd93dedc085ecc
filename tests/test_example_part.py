"""The example package examples/http_voice: its part speaks in a graph, and says what to do where its server is away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.speech import silence
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.dev_server.process import free_port

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "http_voice"
GRAPH = (EXAMPLE / "http_voice.yaml").read_text(encoding="utf-8")
START_S = 20.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example is installed."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", site]
    subprocess.run([*map(str, pip), str(EXAMPLE)], check=True, capture_output=True, timeout=120)
    return site


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def server() -> Iterator[int]:
    """The example's server. Gives its port, when it listens."""
    port = free_port("tcp", 0)
    process = subprocess.Popen([sys.executable, str(EXAMPLE / "server.py"), str(port)], stderr=subprocess.DEVNULL)
    end = time.monotonic() + START_S
    try:
        while not listens(port):
            assert process.poll() is None
            assert time.monotonic() < end
        yield port
    finally:
        process.terminate()
        process.wait()


def node(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, "-m", "webapi.voice_node.main", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_the_part_greets_the_caller(site: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "quiet.wav", silence(6.0), 48_000)
    with server() as port:
        (tmp_path / "mine.yaml").write_text(GRAPH.replace("8765", str(port)), encoding="utf-8")
        ran = node(site, tmp_path, "replay", "quiet.wav", "--graph", "mine.yaml", "--pace", "real", "--out", "out")
    assert ran.returncode == 0, ran.stderr
    with wave.open(str(tmp_path / "out" / "mix.wav")) as mix:
        bot = np.frombuffer(mix.readframes(mix.getnframes()), "<i2").reshape(-1, 2)[:, 1].astype(float)
        rate = mix.getframerate()
    spectrum = np.abs(np.fft.rfft(bot))
    assert spectrum.argmax() * rate / len(bot) == pytest.approx(440, abs=20)  # the server's beep


def test_a_mistake_and_a_server_that_is_away_are_told(site: Path, tmp_path: Path) -> None:
    right = node(site, tmp_path, "graphs", "check", str(EXAMPLE / "http_voice.yaml"))
    assert right.stdout.endswith("http_voice.yaml: right\n")
    (tmp_path / "wrong.yaml").write_text(GRAPH.replace("http://127", "htp://127"), encoding="utf-8")
    assert (
        "with.tts.url: 'htp://127.0.0.1:8765': string should match"
        in node(site, tmp_path, "graphs", "check", "wrong.yaml").stderr
    )
    (tmp_path / "mine.yaml").write_text(GRAPH.replace("8765", str(free_port("tcp", 0))), encoding="utf-8")
    away = node(site, tmp_path, "run", "--graph", "mine.yaml", "--no-dev-server", "--no-page")
    assert away.returncode == 2
    assert "with.tts: http text-to-speech at http://127.0.0.1:" in away.stderr
    assert "Connection refused" in away.stderr
    assert "Start the server, or correct url of the part" in away.stderr
    assert "Traceback" not in away.stderr
