"""Columns of marbles, at every time: a letter stands where its time in whole µs says. And names that do not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.test_wav_replay import SETTINGS, TALK, run
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.events import seconds
from webapi.voice_node.replay.marble_diff import difference
from webapi.voice_node.replay.marbles import NAMES, render
from webapi.voice_node.replay.result import ReplayResult


def event(name: str, t_us: int, **fields: object) -> dict[str, object]:
    return {"event": name, "t": seconds(t_us), "turn_index": 0, "trace_id": "t", **fields}


def drawn(result: ReplayResult, row: str) -> str:
    return "".join(line[NAMES:] for line in render(result).splitlines() if line.startswith(f"{row} "))


@pytest.mark.parametrize("origin_us", [0, 3_600_000_000])
def test_every_time_of_a_minute_stands_in_its_column(origin_us: int) -> None:
    """At each 10 ms of a minute (6000 times), and 1 µs before and after it."""
    for start in range(0, 60_000_000, 10_000):
        for t_us in {max(0, start - 1), start, start + 1}:
            at = origin_us // 1000 + t_us  # also times that are no multiple of 10 ms
            result = ReplayResult("a", "g", seconds=seconds(at), events=[event("speech_started", at)])
            if origin_us and t_us % 1_000_000 > 2:
                continue  # a long diagram takes time to draw
            assert drawn(result, "turns").index("S") == at // 100_000


@pytest.mark.parametrize("first", range(0, 700_000, 10_000))
def test_a_reply_and_the_frames_of_a_voice_stand_in_their_columns(first: int) -> None:
    last = first + 600_000
    events = [
        event("playback_started", first),
        event("playback_ended", last, heard_ms=600, completed=False, outcome="barged_in"),
    ]
    result = ReplayResult("a", "g", seconds=2.0, events=events, frame_us=20_000)
    result.arrived_us, result.voiced, result.likely = [first + 20_000], [True], [None]
    bot = drawn(result, "bot")
    assert (bot.index("="), bot.index("x")) == (first // 100_000, last // 100_000)
    assert drawn(result, "voice").index("#") == first // 100_000


def test_the_name_of_the_recording_does_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.wav", "two  words 1.5 s.wav"):
        write_wav(tmp_path / name, TALK, 48_000)
    expect = ("--expect", tmp_path / "a.txt", "--set", "VAD_BACKEND=webrtc")
    assert run("replay", tmp_path / "a.wav", *expect, "--update") == 0
    assert run("replay", tmp_path / "two  words 1.5 s.wav", *expect) == 0
    assert "a.txt says" in capsys.readouterr().out
    text = (tmp_path / "a.txt").read_text()
    assert difference(text, text.replace("a.wav", "b.wav")) == ""
    found = difference(text, text.replace("a.wav", "b.wav").replace("graph default", "graph other"))
    assert "- b.wav" in found  # the rest of the line counts
    assert SETTINGS.vad_backend == "webrtc"


def test_a_soft_stretch_of_a_reply_has_a_sign_of_its_own() -> None:
    events = [
        event("playback_started", 100_000),
        event("playback_ducked", 500_000, heard_ms=400, sample=19_200, t_first_voiced=0.44),
        event("playback_restored", 900_000, heard_ms=800, sample=38_400),
        event("playback_ducked", 1_300_000, heard_ms=1200, sample=57_600, t_first_voiced=1.24),
        event("playback_ended", 1_600_000, heard_ms=1500, completed=False),
    ]
    result = ReplayResult("a", "g", seconds=2.0, events=events)
    assert drawn(result, "bot") == "-====____====___x----"
    assert [
        line.split(maxsplit=3)[1:] for line in render(result).splitlines() if " V 0 " in line or " L 0 " in line
    ] == [
        ["V", "0", "playback_ducked  heard 400 ms so far"],
        ["L", "0", "playback_restored  heard 800 ms so far"],
        ["V", "0", "playback_ducked  heard 1200 ms so far"],
    ]


def test_a_soft_filler_has_that_sign_and_so_has_the_reply_behind_it() -> None:
    events = [
        event("filler_started", 100_000),
        event("playback_ducked", 500_000, heard_ms=0, sample=0, t_first_voiced=0.44),
        event("playback_started", 700_000, interruptible=True),
        event("playback_restored", 900_000, heard_ms=200, sample=9600),
        event("playback_ended", 1_300_000, heard_ms=600, completed=True),
    ]
    result = ReplayResult("a", "g", seconds=2.0, events=events)
    assert drawn(result, "bot") == "-++++____=====-------"
