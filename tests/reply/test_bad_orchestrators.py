"""An orchestrator costs its own turn and nothing more, whatever it raises and however it hangs."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import pytest

from tests.reply import bad_orchestrators as bad
from tests.stage import Played, play
from webapi.voice_node.errors import UserError
from webapi.voice_node.orchestrator import find_orchestrator
from webapi.voice_node.orchestrator_mock import tone

ONE_TURN = [("quiet", 0.5), ("speech", 1.0), ("quiet", 3.0)]
TALK_OVER = [*ONE_TURN[:2], ("quiet", 1.0), ("speech", 1.0), ("quiet", 3.0), ("speech", 1.0), ("quiet", 4.0)]
HERE = "tests.reply.test_bad_orchestrators"
Made: type = bad.Fine  # what `play_with` names as the orchestrator


def play_with(made: type, script: list[tuple[str, float]] = TALK_OVER, **settings: Any) -> Played:
    """A call that is answered by `made`."""
    globals()["Made"] = made
    return play(script, orchestrator=f"{HERE}:Made", **{"reply_timeout_ms": 2000, **settings})


def assert_others_unharmed(played: Played, first: str) -> None:
    """The first turn went as said, the call goes on: every later turn is heard and answered."""
    assert not played.failures
    assert played.tasks_left == 0
    assert played.lines[0]["outcome"] == first
    assert len(played.lines) == 3
    assert {line["outcome"] for line in played.lines[1:]} == {"completed"}
    assert len(played.of("playback_ended")) == len(played.of("reply_started")) == 3
    assert len(played.of("reply_ended")) + len(played.of("reply_cut")) >= 3
    per_turn = [event.turn.number for event in played.of("reply_ended")]
    assert len(per_turn) == len(set(per_turn))  # one end each


HOOKS = ("on_speech_started", "on_partial_audio", "on_barge_in_detected", "stop_playback", "on_playback_ended")


@pytest.mark.parametrize("in_async", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("how", bad.RAISES)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_raises_anything_is_told_and_changes_nothing(hook: str, how: str, in_async: bool) -> None:
    played = play_with(bad.broken(hook, how, in_async=in_async))
    assert_others_unharmed(played, "barged_in")
    (barge,), clears = played.of("barge_in"), played.ear.clears
    assert clears[0] == barge.t_us  # silent in the barge-in's own frame
    failed = played.of("hook_failed")
    assert {event.hook for event in failed} == {hook}
    first = {(event.turn, event.detail) for event in failed if "more times" not in event.detail}
    assert len(first) == len({event.turn for event in failed})  # once a turn, and then as a count
    assert len(failed) <= 2 * len(first)


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("how", bad.RAISES)
def test_a_reply_that_raises_anything_failed_at_once(how: str, after: int) -> None:
    played = play_with(bad.reply_that(how, after), [*TALK_OVER[:2], ("quiet", 3.0), *TALK_OVER[3:]])
    assert_others_unharmed(played, "failed")
    (ended, *_) = played.of("reply_ended")
    assert ended.outcome == "failed"
    assert how in ended.detail
    assert ended.t_us < 2_500_000


@pytest.mark.parametrize("how", ["Panic", "CancelledError"])
def test_a_reply_that_raises_does_not_deafen_a_graph_without_barge_in(how: str) -> None:
    played = play_with(bad.reply_that(how, 3), graph="no-barge-in")
    assert [line["outcome"] for line in played.lines] == ["failed", "completed", "completed"]


@pytest.mark.parametrize("made", [bad.HangsInIsInterruptible, bad.HangsInSpeechEnded])
def test_whatever_a_reply_waits_for_has_a_time_limit(made: type) -> None:
    played = play_with(made, [("quiet", 0.5), ("speech", 1.0), ("quiet", 6.0)])
    assert [line["outcome"] for line in played.lines] == ["timeout"]
    assert not played.failures
    assert played.tasks_left == 0


@pytest.mark.parametrize("how", bad.CLOSES)
def test_a_reply_has_one_end_however_its_iterator_is_closed(how: str) -> None:
    played = play_with(bad.closes(how), [*ONE_TURN, ("quiet", 2.0), *ONE_TURN[1:], ("quiet", 2.0)])
    assert [line["outcome"] for line in played.lines] == ["completed", "completed"]
    assert [event.outcome for event in played.of("reply_ended")] == ["completed", "completed"]
    assert not played.failures
    assert played.tasks_left == 0
    assert [event.hook for event in played.of("hook_failed")] == ([] if how == "plain" else ["aclose", "aclose"])


def test_async_hooks_end_in_the_order_of_their_causes() -> None:
    play_with(bad.AsyncHooks)
    log = [entry for entry, _ in groupby(bad.AsyncHooks.log)]
    assert log == [
        ("started", "0000"),
        ("partial", "0000"),
        ("ended", "0000"),
        ("get", "0000"),
        ("stop", "0000"),
        ("barge", "0000"),
        ("started", "0001"),
        ("partial", "0001"),
        ("ended", "0001"),
        ("get", "0001"),
        ("started", "0002"),
        ("partial", "0002"),
        ("ended", "0002"),
        ("get", "0002"),
    ]


def test_a_recogniser_written_the_obvious_way_gets_every_sample_in_order() -> None:
    play_with(bad.AsyncHooks)
    assert len(bad.AsyncHooks.utterances) == 3
    for trace_id, utterance in bad.AsyncHooks.utterances.items():
        assert bad.AsyncHooks.sent[trace_id] == utterance


def test_a_stalled_hook_keeps_few_calls_waiting_and_is_told_once() -> None:
    bad.StallsInPartialAudio.most = 0
    played = play_with(bad.StallsInPartialAudio, [("quiet", 0.5), ("chatter", 20.0), ("quiet", 5.0)])
    assert bad.StallsInPartialAudio.most <= 2
    assert played.tasks_left == 0
    assert not played.failures
    told = played.of("hook_failed")
    assert "not done after 2 s" in told[0].detail
    assert len(told) <= 2 * len(played.of("speech_started"))


def test_a_stalled_hook_does_not_make_the_call_busy() -> None:
    """A graph can take over, and a replay ends, while a hook hangs."""
    played = play_with(bad.StallsInPartialAudio, ONE_TURN, reply_timeout_ms=600_000)
    assert played.idle_at_end


def test_nothing_is_taken_from_a_disposed_reply() -> None:
    bad.SwallowsCancel.pulled = 0
    played = play_with(bad.SwallowsCancel)
    assert_others_unharmed(played, "barged_in")
    barge_s = (played.of("barge_in")[0].t_us - played.of("reply_started")[0].t_us) / 1e6
    assert bad.SwallowsCancel.pulled <= barge_s / 0.1 + 1  # and the one that was waited for
    (told,) = played.of("hook_failed")
    assert (told.hook, told.turn.number) == ("get_audio_reply", 0)
    assert played.of("frames_dropped") == []


@pytest.mark.parametrize("size", [10, 960, 1 << 20])
@pytest.mark.parametrize("name", bad.FORMATS)
def test_a_reply_in_another_format_is_named_and_not_played(name: str, size: int) -> None:
    played = play_with(bad.gives(bad.FORMATS[name], size), ONE_TURN)
    (ended,) = played.of("reply_ended")
    assert ended.outcome == "failed"
    wanted = {"wav": "a WAV file of 24000 Hz", "soft float32": "float32 samples"}.get(name, name.split()[0])
    assert wanted.lower() in ended.detail.lower()
    assert "give raw PCM, int16 mono at 8000 Hz" in ended.detail
    assert played.ear.pushes == []


def test_a_plain_generator_is_named() -> None:
    played = play_with(bad.PlainGenerator, ONE_TURN)
    (ended,) = played.of("reply_ended")
    assert (ended.outcome, ended.detail) == (
        "failed",
        "TypeError: get_audio_reply gave generator, not an async iterator: write `async def` with `yield`",
    )


@pytest.mark.parametrize("made", [bad.OnlyTheReply, bad.Frozen])
def test_the_reply_is_all_that_is_required(made: type) -> None:
    played = play_with(made, ONE_TURN)
    assert [line["outcome"] for line in played.lines] == ["completed"]
    assert not played.failures
    assert played.of("hook_failed") == []


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_reply_has_the_rate_that_the_orchestrator_says(rate: int) -> None:
    tone_s = 0.5
    made = type("Rated", (bad.gives(tone(tone_s, rate, 440), 999),), {"reply_rate": rate})
    played = play_with(made, ONE_TURN)
    assert [line["outcome"] for line in played.lines] == ["completed"]
    assert played.lines[0]["heard_ms"] == pytest.approx(1000 * tone_s, abs=1)
    heard = np.frombuffer(played.ear.heard(0, 9), "<i2").astype(float)
    assert len(heard) == pytest.approx(48_000 * tone_s, abs=48)
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) * 48_000 / len(heard) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("rate", [0, 7_999, 48_001, 24_000.0, "24000", True, None])
def test_what_is_no_rate_is_told_when_the_graph_is_loaded(rate: Any) -> None:
    globals()["Made"] = type("Rated", (bad.Fine,), {"reply_rate": rate})
    if rate is None:
        find_orchestrator(f"{HERE}:Made")
        return
    with pytest.raises(UserError, match=r"reply_rate is .*from 8000 to 48000 is needed"):
        find_orchestrator(f"{HERE}:Made")
