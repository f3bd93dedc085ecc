"""A sweep hears each recording once, and gives the same as replays that hear it every time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.speech import chatter, silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.events import Voiced
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.orchestrator import Call
from webapi.voice_node.orchestrator_mock import tone
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.sweep import heard as hearing
from webapi.voice_node.replay.sweep.caller_part import split
from webapi.voice_node.replay.sweep.corpus import Recording, find_corpus
from webapi.voice_node.replay.sweep.decide import decide
from webapi.voice_node.replay.sweep.grid import Cell, cells
from webapi.voice_node.replay.sweep.heard import HeardRecording
from webapi.voice_node.replay.sweep.run import SweepResult, sweep
from webapi.voice_node.replay.wav_replay import replay

# Two barge-ins, a pause, a cough, and an end in the middle of a word that leaves a frame unfinished.
TALK = (
    silence(0.4) + vowel(0.8) + silence(0.9) + vowel(0.9) + silence(0.3) + vowel(0.5) + silence(1.4) + vowel(0.2)
    + silence(2.0) + vowel(0.773)
)  # fmt: skip
WORDS = silence(0.4) + chatter(1.4) + silence(1.2) + chatter(2.0) + silence(0.3) + chatter(1.0) + silence(1.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache is a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "voice-node" / "heard"


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    write_wav(tmp_path / "talk.wav", TALK, 48_000)
    return tmp_path / "talk.wav"


class Busy:
    """Greets, announces something of its own accord, tells words, and hangs up with the third turn."""

    def __init__(self) -> None:
        self.call: Call
        self.turns = 0

    def on_call_started(self, call: Call) -> None:
        self.call = call
        call.say(tone(0.3, 8000, 440))

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        self.turns += 1
        self.call.transcript(trace_id, f"turn {self.turns}")
        if self.turns == 2:
            self.call.say([tone(0.2, 8000, 880)])
        if self.turns == 3:
            self.call.hang_up("that is all")
        yield tone(0.7, 8000, 440)


class Polls:
    """Never lets virtual time go on."""

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        while True:  # noqa: ASYNC110 - that is the point
            await asyncio.sleep(0)
        yield b""


def both(path: Path, graph: GraphSpec, settings: Settings, channel: int = 0) -> tuple[ReplayResult, ReplayResult]:
    """The replay of a whole graph, and of its rest over what its caller's part gave."""
    part = split(graph)
    assert part is not None
    recording = HeardRecording(path, channel, settings, None)
    decided = decide(recording, graph, part.rest, settings, recording.heard(part.section))
    return replay(path, graph, settings, channel=channel), decided


def texts(result: ReplayResult) -> dict[str, str]:
    """All but the frames, as files have it."""
    left_out = ("voiced", "likely", "arrived_us", "frame_us", "unwritten_taps", "taps")
    return {name: json.dumps(value) for name, value in vars(result).items() if name not in left_out}


def assert_same(path: Path, graph: GraphSpec, settings: Settings, channel: int = 0) -> ReplayResult:
    whole, decided = both(path, graph, settings, channel)
    assert texts(decided) == texts(whole)
    return whole


GRAPHS = (
    "default",
    "vad-only",
    "two-vads",
    "cough",
    "no-barge-in",
    "conversation",
    "patient",
    "tap",
    "wideband",
    "echo",
)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_same_bytes_as_a_replay(talk: Path, name: str) -> None:
    settings = load_settings(None, vad_backend="webrtc", mock_reply="tone:1.5")
    assert assert_same(talk, load_graph(name, settings), settings).events


@pytest.mark.parametrize("more", [{}, {"audio_frame_ms": 10}, {"audio_frame_ms": 30, "mock_think_ms": 0}])
@pytest.mark.parametrize("backend", ["silero", "confirm"])
def test_with_probabilities(tmp_path: Path, backend: str, more: dict[str, Any]) -> None:
    write_wav(tmp_path / "words.wav", WORDS, 44_100)
    settings = load_settings(None, vad_backend=backend, mock_reply="tone:3", **more)
    whole = assert_same(tmp_path / "words.wav", load_graph("default", settings), settings)
    assert len({event["event"] for event in whole.events} & {"barge_in", "superseded"}) >= 1


@pytest.mark.parametrize("length", [1, 959, 960, 1000, 4803, 48_000])
def test_recordings_of_any_length(tmp_path: Path, length: int) -> None:
    write_wav(tmp_path / "short.wav", vowel(1.0)[: 2 * length], 48_000)
    settings = load_settings(None, vad_backend="webrtc")
    assert_same(tmp_path / "short.wav", load_graph("default", settings), settings)


