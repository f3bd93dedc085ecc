"""Replay: the same file gives the same bytes, whatever it is called and however it is stored."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.process import run_node
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.audio_io import resample_pcm
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import find_graphs, load_graph
from webapi.voice_node.main import main
from webapi.voice_node.replay.find import find_recordings
from webapi.voice_node.replay.marbles import parse, render
from webapi.voice_node.replay.mix import Mix
from webapi.voice_node.replay.sinks import ReplaySink
from webapi.voice_node.replay.wav_replay import chunks, replay

TALK = silence(0.5) + vowel(1.0) + silence(1.0) + vowel(0.8) + silence(2.5)
SETTINGS: Settings = load_settings(mock_reply="tone:1.5", vad_backend="webrtc")
FILES = ("events.jsonl", "metrics.jsonl", "marbles.txt", "mix.wav", "timeline.svg", "timeline.html")
NAMED = ("marbles.txt", "timeline.svg", "timeline.html")  # they say what the recording is called


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    write_wav(path, TALK, 48_000)
    return path


def run(*arguments: object) -> int:
    """The exit code of `voice-node …`."""
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return int(ended.value.code or 0)


EXPECTED = """\
talk.wav  5.800 s  graph default  a column is 100 ms

        0s        1s        2s        3s        4s        5s
        |         |         |         |         |         |
