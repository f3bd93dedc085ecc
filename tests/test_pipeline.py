"""The whole graph in virtual time: a scripted caller in, events, metrics and what was heard out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.orchestrators import AllAsync, FloodsForever, Noted
from tests.stage import Played, play
from webapi.voice_node.errors import UserError

NOTED = "tests.orchestrators:Noted"
ONE_TURN = [("quiet", 0.5), ("speech", 1.0), ("quiet", 3.0)]
TALK_OVER = [("quiet", 0.5), ("speech", 1.0), ("quiet", 1.0), ("speech", 1.0), ("quiet", 3.0)]


def assert_clean(played: Played) -> None:
    """Nothing failed, nothing is left, and every turn has exactly one line with its times in order."""
    assert not played.failures
    assert played.tasks_left == 0
    assert [line["turn_index"] for line in played.lines] == sorted(line["turn_index"] for line in played.lines)
    assert len(played.lines) == len(played.of("speech_started"))
    assert len({line["trace_id"] for line in played.lines}) == len(played.lines)
    for line in played.lines:
        times = [value for key, value in line.items() if key[0] == "t" and key[1].isdigit() and value is not None]
        assert times == sorted(times)
    stamps = [event.t_us for event in played.events]
    assert stamps == sorted(stamps)


def test_a_turn_is_heard_and_answered() -> None:
    played = play(ONE_TURN, mock_reply="tone:1")
    assert played.marbles() == "SEQPZp"
    assert_clean(played)
    (line,) = played.lines
    assert line["outcome"] == "completed"
    assert line["heard_ms"] == 1000
    assert line["barge_in"] is False
    assert line["playback_cancelled"] is False
    assert line["barge_in_stop_ms"] is None
    (started,), (ended,) = played.of("speech_started"), played.of("speech_ended")
    assert 0.5e6 < started.t_first_voiced_us <= 0.56e6
    assert 120_000 <= started.t_us - started.t_first_voiced_us + 20_000 <= 140_000  # six frames
    assert 1.7e6 <= ended.t_us <= 1.85e6  # ten frames after the end of the speech
    assert 900 <= ended.voiced_ms <= 1150
    # What the caller hears is the tone, whole: as long, and as loud.
    heard = np.frombuffer(played.ear.heard(0, 9), "<i2")
    assert len(heard) == 48_000
    assert 0.29 < np.abs(heard).max() / 32768 < 0.31


def test_the_utterance_has_its_preroll_and_its_times() -> None:
    played = play(ONE_TURN, orchestrator=NOTED)
    (pcm,) = Noted.last.utterances
    ((first_s, last_s),) = Noted.last.ended
    (started,) = played.of("speech_started")
    assert len(pcm) / 16_000 == pytest.approx(last_s - first_s)
    assert first_s == pytest.approx(started.t_us / 1e6 - 0.240)
    # The audio is where the times say: silence until the caller speaks at 0.5 s, then loud.
    samples = np.frombuffer(pcm, "<i2").astype(float)
    speech_at = int((0.5 - first_s) * 8000)
    assert np.abs(samples[: speech_at - 80]).max() < 100
    assert np.abs(samples[speech_at + 400 : speech_at + 4000]).max() > 3000


def test_partial_audio_adds_up_to_the_utterance() -> None:
    play(ONE_TURN, orchestrator=NOTED)
    whole = b"".join(Noted.last.partials)
    (utterance,) = Noted.last.utterances
    assert whole == utterance


def test_talking_over_the_reply_silences_it_at_once() -> None:
    played = play(TALK_OVER, orchestrator=NOTED)
    assert played.marbles() == "SEQPSBCpEQPZp"
    assert_clean(played)
    first, second = played.lines
    assert (first["outcome"], first["barge_in"], first["playback_cancelled"]) == ("barged_in", True, True)
    assert (second["outcome"], second["barge_in"], second["heard_ms"]) == ("completed", False, 2000)
    (barge,) = played.of("barge_in")
    flush_us = played.ear.clears[0]
    assert flush_us == barge.t_us  # not a frame later
    assert first["barge_in_stop_ms"] == pytest.approx((flush_us - barge.t_first_voiced_us) / 1000)
    # What was heard until then is what the metrics say, and nothing follows but the next reply.
    before = len(played.ear.heard(0, flush_us / 1e6)) / 96
    assert first["heard_ms"] == pytest.approx(before, abs=1)
    next_reply_us = played.of("playback_started")[1].t_us
    assert played.ear.heard(flush_us / 1e6, next_reply_us / 1e6) == b""


def test_the_orchestrator_is_called_in_the_order_that_silence_needs() -> None:
    play(TALK_OVER, orchestrator=NOTED)
    calls = Noted.last.calls
    names = [name for name, trace in calls if trace == "s-0000"]
    assert names == [
        "on_speech_started",
        "on_speech_ended",
        "get_audio_reply",
        "stop_playback",
        "on_barge_in_detected",
        "reply_closed",
        "on_playback_ended",
    ]
    # Silence first; only then is the orchestrator told that somebody talks.
    assert calls.index(("on_barge_in_detected", "s-0000")) < calls.index(("on_speech_started", "s-0001"))
    assert Noted.last.heard[0][2] is False
    assert Noted.last.heard[1] == ("s-0001", 2000, True)


def test_a_pause_is_no_end_the_utterance_is_carried_whole() -> None:
    pause = [("quiet", 0.5), ("speech", 0.8), ("quiet", 0.4), ("speech", 0.8), ("quiet", 3.0)]
    played = play(pause, orchestrator="tests.orchestrators:Ponders")
    assert played.marbles() == "SEQSUCpEQPZp"
    assert_clean(played)
    first, second = played.lines
    assert (first["outcome"], first["heard_ms"], first["playback_cancelled"]) == ("superseded", 0, False)
    assert first["t6_first_bot_audio"] is None
    assert second["outcome"] == "completed"
    early, late = Noted.last.utterances
    assert late.startswith(early[:-320])
    assert second["t1_first_user_audio"] == first["t1_first_user_audio"]
    assert 1500 <= second["vad_speech_ms"] <= 1850


def test_twenty_barge_ins_in_a_row_leave_nothing_behind() -> None:
    script = [("quiet", 0.3), *([("speech", 0.6), ("quiet", 0.8)] * 21), ("quiet", 3.0)]
    played = play(script, orchestrator=NOTED)
    assert_clean(played)
    assert [line["outcome"] for line in played.lines] == ["barged_in"] * 20 + ["completed"]
    names = [name for name, _ in Noted.last.calls]
    assert names.count("reply_closed") == names.count("get_audio_reply") == 21
    assert names.count("stop_playback") == names.count("on_barge_in_detected") == 20


def test_the_queue_is_never_deep_and_never_dry() -> None:
    played = play([("speech", 0.5), ("quiet", 5.0)], mock_reply="tone:3")
    assert 380 <= played.deepest_ms <= 400
    starts = [at for at, _ in played.ear.pushes]
    gaps = [b - a - len(pcm) // 96 * 1000 for (a, pcm), b in zip(played.ear.pushes, starts[1:], strict=False)]
    assert max(gaps) == 0  # each piece begins where the last one ended


def test_audio_that_stops_ends_the_utterance() -> None:
    played = play([("quiet", 0.3), ("speech", 1.0), ("gap", 3.0)], mock_reply="tone:1")
    assert played.marbles() == "SEQPZp"
    (ended,) = played.of("speech_ended")
    assert ended.reason == "muted"
    assert ended.t_us == pytest.approx(1.3e6)


def test_audio_goes_on_after_a_gap() -> None:
    played = play([("speech", 0.5), ("gap", 3.0), ("speech", 0.5), ("quiet", 3.0)], mock_reply="tone:1")
    assert [line["outcome"] for line in played.lines] == ["completed", "completed"]
    assert_clean(played)


def test_closing_in_the_middle_of_a_reply() -> None:
    played = play([("speech", 0.5), ("quiet", 1.0)], orchestrator=NOTED)
    (line,) = played.lines
    assert (line["outcome"], line["playback_cancelled"]) == ("closed", True)
    assert 0 < line["heard_ms"] < 1000
    assert played.tasks_left == 0
    names = [name for name, _ in Noted.last.calls]
    assert names.count("reply_closed") == names.count("stop_playback") == 1
    assert Noted.last.heard == [("s-0000", line["heard_ms"], False)]


def test_a_reply_that_nobody_can_hear_any_more_is_over_at_once() -> None:
    played = play([("speech", 0.5), ("quiet", 1.0), ("cut", 2.0), *ONE_TURN], orchestrator=NOTED)
    assert played.marbles() == "SEQPCpSEQPZp"
    assert_clean(played)
    lost, later = played.lines
    assert (lost["outcome"], lost["playback_cancelled"], lost["barge_in"]) == ("closed", True, False)
    (cut,) = played.of("reply_cut")
    assert lost["heard_ms"] == pytest.approx((cut.t_us - played.of("playback_started")[0].t_us) / 1000, abs=1)
    assert played.ear.clears == [cut.t_us]
    names = [name for name, trace in Noted.last.calls if trace == "s-0000"]
    assert names.count("stop_playback") == names.count("reply_closed") == 1
    assert "on_barge_in_detected" not in names
    assert later["outcome"] == "completed"


@pytest.mark.parametrize("before", [[("quiet", 0.5)], [("speech", 0.5)], [("speech", 0.5), ("quiet", 0.25)]])
def test_a_lost_connection_leaves_alone_what_is_not_played_yet(before: list[tuple[str, float]]) -> None:
    whole, cut = (
        play([*before, (what, 0.01), ("speech", 0.5), ("quiet", 4.0)], orchestrator="tests.orchestrators:Ponders")
        for what in ("quiet", "cut")
    )
    assert cut.marbles() == whole.marbles()
    assert [line["outcome"] for line in cut.lines] == [line["outcome"] for line in whole.lines]


def test_an_orchestrator_that_can_not_be_made_is_named() -> None:
    played = play([("quiet", 0.1)], orchestrator="no.such:Thing")
    assert isinstance(played.failures[0], UserError)
    assert "ORCHESTRATOR=no.such:Thing" in str(played.failures[0])


def test_closing_in_the_middle_of_speech() -> None:
    played = play([("speech", 0.5)])
    (line,) = played.lines
    assert (line["outcome"], line["t2_speech_ended"], line["heard_ms"]) == ("closed", None, None)


TWO_TURNS = [("speech", 0.5), ("quiet", 4.0), ("speech", 0.5), ("quiet", 2.0)]


@pytest.mark.parametrize(
    ("name", "outcome", "detail"),
    [
        ("Raises", "failed", "RuntimeError: no brain today"),
        ("RaisesMidway", "failed", "RuntimeError: lost the thread"),
        ("Hangs", "timeout", "no audio for 1 s"),
        ("HangsMidway", "timeout", "no audio for 1 s"),
        ("Empty", "empty", ""),
        ("NothingForever", "timeout", "no audio for 1 s"),
        ("Odd", "completed", "half a sample"),
        ("GivesText", "failed", "get_audio_reply gave str, not bytes"),
        ("CancelsItself", "failed", "cancelled from inside"),
    ],
)
def test_a_bad_reply_costs_its_own_turn_and_no_other(name: str, outcome: str, detail: str) -> None:
    played = play(TWO_TURNS, orchestrator=f"tests.orchestrators:{name}", reply_timeout_ms=1000)
    assert_clean(played)
    assert [line["outcome"] for line in played.lines] == [outcome, "completed"]
    assert detail in played.of("reply_ended")[0].detail
    assert played.lines[1]["heard_ms"] == 500


def test_what_a_failing_reply_had_said_is_counted() -> None:
    for name in ("RaisesMidway", "HangsMidway"):
        played = play(TWO_TURNS, orchestrator=f"tests.orchestrators:{name}", reply_timeout_ms=1000)
        assert played.lines[0]["heard_ms"] == 300


def test_odd_chunks_are_put_together_again() -> None:
    played = play(TWO_TURNS, orchestrator="tests.orchestrators:Odd")
    assert played.lines[0]["heard_ms"] == 1000
    heard = np.frombuffer(played.ear.heard(0, 4), "<i2").astype(float)
    assert np.abs(np.diff(heard)).max() < 1000  # half a sample off would be noise


def test_a_flood_waits_at_its_source_and_can_be_talked_over() -> None:
    FloodsForever.taken = 0
    played = play(
        [("speech", 0.5), ("quiet", 3.0), ("speech", 0.5), ("quiet", 2.0)],
        orchestrator="tests.orchestrators:FloodsForever",
    )
    assert_clean(played)
    assert [line["outcome"] for line in played.lines] == ["barged_in", "completed"]
    assert FloodsForever.taken <= 5
    assert played.deepest_ms <= 400
    sizes_ms = [len(pcm) // 96 for _, pcm in played.ear.pushes]
    assert sizes_ms[0] <= 20  # it does not wait for what takes longer to make ready
    assert max(sizes_ms) >= 200  # nor does the rest keep the graph busy fifty times a second


def test_a_slow_chunk_makes_the_queue_behind_it_no_deeper() -> None:
    orchestrator = "tests.orchestrators:PausesThenFloods"
    played = play([("speech", 0.5), ("quiet", 15.0)], orchestrator=orchestrator)
    assert_clean(played)
    assert played.deepest_ms <= 420
    assert played.lines[0]["heard_ms"] == 10_020


def test_an_hour_in_one_piece_can_be_talked_over() -> None:
    played = play(
        [("speech", 0.5), ("quiet", 1.0), ("speech", 0.5), ("quiet", 2.0)], orchestrator="tests.orchestrators:Floods"
    )
    assert_clean(played)
    assert [line["outcome"] for line in played.lines] == ["barged_in", "completed"]


def test_hooks_that_raise_are_told_and_change_nothing() -> None:
    played = play(TALK_OVER, orchestrator="tests.orchestrators:HooksRaise")
    assert_clean(played)
    assert [line["outcome"] for line in played.lines] == ["barged_in", "completed"]
    assert {e.hook for e in played.of("hook_failed")} == {
        "on_speech_started",
        "on_partial_audio",
        "on_barge_in_detected",
        "stop_playback",
        "on_playback_ended",
    }


def test_a_reply_that_ignores_its_cancel_hangs_alone() -> None:
    played = play(TALK_OVER, orchestrator="tests.orchestrators:IgnoresCancel")
    assert [line["outcome"] for line in played.lines] == ["barged_in", "closed"]
    (failure,) = played.failures
    assert "2 task(s) of the orchestrator ignore that they are cancelled" in str(failure)


def test_coroutines_will_do() -> None:
    played = play(TALK_OVER, orchestrator="tests.orchestrators:AllAsync")
    assert_clean(played)
    assert [line["outcome"] for line in played.lines] == ["barged_in", "completed"]
    assert {"on_speech_started", "on_speech_ended", "on_barge_in_detected", "stop_playback"} <= set(AllAsync.last.calls)


@pytest.mark.parametrize("reply", ["beep", "echo", "tone:0.4"])
def test_the_mock_replies(reply: str) -> None:
    played = play(ONE_TURN, mock_reply=reply)
    (line,) = played.lines
    assert line["outcome"] == "completed"
    (ended,) = played.of("speech_ended")
    expected = {"beep": 41 * 20, "echo": len(ended.pcm) // 16, "tone:0.4": 400}[reply]
    assert line["heard_ms"] == expected


def test_the_same_input_gives_the_same_events() -> None:
    runs = [play(TALK_OVER, orchestrator=NOTED) for _ in range(2)]
    assert runs[0].events == runs[1].events
    assert runs[0].lines == runs[1].lines
    assert runs[0].ear.pushes == runs[1].ear.pushes


def test_sixteen_kilohertz() -> None:
    played = play(TALK_OVER, mock_reply="tone:2", audio_target_rate=16_000)
    assert [line["outcome"] for line in played.lines] == ["barged_in", "completed"]
    assert played.lines[1]["heard_ms"] == 2000


def test_thirty_millisecond_frames() -> None:
    played = play(TALK_OVER, mock_reply="tone:2", audio_frame_ms=30)
    assert [line["outcome"] for line in played.lines] == ["barged_in", "completed"]
    started = played.of("speech_started")[0]
    assert started.t_us - started.t_first_voiced_us == 5 * 30_000  # six frames, the first of them has arrived
    assert_clean(played)


def test_a_reply_that_must_be_heard_is_heard_and_the_next_one_can_be_interrupted() -> None:
    script = [("speech", 0.5), ("quiet", 0.8), ("speech", 0.5), ("quiet", 2.0), *[("speech", 0.5), ("quiet", 0.8)] * 2]
    played = play(script, orchestrator="tests.orchestrators:Insists")
    first, second, _ = played.of("playback_started")
    assert (first.interruptible, second.interruptible) == (False, True)
    assert [line["outcome"] for line in played.lines] == ["completed", "barged_in", "closed"]
    assert played.lines[0]["heard_ms"] == 2000
    assert len(played.of("uninterruptible")) == 1
    assert_clean(played)
