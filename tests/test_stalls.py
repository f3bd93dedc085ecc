"""A node that stood still shows it: times are when the audio arrived, and a flush when it was done."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.fake_room import FakeRoom
from tests.orchestrators import StopsSlowly
from tests.speech import vowel
from tests.stage import CHUNK_BYTES, RATE_HZ, Ear, play
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.events import Event
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.inputs import SpeakerActed
from webapi.voice_node.pipeline import Session
from webapi.voice_node.recording.recorded_call import read_call
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges

RULE_MS = 100  # from the first of six voiced frames to the sixth
FRAME_MS = 20
Script = list[tuple[str, float]]


def talk_over(*stall: tuple[str, float]) -> Script:
    """An utterance, and one over the reply to it; `stall` comes just as that begins."""
    return [("speech", 0.5), ("quiet", 1.0), *stall, ("speech", 1.0), ("quiet", 2.0)]


@pytest.mark.parametrize("ms", [0, 40, 100, 110, 300, 450])
@pytest.mark.parametrize("graph", ["default", "cough"])
def test_barge_in_stop_ms_is_from_the_arrival_of_the_voice_to_the_flush(ms: int, graph: str) -> None:
    played = play(talk_over(("stall", ms / 1000)), graph=graph, mock_reply="tone:8")
    assert not played.failures
    (line,) = (line for line in played.lines if line["barge_in"])
    assert line["barge_in_stop_ms"] == max(RULE_MS, ms - FRAME_MS)


@pytest.mark.parametrize("ms", [100, 300, 450])
def test_t1_and_t2_are_when_the_audio_arrived(ms: int) -> None:
    stall, speech, quiet = ("stall", ms / 1000), ("speech", 0.5), ("quiet", 4.0)
    (calm,), (at_start,), (at_end,) = (
        play([("quiet", 0.5), *script], mock_reply="tone:1").lines
        for script in ([speech, quiet], [stall, speech, quiet], [speech, stall, quiet])
    )
    for name in ("t1_first_user_audio", "t2_speech_ended"):
        assert at_start[name] == at_end[name] == calm[name]
    waited = "latency_speech_end_to_first_bot_chunk_ms"
    end_ms = (calm["t2_speech_ended"] - 1.0) * 1000  # from the caller's last sample to the end of speech
    assert at_end[waited] - calm[waited] == pytest.approx(max(0.0, ms - end_ms), abs=0.001)
    assert at_start[waited] == calm[waited]


def test_what_was_heard_is_what_played_until_the_flush() -> None:
    played = play(talk_over(("stall", 0.3)), mock_reply="tone:8")
    (started, *_), (ended, *_) = played.of("playback_started"), played.of("playback_ended")
    assert ended.heard_ms * 1000 == pytest.approx(ended.t_us - started.t_us, abs=1000)
    assert played.ear.clears[0] == ended.t_us == 1_800_000
    (barge_in,) = played.of("barge_in")
    assert barge_in.t_us < ended.t_us  # the one is when the voice arrived, the other when the bot fell silent


def test_a_reply_that_goes_on_after_a_stall_is_heard_once_and_whole() -> None:
    script = [("speech", 0.5), ("quiet", 1.0), ("speech", 0.2), ("stall", 0.4), ("quiet", 6.0)]
    played = play(script, graph="cough", mock_reply="tone:3")
    assert [each.t_us for each in played.of("playback_resumed")] == [2_100_000]
    (ended,) = played.of("playback_ended")
    assert (ended.heard_ms, ended.completed) == (3000, True)
    assert len(played.ear.heard(0, 20)) >= 3 * 96_000


def test_an_orchestrator_that_is_slow_to_stop_shows_in_the_stop() -> None:
    asked = f"{StopsSlowly.__module__}:{StopsSlowly.__qualname__}"
    played = play(talk_over(), orchestrator=asked)
    assert played.lines[0]["barge_in_stop_ms"] == RULE_MS + StopsSlowly.MS


# ---------------------------------------------------------------- in a room


def in_a_room(monkeypatch: pytest.MonkeyPatch, stall_s: float) -> dict[str, Any]:
    """The line of a turn that is talked over, with the loop standing still as the voice begins."""
    settings = load_settings(None, vad_backend="webrtc", mock_think_ms=20, mock_reply="tone:8", echo_cancel="never")

    async def main() -> dict[str, Any]:
        async with FakeRoom(load_graph("default", settings), settings, monkeypatch) as room:
            room.join("alice")
            await asyncio.sleep(0.5)
            await room.say(0.5)
            await room.until("playback_started")
            await asyncio.sleep(0.5)
            await room.say(1.0, stall_s=stall_s)
            await room.until("turn")
        return room.lines[0]

    return run_virtual(main())


def test_in_a_room_a_loop_that_stood_still_shows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_a_room(monkeypatch, 0.0)["barge_in_stop_ms"] == RULE_MS
    for ms in (300, 450):
        assert in_a_room(monkeypatch, ms / 1000)["barge_in_stop_ms"] == pytest.approx(ms - FRAME_MS, abs=FRAME_MS)


def test_what_waited_for_a_session_has_the_time_at_which_it_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(None, vad_backend="webrtc", mock_think_ms=20, mock_reply="tone:1")

    async def main() -> None:
        async with FakeRoom(load_graph("default", settings), settings, monkeypatch) as room:
            room.join("alice")
            await asyncio.sleep(0.1)
            room.calls[0].broke(RuntimeError("as it happens"))  # another one is made a second after the first was
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            since_s = room.loop.time()
            await room.say(0.5, wait_s=4.0)
        (line,) = room.lines
        assert len(room.calls) == 2
        assert line["t1_first_user_audio"] == pytest.approx(since_s, abs=0.05)
        assert line["t2_speech_ended"] == pytest.approx(since_s + 0.75, abs=0.1)
        assert line["t3_logic_start"] >= room.made_at_s[1]
        assert room.made_at_s[1] > line["t2_speech_ended"]
        assert all(message["t"] >= 0 for message in room.messages.sent if "t" in message)

    run_virtual(main())


def test_what_is_given_after_a_gap_did_not_arrive_before_it() -> None:
    """The caller muted and unmuted while the node stood still: it is told of that before it reads what has waited."""
    settings, voice = load_settings(), vowel(0.5)
    events: list[Event] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        session = Session(
            load_graph("default", settings), settings=settings, sink=Ear(loop), clock=loop.clock_us, session_id="s",
            room="demo", taps=[events.append], on_failure=lambda error: pytest.fail(str(error)),
        )  # fmt: skip
        for half in (0, 500_000):
            loop.now_us = half + 500_000
            for at in range(0, len(voice), CHUNK_BYTES):
                session.hear(voice[at : at + CHUNK_BYTES], RATE_HZ, t_us=at * 1_000_000 // (2 * RATE_HZ))
            session.lost("muted")
        await session.close()

    run_virtual(main())
    told = [(event.name, event.t_us) for event in events if event.name.startswith("speech")]
    assert told == [
        ("speech_started", 120_000 - 10_000),
        ("speech_ended", 500_000),
        ("speech_started", 500_000),
        ("speech_ended", 1_000_000),
    ]


# ---------------------------------------------------------------- on disk


def test_a_recording_says_when_the_speaker_acted_and_one_that_does_not_is_replayed_with_the_stamps_of_the_causes(
    tmp_path: Path,
) -> None:
    played = play(talk_over(("stall", 0.3)), record=tmp_path / "call", mock_reply="tone:8")
    flushed, cut = (next(e.t_us for e in played.events if e.name == name) for name in ("playback_ended", "reply_cut"))
    acts = [given for given in read_call(tmp_path / "call").inputs() if isinstance(given, SpeakerActed)]
    assert acts[0] == SpeakerActed(flushed, cut)
    assert flushed - cut > 100_000
    inputs = tmp_path / "call" / "inputs.jsonl"
    lines = inputs.read_text().splitlines(keepends=True)
    inputs.write_text("".join(line for line in lines if "speaker_acted" not in line))
    old = replay_call(tmp_path / "call").events
    stamps = [event["t"] for event in old if event["event"] in ("reply_cut", "playback_ended")][:2]
    assert stamps == [stamps[0]] * 2


def test_a_replay_gives_what_was_told_before_the_callers_audio_was_read_before_it(tmp_path: Path) -> None:
    """The reply begins when the stall is over, and only then the voice is read that arrived during it."""
    script = [("speech", 0.5), ("quiet", 0.3), ("stall", 0.31), ("speech", 0.6), ("quiet", 3.0)]
    played = play(script, record=tmp_path / "call", orchestrator="tests.orchestrators:Noted")
    (barge_in,), (started, *_) = played.of("barge_in"), played.of("playback_started")
    assert barge_in.t_us < started.t_us
    without_effect = ReplayChanges(settings={"publish_track_name": "another"})
    assert replay_call(tmp_path / "call", changes=without_effect).diverged is None
    assert replay_call(tmp_path / "call").metrics == played.lines
