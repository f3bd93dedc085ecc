"""The same input gives the same bytes: again, in another process, from other pieces, whatever the machine is set to."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.speech import chatter, silence, vowel
from tests.stage import play
from webapi.voice_node.audio import wav
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.cli.replay_files import replay_files
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.events import Event, SpeechEnded, record
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.metrics import Metrics
from webapi.voice_node.pipeline import Session
from webapi.voice_node.replay.sinks import ReplaySink

ROOT = Path(__file__).parents[2]
FILES = ("events.jsonl", "metrics.jsonl", "marbles.txt", "mix.wav")
TALK = silence(0.4) + vowel(0.8) + silence(0.9) + vowel(0.6) + silence(0.3) + vowel(0.3) + silence(2.0)
CALM = silence(0.4) + vowel(0.8) + silence(0.9) + vowel(0.6) + silence(2.0)  # nothing is decided by a hair's breadth
BACKENDS = ("webrtc", "silero", "confirm")
WORDS = silence(0.4) + chatter(1.4) + silence(1.2) + chatter(1.0) + silence(0.3) + chatter(1.0) + silence(2.0)  # to all


@pytest.fixture
def recordings(tmp_path: Path) -> dict[str, Path]:
    """A WAV at 44.1 kHz, and a recorded call."""
    write_wav(tmp_path / "talk.wav", TALK, 44_100)
    play([("quiet", 0.3), ("speech", 0.6), ("quiet", 0.6), ("speech", 0.5), ("quiet", 2)], record=tmp_path / "call")
    return {"wav": tmp_path / "talk.wav", "call": tmp_path / "call"}


def outcome(path: Path, out: Path, backend: str = "webrtc") -> dict[str, bytes]:
    """What a replay writes, in this process."""
    settings = load_settings(None, mock_reply="tone:1", vad_backend=backend)
    said: list[str] = []
    code = replay_files(
        [path], load_graph("default", settings), settings,
        out=out, expect=None, update=False, print_line=said.append, print_error=said.append, jobs=1,
    )  # fmt: skip
    assert code == 0, said
    return {name: (out / name).read_bytes() for name in FILES}


def outcome_elsewhere(path: Path, out: Path, backend: str = "webrtc", **environment: str) -> dict[str, bytes]:
    """What the command writes, in a process of its own with a chance of its own."""
    command = [sys.executable, "-m", "webapi.voice_node.main", "replay", str(path), "--out", str(out)]
    command += ["--set", "MOCK_REPLY=tone:1", "--set", f"VAD_BACKEND={backend}"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, check=True)
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("kind", ["wav", "call"])
def test_ten_runs(recordings: dict[str, Path], tmp_path: Path, kind: str) -> None:
    runs = [outcome(recordings[kind], tmp_path / f"{i}") for i in range(10)]
    assert all(run == runs[0] for run in runs)
    assert b"barge_in" in runs[0]["events.jsonl"]
    assert all(runs[0].values())


@pytest.mark.parametrize("kind", ["wav", "call"])
def test_two_processes_with_other_hashes_zones_and_languages(
    recordings: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    here = outcome(recordings[kind], tmp_path / "here")
    assert outcome_elsewhere(recordings[kind], tmp_path / "a", PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C") == here
    assert (
        outcome_elsewhere(recordings[kind], tmp_path / "b", PYTHONHASHSEED="2", TZ="Asia/Tokyo", PYTHONOPTIMIZE="1")
        == here
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_detector_hears_the_same_again_and_in_another_process(tmp_path: Path, backend: str) -> None:
    write_wav(tmp_path / "words.wav", WORDS, 48_000)
    first = outcome(tmp_path / "words.wav", tmp_path / "a", backend)
    assert outcome(tmp_path / "words.wav", tmp_path / "b", backend) == first
    assert outcome_elsewhere(tmp_path / "words.wav", tmp_path / "c", backend) == first
    assert first["events.jsonl"].count(b'"speech_ended"') >= 2


@pytest.mark.parametrize("block", [1, 441, 1000, 1_000_000])
def test_a_file_that_is_read_in_other_pieces(
    recordings: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    before = outcome(recordings["wav"], tmp_path / "before")
    monkeypatch.setattr(wav, "BLOCK_FRAMES", block)
    assert outcome(recordings["wav"], tmp_path / "after") == before


class NoOthersLoop(asyncio.DefaultEventLoopPolicy):
    """Stands for whatever makes loops of its own kind, as uvloop does."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Must not be asked."""
        raise AssertionError("a replay asked for somebody else's event loop")


@pytest.fixture
def others_loops() -> Iterator[None]:
    """As if uvloop were installed for all of the process."""
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(NoOthersLoop())
    yield
    asyncio.set_event_loop_policy(before)