def test_of_an_orchestrator_that_speaks_of_its_own_accord_and_hangs_up(talk: Path) -> None:
    settings = load_settings(None, vad_backend="webrtc", orchestrator=f"{__name__}:Busy")
    names = [event["event"] for event in assert_same(talk, load_graph("default", settings), settings).events]
    assert {"prompted", "transcript", "hung_up"} <= set(names)


@pytest.mark.parametrize("orchestrator", ["Understands", "AsksForDigits"])
def test_where_it_is_asked_whether_the_caller_has_finished(talk: Path, orchestrator: str) -> None:
    settings = load_settings(None, vad_backend="webrtc", orchestrator=f"tests.reply.talkative:{orchestrator}")
    text = load_graph("end-of-turn", settings, recorded=True).text.replace("backend: smart-turn", "backend: words")
    whole = assert_same(talk, read_graph(text, Path("words.yaml"), settings), settings)
    assert "speech_ended" in {event["event"] for event in whole.events}


@pytest.mark.parametrize("engine", ["soxr-hq", "soxr-qq"])
def test_detectors_that_get_their_audio_at_different_times(talk: Path, engine: str) -> None:
    settings = load_settings(None, vad_backend="webrtc", mock_reply="tone:1.5")
    text = load_graph("two-vads", settings).text.replace("rate: 16000", f"rate: 16000, engine: {engine}")
    assert engine in text
    assert_same(talk, read_graph(text, Path("two.yaml"), settings), settings)


def test_of_another_channel(tmp_path: Path) -> None:
    pcm = b"".join(a + b for a, b in zip(samples(silence(5.0)), samples(TALK), strict=False))
    write_wav(tmp_path / "stereo.wav", pcm, 48_000, channels=2)
    settings = load_settings(None, vad_backend="webrtc", mock_reply="tone:1.5")
    assert assert_same(tmp_path / "stereo.wav", load_graph("default", settings), settings, channel=1).events
    silent = assert_same(tmp_path / "stereo.wav", load_graph("default", settings), settings, channel=0)
    assert "channel 0 is silent" in silent.problems[0]


def samples(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + 2] for at in range(0, len(pcm), 2)]


def test_the_frames_are_those_of_a_replay(tmp_path: Path) -> None:
    """Also those that the default graph hears through its echo canceller, while the bot speaks."""
    talk = tmp_path / "words.wav"
    write_wav(talk, WORDS, 48_000)
    settings = load_settings(None, vad_backend="confirm", mock_reply="tone:3")
    graph = load_graph("default", settings)
    part = split(graph)
    assert part is not None
    heard = HeardRecording(talk, 0, settings, None).heard(part.section)
    frames = [value for _, value in heard.values if isinstance(value, Voiced)]
    frames += [value for value in heard.tail if isinstance(value, Voiced)]
    whole = replay(talk, graph, settings)
    assert any(event["event"] == "barge_in" for event in whole.events)
    assert [each.voiced for each in frames] == whole.voiced
    assert [each.probability for each in frames] == whole.likely
    assert [each.frame.t_us for each in frames] == whole.arrived_us


