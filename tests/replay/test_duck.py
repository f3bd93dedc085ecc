"""A replay of a reply that becomes soft: in marbles, in the mix, and the same bytes each time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.replay.test_wav_replay import run
from tests.speech import silence, vowel
from tests.stage import play
from webapi.voice_node.audio.wav import iter_wav, write_wav
from webapi.voice_node.replay.marbles import parse

SCRIPT = [
    ("quiet", 0.3),
    ("speech", 1.0),
    ("quiet", 1.0),
    ("speech", 0.2),
    ("quiet", 1.5),
    ("speech", 1.0),
    ("quiet", 1.5),
]
FILES = ("events.jsonl", "metrics.jsonl", "marbles.txt", "mix.wav", "timeline.svg", "timeline.html")
RATE_HZ = 16_000  # of a mix


def replayed(path: Path, out: Path) -> dict[str, bytes]:
    """What a replay with the graph `duck` writes."""
    settings = ("MOCK_REPLY=tone:4", "VAD_BACKEND=webrtc") if path.suffix == ".wav" else ()
    graph = ("--graph", "duck") if path.suffix == ".wav" else ()
    assert run("replay", path, "--out", out, *graph, *(a for s in settings for a in ("--set", s))) == 0
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("kind", ["a WAV", "a call"])
def test_it_is_heard_drawn_and_told_and_the_same_each_time(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("talk.wav" if kind == "a WAV" else "call")
    if kind == "a WAV":
        said = [vowel(seconds) if what == "speech" else silence(seconds) for what, seconds in SCRIPT]
        write_wav(path, b"".join(said), 48_000)
    else:
        play(SCRIPT, graph="duck", mock_reply="tone:4", vad_backend="webrtc", record=path)
    made = replayed(path, tmp_path / "one")
    assert made == replayed(path, tmp_path / "two")
    marbles = made["marbles.txt"].decode()
    (bot,) = (line for line in marbles.splitlines() if line.startswith("bot ") and "_" in line)
    assert "".join(dict.fromkeys(bot[8:].rstrip("-").lstrip("-"))) == "=_x-"
    letters = [marble.letter for marble in parse(marbles)]
    assert "".join(letters) == "SEPVSLEVSBpEPp"
    events = [json.loads(line) for line in made["events.jsonl"].splitlines()]
    soft, loud = (next(e for e in events if e["event"] == f"playback_{what}") for what in ("ducked", "restored"))
    begun = next(e for e in events if e["event"] == "playback_started")
    assert soft["sample"] == pytest.approx((soft["t"] - begun["t"]) * 48_000, abs=1)
    assert loud["sample"] - soft["sample"] == pytest.approx((loud["t"] - soft["t"]) * 48_000, abs=1)
    bot_pcm = np.frombuffer(b"".join(iter_wav(tmp_path / "one" / "mix.wav", 1)), "<i2").astype(int)

    def peak(from_s: float, to_s: float) -> int:
        return int(np.abs(bot_pcm[round(from_s * RATE_HZ) : round(to_s * RATE_HZ)]).max())

    assert peak(soft["t"] - 0.2, soft["t"]) == pytest.approx(9830, rel=0.01)
    assert peak(soft["t"] + 0.012, loud["t"]) == pytest.approx(1748, rel=0.02)  # 15 dB less
    assert peak(loud["t"] + 0.1, loud["t"] + 0.3) == pytest.approx(9830, rel=0.01)


def test_another_rule_on_a_recorded_call_parts_where_the_bot_fell(tmp_path: Path) -> None:
    play(SCRIPT, graph="default", mock_reply="tone:4", vad_backend="webrtc", record=tmp_path / "call")
    assert run("replay", tmp_path / "call", "--against", "duck", "--out", tmp_path / "out") == 1
    events = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text("utf-8").splitlines()]
    assert next(event["event"] for event in events if event.get("parted")) == "playback_ducked"
