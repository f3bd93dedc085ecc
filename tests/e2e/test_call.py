"""Whole calls with the node as its users run it: talk, hear the reply, talk over it; and what is written about it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import signal
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from livekit import api
from numpy.typing import NDArray

from tests.e2e.caller import LOUD, RATE_HZ, Caller
from tests.e2e.node import Node
from tests.e2e.output_checks import check_line, check_log
from tests.e2e.process import NodeProcess
from tests.e2e.retries import Retries
from tests.e2e.rooms import caller, run, server_api
from tests.orchestrators import Noted
from tests.speech import chatter, silence, vowel
from webapi.voice_node.pipeline import Session

pytestmark = pytest.mark.e2e

TONE_HZ = 440  # of MOCK_REPLY=tone:…
UNSURE_MS = 150  # of audio, not of time: what the way through the room stretches; a queue left full has 200 at least
TURNS = 20
BOT = "ingobot"


async def quiet(alice: Caller) -> None:
    """Nobody talks, and every turn that began is over."""

    def open_turns() -> set[str]:
        begun = {e["trace_id"] for e in alice.events if e["event"] == "speech_started"}
        return begun - {e["trace_id"] for e in alice.events if e["event"] == "turn"}

    await alice.wait_for(lambda: not open_turns(), "the end of the turns before")
    await alice.wait_for_silence(0.2)


async def answered(alice: Caller, said: bytes) -> str:
    """Say it and hear the bot; the turn's trace_id."""
    told = len(alice.events)
    await alice.say(said + silence(0.4))
    ended = await alice.wait_for_event("speech_ended", after=told)
    began_s = time.monotonic()
    await alice.wait_for_event("playback_started", after=told, trace_id=ended["trace_id"])
    await alice.wait_for_sound(since_s=began_s)
    return str(ended["trace_id"])


def pitch_hz(pcm: bytes) -> float:
    """The strongest frequency of 48 kHz PCM."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(samples)))) * RATE_HZ / len(samples)


def envelope(pcm: bytes) -> NDArray[np.float64]:
    """The loudness of 48 kHz PCM, each 20 ms."""
    size = RATE_HZ // 50
    samples = np.frombuffer(pcm, "<i2").astype(float)
    loudness: NDArray[np.float64] = np.sqrt(np.mean(samples[: len(samples) // size * size].reshape(-1, size) ** 2, 1))
    return loudness


def likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The correlation of two envelopes where they fit best, up to 1."""
    matches = np.correlate(other, one, "full")
    return float(np.max(matches) / (np.linalg.norm(one) * np.linalg.norm(other)))


# ---------------------------------------------------------------- a call