voice   -----###########---------#########----------------------------
turns   ------S----------E---------B--------E-------------------------
bot     -------------------========x----------===============---------
"""


def test_the_picture_at_a_glance(talk: Path) -> None:
    text = render(replay(talk, load_graph("default", SETTINGS), SETTINGS))
    picture = text[: text.index("\n\n", 60) + 1]
    rows = {line.split()[0]: line for line in picture.splitlines() if line}
    assert all(len(line) <= 80 for line in text.splitlines())
    assert rows["turns"].replace("-", "").split() == ["turns", "SEBE"]
    assert rows["bot"].count("x") == 1
    assert len(picture.splitlines()) == len(EXPECTED.splitlines())


def test_the_list_parses_back(talk: Path) -> None:
    replayed = replay(talk, load_graph("default", SETTINGS), SETTINGS)
    parsed = parse(render(replayed))
    assert [(m.letter, m.turn) for m in parsed] == [
        ("S", 0), ("E", 0), ("P", 0), ("S", 1), ("B", 0), ("p", 0), ("E", 1), ("P", 1), ("p", 1),
    ]  # fmt: skip
    drawn = {"speech_started", "speech_ended", "barge_in", "playback_started", "playback_ended"}
    assert [m.t for m in parsed] == [f"{e['t']:.3f}" for e in replayed.events if e["event"] in drawn]


def test_the_same_bytes_every_time_and_under_any_name(talk: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "other.wav", TALK, 48_000)
    outs = []
    for i, path in enumerate([talk, talk, tmp_path / "other.wav"]):
        assert run("replay", path, "--out", tmp_path / str(i), "--set", "MOCK_REPLY=tone:1.5") == 0
        outs.append({name: (tmp_path / str(i) / name).read_bytes() for name in FILES})
    assert outs[0] == outs[1]
    assert [outs[0][name] for name in FILES if name not in NAMED] == [
        outs[2][name] for name in FILES if name not in NAMED
    ]


def test_what_is_written(talk: Path, tmp_path: Path) -> None:
    assert run("replay", talk, "--out", tmp_path / "out", "--set", "MOCK_REPLY=tone:1.5") == 0
    events = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert {"event", "t", "turn_index", "trace_id"} <= set(events[0])
    assert [line["outcome"] for line in lines] == ["barged_in", "completed"]
    assert lines[1]["heard_ms"] == 1500
    with wave.open(str(tmp_path / "out" / "mix.wav")) as mix:
        assert (mix.getnchannels(), mix.getsampwidth(), mix.getframerate()) == (2, 2, 16_000)
        both = np.frombuffer(mix.readframes(mix.getnframes()), "<i2").reshape(-1, 2).astype(float)
    started, ended = (next(e["t"] for e in events if e["event"] == name) for name in ("playback_started", "barge_in"))
    assert np.abs(both[int(started * 16_000) + 400 : int(ended * 16_000) - 400, 1]).max() > 8000
    assert np.abs(both[: int(started * 16_000) - 100, 1]).max() == 0
    caller = resample_pcm(TALK, 48_000, 16_000)
    same = np.frombuffer(caller, "<i2").astype(float)[1000:80_000]
    assert np.abs(both[1000:80_000, 0] - same).max() < 600  # another filter, the same audio


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_every_rate_is_heard_alike(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, resample_pcm(TALK, 48_000, rate), rate)
    replayed = replay(path, load_graph("default", SETTINGS), SETTINGS)
    assert [line["outcome"] for line in replayed.metrics] == ["barged_in", "completed"]
    assert replayed.seconds == pytest.approx(5.8, abs=0.011)
    assert sum(len(c) for c in chunks(path)) == pytest.approx(len(TALK), abs=2000)


def test_speech_until_the_end_is_answered(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", silence(0.5) + vowel(1), 48_000)
    replayed = replay(tmp_path / "a.wav", load_graph("default", SETTINGS), SETTINGS)
    (line,) = replayed.metrics
    assert (line["outcome"], line["heard_ms"]) == ("completed", 1500)


def test_an_endless_reply_is_cut(tmp_path: Path) -> None:
    settings = load_settings(orchestrator="tests.orchestrators:FloodsForever", vad_backend="webrtc")
    write_wav(tmp_path / "a.wav", vowel(1) + silence(0.5), 48_000)
    replayed = replay(tmp_path / "a.wav", load_graph("default", settings), settings)
    assert [line["outcome"] for line in replayed.metrics] == ["closed"]


def test_expect_compares_and_update_blesses(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blessed = tmp_path / "talk.txt"
    assert run("replay", talk, "--expect", blessed) == 2
    assert "--update writes it" in capsys.readouterr().err
    assert run("replay", talk, "--expect", blessed, "--update") == 0
    capsys.readouterr()
    assert run("replay", talk, "--expect", blessed) == 0
    assert capsys.readouterr().out.endswith(f"\nas {blessed} says\n")
    assert run("replay", talk, "--expect", blessed, "--set", "VAD_SPEECH_START_FRAMES=4") == 1
    said = capsys.readouterr().err
    assert "talk.txt says:\n- expected, + got; the first difference is at 0.5 s\n" in said


def test_update_without_a_file_to_write_is_refused(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("replay", talk, "--update") == 2
    assert "--expect" in capsys.readouterr().err


def test_what_is_no_marbles_text_is_neither_compared_nor_written_over(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, empty, nowhere = tmp_path / "README.md", tmp_path / "empty.txt", tmp_path / "new" / "talk.txt"
    assert run("replay", talk, "--expect", nowhere) == 2
    assert "Errno" not in capsys.readouterr().err
    text = "# A document\n\n" + render(replay(talk, load_graph("default", SETTINGS), SETTINGS))
    for bytes_ in (text.encode(), b"\xff\xfe"):
        other.write_bytes(bytes_)
        for update in ((), ("--update",)):
            assert run("replay", talk, "--expect", other, *update) == 2
            said = capsys.readouterr()
            assert "README.md: no marbles text" in said.err
            assert said.out == ""  # before the replay
        assert other.read_bytes() == bytes_
    empty.touch()
    for file in (empty, nowhere):
        assert run("replay", talk, "--expect", file, "--update") == 0
        assert run("replay", talk, "--expect", file) == 0
    assert run("replay", talk, "--expect", talk / "under-a-file.txt", "--update") == 2
    assert "can't be" in capsys.readouterr().err


def test_in_a_batch_the_others_still_run(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.wav").write_text("hello")
    assert run("replay", tmp_path, "--out", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "bad.wav: not a WAV file" in said.err
    assert "talk.wav  5.800 s" in said.out
    assert (tmp_path / "out" / "talk" / "mix.wav").exists()
    assert run("replay", tmp_path / "t*.wav") == 0
    assert run("replay", tmp_path / "nothing*.wav") == 2
    assert not (tmp_path / "out" / "bad").exists()


def test_where_nothing_can_be_replayed_the_code_is_2_and_nothing_is_left(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("replay", tmp_path / "nothing.wav") == 2
    assert "nothing.wav: can't be read: No such file" in capsys.readouterr().err
    assert run("replay", tmp_path / "no.wav", tmp_path / "nothing.wav", "--out", tmp_path / "out") == 2
    assert list(tmp_path.iterdir()) == [talk]


def test_a_replay_that_fails_leaves_what_an_earlier_one_wrote(talk: Path, tmp_path: Path) -> None:
    assert run("replay", talk, "--out", tmp_path / "out") == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    talk.write_text("no longer a WAV")
    assert run("replay", talk, "--out", tmp_path / "out") == 2
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_what_a_replay_wrote_is_no_recording_unless_it_is_named(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("replay", talk, "--out", tmp_path / "out") == 0
    assert find_recordings([str(tmp_path)]) == [talk]
    assert run("replay", tmp_path / "out") == 2
    assert "out: there is no WAV (what a replay wrote does not count)" in capsys.readouterr().err
    assert find_recordings([str(tmp_path / "out" / "mix.wav")]) == [tmp_path / "out" / "mix.wav"]
    (tmp_path / "songs").mkdir()
    talk.rename(tmp_path / "songs" / "mix.wav")
    assert find_recordings([str(tmp_path / "songs")]) == [tmp_path / "songs" / "mix.wav"]


def test_the_file_of_a_tap_is_named(talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (("--graph", "tap"), ("--against", "tap")):
        options = (*arguments, "--set", "VAD_BACKEND=webrtc")
        done = run_node("replay", "talk.wav", *options, "--out", "out", cwd=tmp_path)
        assert done.err == f"talk.wav: wrote {Path('out/taps/tap.wav')}\n"
        done = run_node("replay", "talk.wav", *options, cwd=tmp_path)
        assert done.err == "talk.wav: without --out the graph's tap writes nothing (tap.wav)\n"


def test_a_file_in_the_place_of_a_folder_is_said(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("replay", talk, "--out", talk) == 2
    assert capsys.readouterr().err == f"--out {talk}: can't be written: that is a file, and a folder is needed\n"


def test_a_name_that_is_no_text_is_no_trouble(talk: Path, tmp_path: Path) -> None:
    odd = talk.rename(tmp_path / "a\udcff.wav")
    assert run("replay", odd, "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / "marbles.txt").read_text().startswith("a?.wav  5.800 s")


def test_a_truncated_recording_is_said(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk.write_bytes(talk.read_bytes()[:300_000])
    assert run("replay", talk) == 0
    assert "shorter than its header says" in capsys.readouterr().err


def test_an_orchestrator_with_real_io_is_told_so(tmp_path: Path) -> None:
    settings = load_settings(orchestrator="tests.orchestrators:Connects", vad_backend="webrtc")
    write_wav(tmp_path / "a.wav", vowel(1) + silence(0.5), 48_000)
    replayed = replay(tmp_path / "a.wav", load_graph("default", settings), settings)
    (ended,) = (e for e in replayed.events if e["event"] == "reply_ended")
    assert ended["outcome"] == "failed"
    assert "can't run in virtual time" in ended["detail"]


def test_an_orchestrator_that_is_not_there_is_told_once_with_its_place(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = find_graphs()["default"].read_text().replace('"${ORCHESTRATOR}"', "no.such:Bot")
    graph = tmp_path / "g.yaml"
    graph.write_text(text)
    at = next(number for number, line in enumerate(text.splitlines(), 1) if "no.such:Bot" in line)
    told = f"{graph}:{at}:9: reply: ORCHESTRATOR=no.such:Bot: can't import 'no.such'"
    for arguments, code in (
        (("replay", talk, tmp_path / "other.wav", "--graph", graph), 2),
        (("replay", talk, "--against", graph), 2),
        (("graphs", "check", graph), 1),
    ):
        assert run(*arguments) == code
        assert capsys.readouterr().err.count(told) == 1
    assert run("replay", talk, "--set", "ORCHESTRATOR=no.such:Bot") == 2
    assert "default.yaml:" in capsys.readouterr().err


def test_a_graph_that_is_wrong_ends_it_before_anything_runs(talk: Path, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text("version: 1\n")
    assert run("replay", talk, "--graph", tmp_path / "g.yaml") == 2
    with pytest.raises(UserError):
        load_graph(str(tmp_path / "g.yaml"), SETTINGS)


def test_what_is_cut_fades_out_instead_of_clicking() -> None:
    tone = np.round(9000 * np.sin(2 * np.pi * 440 * np.arange(19_200) / 48_000)).astype("<i2").tobytes()

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        sink = ReplaySink(loop)
        for at in range(0, len(tone), 1920):
            sink.push(tone[at : at + 1920])
        await asyncio.sleep(0.107)
        sink.clear()
        return b"".join(sink.played() for _ in range(40))

    heard = run_virtual(main())
    assert heard[:10_272] == tone[:10_272]  # until it was cut
    samples = np.frombuffer(heard, "<i2").astype(int)
    assert np.abs(np.diff(samples)).max() <= 9000 * 2 * np.pi * 440 / 48_000 + 1  # no steeper than the tone itself
    assert np.abs(samples[5136 + 480 :]).max() == 0


def test_a_mix_gets_both_sides_a_second_at_a_time_and_all_of_it(talk: Path) -> None:
    pieces: list[tuple[bytes, bytes]] = []
    replayed = replay(talk, load_graph("default", SETTINGS), SETTINGS, lambda *both: pieces.append(both))
    caller, bot = (b"".join(side) for side in zip(*pieces, strict=True))
    assert {len(piece) for piece, _ in pieces[:-1]} == {96_000}
    assert [len(piece) for piece, _ in pieces] == [len(piece) for _, piece in pieces]
    assert caller.startswith(TALK)
    assert not any(caller[len(TALK) :])
    started, ended = (
        next(e["t"] for e in replayed.events if e["event"] == f"playback_{name}") for name in ("started", "ended")
    )
    heard = np.flatnonzero(np.frombuffer(bot, "<i2"))
    of_first = heard[heard <= ended * 48_000 + 480]  # a cut fades out for 10 ms
    assert of_first[0] / 48_000 == pytest.approx(started, abs=0.001)
    assert of_first[-1] / 48_000 == pytest.approx(ended + 0.01, abs=0.001)


@pytest.mark.parametrize("mix", [None, lambda caller, bot: None], ids=["unheard", "mixed"])
def test_audio_does_not_pile_up(tmp_path: Path, mix: Mix | None) -> None:
    """A minute more is 6 MB of audio that comes in: all that may stay of it are its events and metrics."""

    def peak(path: Path) -> int:
        tracemalloc.start()
        try:
            replay(path, load_graph("default", SETTINGS), SETTINGS, mix)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    talk = silence(0.5) + vowel(1) + silence(3.5)  # the reply is heard whole: nothing clears what is queued
    for minutes in (0.25, 1.25):
        write_wav(tmp_path / f"{minutes}.wav", talk * round(12 * minutes), 48_000)
    peak(tmp_path / "0.25.wav")  # what is made once and kept
    assert peak(tmp_path / "1.25.wav") - peak(tmp_path / "0.25.wav") < 500_000


def test_what_stands_in_for_sierra_is_said_once(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(tmp_path / "other.wav", TALK, 48_000)
    assert run("replay", tmp_path, "--set", "VAD_BACKEND=sierra") == 0
    assert capsys.readouterr().err.count("no package named 'sierra' is installed; ") == 1
    assert run("sweep", tmp_path, "--set", "VAD_BACKEND=sierra", "--grid", "VAD_PREROLL_MS=100,200") == 0
    assert capsys.readouterr().err.count("no package named 'sierra' is installed; ") == 1