def test_an_operator_that_fails_ends_the_sweep_as_it_ends_a_replay(talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(None, vad_backend="webrtc")
    graph = load_graph("default", settings)
    part = split(graph)
    assert part is not None

    def broken(*_: object) -> None:
        raise ZeroDivisionError("in a detector")

    monkeypatch.setattr("webapi.voice_node.vad.VoiceActivityDetector.is_speech", broken)
    for run in (
        lambda: replay(talk, graph, settings),
        lambda: HeardRecording(talk, 0, settings, None).heard(part.section),
    ):
        with pytest.raises(ZeroDivisionError, match="in a detector"):
            run()


# ---------------------------------------------------------------- sweeps

SETTINGS = load_settings(None, vad_backend="webrtc", mock_reply="tone:1.5")


def load(point: Mapping[str, str]) -> Settings:
    return load_settings(
        None, **{"vad_backend": "webrtc", "mock_reply": "tone:1.5", **{k.lower(): v for k, v in point.items()}}
    )


def swept(path: Path, *grid: str, jobs: int = 1, keep: bool = True) -> SweepResult:
    return sweep(find_corpus([str(path)], None), cells(grid, [], load), jobs, keep=keep)


DECISIONS = ("VAD_SPEECH_START_FRAMES=4,6", "VAD_SPEECH_END_FRAMES=8,20", "MOCK_THINK_MS=50,400")


def test_what_comes_after_the_hearing_is_swept_over_one_hearing(talk: Path) -> None:
    found = swept(talk, *DECISIONS, keep=False)
    assert (len(found.rows), found.heard) == (8, 2)  # frames, and what the detector said of them


def test_what_the_hearing_follows_from_is_heard_anew_and_its_beginning_is_not(talk: Path) -> None:
    assert swept(talk, "VAD_BACKEND=webrtc,silero", *DECISIONS, keep=False).heard == 3
    assert swept(talk, "VAD_BACKEND=webrtc,silero", "AUDIO_TARGET_RATE=8000,16000", keep=False).heard == 6
    assert swept(talk, "VOICE_GRAPH=default,cough,vad-only,patient", keep=False).heard == 2
    assert swept(talk, "ECHO_CANCEL=needed,never", keep=False).heard == 2


def test_the_next_sweep_finds_it_on_disk(talk: Path, own_cache: Path) -> None:
    first = swept(talk, *DECISIONS)
    assert len(list(own_cache.iterdir())) == 1
    again = swept(talk, *DECISIONS)
    assert (first.heard, again.heard) == (2, 1)  # frames are not on disk: no audio is
    assert again.rows == first.rows
    assert swept(talk, *DECISIONS, keep=False).heard == 2
    assert swept(talk, "VAD_BACKEND=silero", *DECISIONS).heard == 2
    assert swept(talk, "VAD_BACKEND=silero,webrtc", *DECISIONS).heard == 1


def test_another_version_of_the_code_does_not_find_it(talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = swept(talk, *DECISIONS)
    monkeypatch.setattr(hearing, "hearing_versions", lambda: "another")
    again = swept(talk, *DECISIONS)
    assert (again.heard, again.rows) == (2, first.rows)


def test_another_recording_of_the_same_name_does_not_find_it(talk: Path) -> None:
    swept(talk, *DECISIONS)
    write_wav(talk, TALK[96_000:], 48_000)
    changed = swept(talk, *DECISIONS)
    assert changed.heard == 2
    assert changed.rows == swept(talk, *DECISIONS, keep=False).rows


@pytest.mark.parametrize("damage", [lambda whole: whole[:-7], lambda whole: b"", lambda whole: whole[:80] + whole[81:]])
def test_a_damaged_file_is_ignored_and_written_anew(talk: Path, own_cache: Path, damage: Any) -> None:
    first = swept(talk, *DECISIONS)
    (file,) = own_cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    again = swept(talk, *DECISIONS)
    assert (again.heard, again.rows, again.problems) == (2, first.rows, [])
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_a_line(talk: Path, own_cache: Path) -> None:
    own_cache.parent.parent.write_text("a file where the folder would be")
    found = swept(talk, *DECISIONS)
    assert [f"{own_cache}: can't be written" in problem for problem in found.problems] == [True]
    assert (found.failed, found.rows) == (False, swept(talk, *DECISIONS, keep=False).rows)


def test_the_rows_are_those_of_whole_replays(talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wav(tmp_path / "words.wav", WORDS, 48_000)
    (tmp_path / "words.txt").write_text("0.4\t1.8\n3.0\t6.3\n")
    grid = ("VAD_BACKEND=webrtc,confirm", *DECISIONS, "ECHO_CANCEL=needed,always")
    shared = sweep(find_corpus([str(tmp_path)], None), cells(grid, [], load), 1)
    monkeypatch.setattr("webapi.voice_node.replay.sweep.run.split", lambda graph: None)
    whole = sweep(find_corpus([str(tmp_path)], None), cells(grid, [], load), 1)
    assert (shared.rows, shared.problems) == (whole.rows, whole.problems)
    assert (shared.heard, whole.heard) == (2 * 3, 0)
    assert any(row["barge_ins"] for row in shared.rows)


def test_a_long_recording_is_split_over_processes_and_gives_the_same(talk: Path) -> None:
    one, two = swept(talk, *DECISIONS), swept(talk, *DECISIONS, jobs=2, keep=False)
    assert (one.rows, one.problems) == (two.rows, two.problems)
    assert two.heard == 4  # each process heard it


def test_a_recording_that_cannot_be_read_is_told_once_and_the_others_count(talk: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("hello")
    found = swept(tmp_path, *DECISIONS)
    assert found.failed
    assert [problem.count("bad.wav: not a WAV file") for problem in found.problems] == [1]
    assert [row["recordings"] for row in found.rows] == [1] * 8


def test_a_cell_that_fails_fails_alone(talk: Path) -> None:
    corpus = [Recording(talk, 8.0, None)]
    good, bad = cells(["MOCK_THINK_MS=50,60"], [], load)
    polls = load_settings(None, vad_backend="webrtc", orchestrator=f"{__name__}:Polls")
    bad = Cell(bad.values, polls, load_graph("default", polls))
    found = sweep(corpus, [bad, good], 1)
    assert (found.failed, len(found.problems)) == (True, 1)
    assert [row["recordings"] for row in found.rows] == [0, 1]
    assert found.rows[1] == sweep(corpus, [good], 1).rows[0]