def test_a_caller_talks_hears_the_reply_and_talks_over_it(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    async def scenario() -> None:
        async with NodeProcess(tmp_path, livekit_url, room, MOCK_REPLY="tone:6") as node:
            async with caller(livekit_url, room) as alice:
                await alice.wait_for_event("listening_to", identity="alice")

                async def talked_over() -> tuple[str, str]:
                    await quiet(alice)
                    told, heard = len(alice.events), len(alice.heard)
                    first = await answered(alice, vowel(0.8))
                    tone = await alice.wait_for(lambda: heard_tone(alice), "half a second of the tone")
                    assert abs(pitch_hz(tone) - TONE_HZ) < 10
                    await alice.say(vowel(1.2), wait=False)
                    barge_in = await alice.wait_for_event("barge_in", after=told)
                    assert barge_in["trace_id"] == first
                    await alice.wait_for_silence(0.3)
                    turn = await alice.wait_for_event("turn", trace_id=first)
                    loud_ms = 10 * sum(h.rms > LOUD for h in alice.heard[heard:])
                    assert abs(loud_ms - turn["heard_ms"]) < UNSURE_MS, "more or less was heard than the node says"
                    return first, barge_in["by"]

                async def heard_out() -> tuple[str, str]:
                    first, second = await retries.run("talking over", talked_over)
                    turn = await alice.wait_for_event("turn", trace_id=second)
                    assert turn["outcome"] == "completed"
                    return first, second

                first, second = await retries.run("a call with a barge-in", heard_out)
            assert await node.stop() == 0
            lines = {line["trace_id"]: line for line in node.metrics}
            for line in lines.values():
                check_line(line, room)
            assert [line["turn_index"] for line in node.metrics] == list(range(len(lines)))
            cut, whole = lines[first], lines[second]
            assert cut["outcome"] == "barged_in"
            assert 0 < cut["heard_ms"] < 6000
            assert whole["outcome"] == "completed"
            assert whole["t4_llm_request_done"] is not None
            assert whole["heard_ms"] == pytest.approx(6000, abs=20)
            assert [e for e in alice.events if e["event"] == "turn"] == [
                {"event": "turn", **{name: value for name, value in line.items() if name != "node"}}
                for line in node.metrics
            ]
            check_log(node.log, alice.events, room)
            assert "Traceback" not in node.err

    run(scenario())


def heard_tone(alice: Caller) -> bytes:
    """The last half second of the bot, once all of it is loud."""
    recent = alice.heard[-50:]
    return b"".join(h.pcm for h in recent) if len(recent) == 50 and all(h.rms > LOUD for h in recent) else b""


def test_an_echo_sounds_like_what_was_said(livekit_url: str, room: str, tmp_path: Path, retries: Retries) -> None:
    pause = silence(0.12)  # shorter than what ends an utterance
    words = vowel(0.5) + pause + vowel(0.16) + pause + vowel(0.24) + pause + vowel(0.6)

    async def scenario() -> None:
        async with (
            NodeProcess(tmp_path, livekit_url, room, MOCK_REPLY="echo") as node,
            caller(livekit_url, room) as alice,
        ):
            await alice.wait_for_event("listening_to", identity="alice")

            async def echoed() -> str:
                await quiet(alice)
                told, heard = len(alice.events), len(alice.heard)
                trace_id = await answered(alice, words)
                turn = await alice.wait_for_event("turn", after=told, trace_id=trace_id)
                await alice.wait_for_silence(0.3)
                echo = envelope(b"".join(h.pcm for h in alice.heard[heard:]))
                said = envelope(words)
                loud, meant = np.count_nonzero(echo > LOUD), np.count_nonzero(said > LOUD)
                assert likeness(said, echo) > 0.9
                assert abs(loud - meant) <= 0.15 * meant
                assert turn["outcome"] == "completed"
                assert turn["heard_ms"] >= len(words) // 2 * 1000 // RATE_HZ  # the pre-roll and the last pause too
                return trace_id

            check_line(await node.metrics_of(await retries.run("an echo", echoed)), room)

    run(scenario())


def test_a_vad_that_is_not_installed_is_replaced_with_one_warning(livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with NodeProcess(tmp_path, livekit_url, room, VAD_BACKEND="sierra") as node:
            for identity in ("alice", "bob"):
                async with caller(livekit_url, room, identity) as somebody:
                    await somebody.wait_for_event("listening_to", identity=identity)
                    await somebody.say(chatter(8.0) + silence(1.0), wait=False)
                    await somebody.wait_for_event("turn", outcome="completed")  # whatever Silero makes of chatter
        assert node.err.count("sierra") == 1
        (warning,) = node.logged("vad_fallback")
        assert warning["level"] == "WARNING"
        assert "confirm" in warning["message"]

    run(scenario())


# ---------------------------------------------------------------- many turns


def test_twenty_barge_ins_in_a_row_miss_nothing_and_leave_nothing_behind(
    livekit_url: str, room: str, retries: Retries
) -> None:
    """In this process, where tasks and objects can be counted; each utterance talks over the reply to the last."""
    alive: weakref.WeakSet[Session] = weakref.WeakSet()

    async def scenario() -> None:
        async with Node(livekit_url, room, orchestrator="tests.orchestrators:Noted") as node:
            async with caller(livekit_url, room) as alice:
                await alice.wait_for_event("listening_to", identity="alice")
                alive.update(o for o in gc.get_objects() if isinstance(o, Session) and o.context.room == room)
                assert len(alive) == 1

                async def one_more() -> tuple[str, str]:
                    played = [e for e in alice.events if e["event"] in ("playback_started", "playback_ended")]
                    if not played or played[-1]["event"] == "playback_ended":
                        await answered(alice, vowel(0.4))
                    told = len(alice.events)
                    answer = await answered(alice, vowel(0.4))
                    barge_in = await alice.wait_for_event("barge_in", after=told)
                    assert barge_in["by"] == answer
                    return str(barge_in["trace_id"]), answer

                pairs = [await retries.run(f"barge-in {turn}", one_more) for turn in range(TURNS)]
                retaken = retries.count
                calls = Noted.last.calls
            await node.until(lambda: node.logged("call_ended"))
        cut = {trace_id for trace_id, _ in pairs}
        assert len(cut) == TURNS
        assert all(one[1] == other[0] for one, other in itertools.pairwise(pairs)) or retaken
        lines = {line["trace_id"]: line for line in node.lines}
        for line in lines.values():
            check_line(line, room)
        assert [lines[trace_id]["outcome"] for trace_id, _ in pairs] == ["barged_in"] * TURNS
        assert len(lines) == TURNS + 1 or retaken

        asked = sorted(trace_id for call, trace_id in calls if call == "get_audio_reply")
        assert sorted(lines) == asked or retaken
        assert sorted(trace_id for call, trace_id in calls if call == "reply_closed") == asked
        assert cut <= {trace_id for call, trace_id in calls if call == "on_barge_in_detected"}
        assert not node.logged("session_broke")
        node.calls.clear()
        del Noted.last
        gc.collect()
        assert not alive  # no subscription, timer or callback holds the session; `run` looks for tasks

    run(scenario())


# ---------------------------------------------------------------- the end


async def people_in(url: str, room: str) -> set[str]:
    """Who is in the room, as the server says it."""
    async with server_api(url) as server:
        there = await server.room.list_participants(api.ListParticipantsRequest(room=room))
        return {participant.identity for participant in there.participants}


def test_a_sigterm_in_the_middle_of_a_reply_closes_the_turn_and_leaves_the_room(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    async def scenario() -> None:
        async with (
            NodeProcess(tmp_path, livekit_url, room, MOCK_REPLY="tone:600") as node,
            caller(livekit_url, room) as alice,
        ):
            await alice.wait_for_event("listening_to", identity="alice")
            trace_id = await retries.run("a reply", lambda: answered(alice, vowel(0.6)))
            assert await people_in(livekit_url, room) == {"alice", BOT}
            assert await node.stop() == 0
            assert (await alice.wait_for_event("turn", trace_id=trace_id))["outcome"] == "closed"
            assert await people_in(livekit_url, room) == {"alice"}
            line = node.metrics[-1]
            check_line(line, room)
            assert (line["trace_id"], line["outcome"]) == (trace_id, "closed")
            assert line["playback_cancelled"]
            assert node.logged("leave")

    run(scenario())


BLOCKS = """
import time
from webapi.voice_node.orchestrator_mock import MockOrchestrator

class Blocks(MockOrchestrator):
    def on_speech_started(self, trace_id, ts_monotonic):
        open("blocked", "w").close()
        time.sleep(60)
"""


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGTERM], 1),  # the watchdog's
        ([signal.SIGINT, signal.SIGINT], 130),  # who asks again, after a second, does not wait
    ],
)
def test_an_orchestrator_that_blocks_the_node_can_not_keep_it(
    livekit_url: str, room: str, tmp_path: Path, signals: list[signal.Signals], code: int
) -> None:
    (tmp_path / "brain.py").write_text(BLOCKS)

    async def scenario() -> None:
        async with (
            NodeProcess(tmp_path, livekit_url, room, ORCHESTRATOR="brain:Blocks") as node,
            caller(livekit_url, room) as alice,
        ):
            await alice.wait_for_event("listening_to", identity="alice")
            await alice.say(vowel(3), wait=False)
            await node.until((tmp_path / "blocked").exists, "the node blocked")
            node.send(signals[0])
            await node.until(lambda: "Closing" in node.err, "the signal heard")
            while signals[1:] and node.running:  # all that come within a second are one request
                node.send(signals[1])
                await asyncio.sleep(0.05)
            assert await node.ended() == code
            assert "Traceback" not in node.err
            if code == 1:
                assert "did not end within" in node.err

    run(scenario())