@pytest.mark.parametrize("kind", ["wav", "call"])
def test_the_loop_is_the_replays_own_whatever_loops_are_installed(
    recordings: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    before = outcome(recordings[kind], tmp_path / "before")
    request.getfixturevalue("others_loops")
    with pytest.raises(AssertionError, match="somebody else's"):
        asyncio.new_event_loop()
    assert outcome(recordings[kind], tmp_path / "after") == before


@pytest.mark.parametrize("speech_s", [0.5, 0.51, 0.59])
def test_audio_that_is_resampled_a_window_at_a_time_or_as_it_comes(speech_s: float) -> None:
    script = [("quiet", 0.3), ("speech", speech_s), ("gap", 1.0), ("speech", speech_s), ("quiet", 0.3), ("gap", 0.5)]
    text = load_graph("default", load_settings(None)).text
    apart = text.replace("      - window:", "  windows:\n    from: frames\n    through:\n      - window:")
    apart = apart.replace("from: frames\n    through:\n      - vad:", "from: windows\n    through:\n      - vad:")
    assert "from: windows" in apart
    together, alone = (play([*script, *script], graph_text=each, vad_backend="webrtc") for each in (text, apart))
    assert together.events == alone.events
    assert together.lines == alone.lines
    assert together.marbles().count("E") >= 2


# ---------------------------------------------------------------- a session, fed in other pieces


def heard(
    chunk_ms: float, talk: bytes = TALK, graph: str = "default", think_ms: int = 120, backend: str = "webrtc"
) -> tuple[list[str], list[str], list[bytes], bytes]:
    """Events, metrics, utterances and what was played, of a session that hears `talk` in chunks of that length."""
    settings = load_settings(None, mock_reply="tone:1", vad_backend=backend, mock_think_ms=think_ms)
    size = round(48 * chunk_ms) * 2

    async def main() -> tuple[list[str], list[str], list[bytes], bytes]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        sink = ReplaySink(loop)
        events: list[Event] = []
        failures: list[Exception] = []
        lines: list[str] = []
        metrics = Metrics("s", "r", "default", lambda line: lines.append(json.dumps(line)))
        session = Session(
            load_graph(graph, settings), settings=settings, sink=sink, clock=loop.clock_us, session_id="s",
            room="r", taps=[events.append, metrics], on_failure=failures.append,
        )  # fmt: skip
        for at in range(0, len(talk), size):
            pcm = talk[at : at + size]
            await loop.until((at + len(pcm)) * 1_000_000 // 96_000)
            session.hear(pcm, 48_000)
        await loop.until(len(talk) * 1_000_000 // 96_000 + 2_000_000)
        await session.close()
        metrics.close()
        assert failures == []
        utterances = [event.pcm for event in events if isinstance(event, SpeechEnded)]
        return [json.dumps(record(event, 0)) for event in events], lines, utterances, sink.played(96_000 * 8)

    return run_virtual(main())


@pytest.mark.parametrize("chunk_ms", [1, 2.5, 20])
def test_chunks_that_frames_are_made_of_or_that_make_a_frame_give_the_same_bytes(chunk_ms: float) -> None:
    assert heard(chunk_ms) == heard(10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_detector_hears_the_same_in_other_chunks(backend: str) -> None:
    usual = heard(10, WORDS, backend=backend)
    assert heard(20, WORDS, backend=backend) == usual
    events, _, utterances, _ = heard(100, WORDS, "vad-only", backend=backend)
    frames = [(e["event"], e["frame"]) for e in map(json.loads, events) if "frame" in e]
    plain, _, as_usual, _ = heard(10, WORDS, "vad-only", backend=backend)
    assert frames == [(e["event"], e["frame"]) for e in map(json.loads, plain) if "frame" in e]
    assert utterances == as_usual
    assert len(utterances) >= 2


@pytest.mark.parametrize("chunk_ms", [1, 20])
def test_what_the_bot_says_of_its_own_accord_comes_at_the_same_moment_too(chunk_ms: float) -> None:
    def run(ms: float) -> tuple[list[str], list[str], list[bytes], bytes]:
        return heard(ms, silence(3) + TALK + silence(10), "conversation", 1000)

    assert run(chunk_ms) == run(10)
    names = [json.loads(event)["event"] for event in run(chunk_ms)[0]]
    assert (names.count("prompted"), names.count("filler_started")) == (2, 1)


@pytest.mark.parametrize("chunk_ms", [30, 40, 50, 100])
@pytest.mark.parametrize("graph", ["default", "conversation"])
def test_longer_chunks_come_later_and_hold_the_same(chunk_ms: float, graph: str) -> None:
    events, _, utterances, _ = heard(chunk_ms, CALM, graph)
    usual, _, as_usual, _ = heard(10, CALM, graph)
    assert utterances == as_usual
    for late, exact in zip(map(json.loads, events), map(json.loads, usual), strict=True):
        for name in ("event", "turn_index", "trace_id", "frame", "voiced_ms", "reason", "outcome", "prompt"):
            assert late.get(name) == exact.get(name)
        assert 0 <= round(late["t"] - exact["t"], 6) < chunk_ms / 1000
