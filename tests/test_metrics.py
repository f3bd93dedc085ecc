"""Numbers of turns: every story has its line, and no order of events can make a line that lies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.voice_node.errors import UserError
from webapi.voice_node.events import (
    BargeIn,
    Event,
    FramesDropped,
    HookFailed,
    LlmRequestDone,
    PlaybackDucked,
    PlaybackEnded,
    PlaybackRestored,
    PlaybackStarted,
    Prompted,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    SpeechEnded,
    SpeechStarted,
    Superseded,
    TtsFirstChunk,
    Turn,
)
from webapi.voice_node.metrics import Metrics, MetricsFile
from webapi.voice_node.report.open_turns import MAX_OPEN
from webapi.voice_node.report.percentiles import percentiles
from webapi.voice_node.report.turn_line import ORDERED, OUTCOMES, TIMES, in_order

FIELDS = [
    *("trace_id", "session_id", "room", "turn_index"),
    *("t1_first_user_audio", "t2_speech_ended", "t3_logic_start"),
    *("t4_llm_request_done", "t5_tts_first_chunk", "t6_first_bot_audio"),
    *("barge_in", "playback_cancelled", "outcome"),
    *("latency_user_to_first_bot_chunk_ms", "latency_speech_end_to_first_bot_chunk_ms"),
    *("vad_speech_ms", "speech_end", "heard_ms", "barge_in_stop_ms"),
    *("duck_ms", "ducked", "duck_restored", "duck_stopped"),
    *("caller_wait_ms", "marks", "parts", "graph"),
]
PROMPT = "prompt"  # only where the bot spoke of its own accord
A, B, C = Turn("a", 0), Turn("b", 1), Turn("c", 2)
MS = 1000


def ended(t_ms: int, turn: Turn, first_voiced_ms: int, voiced_ms: int = 500) -> SpeechEnded:
    first = first_voiced_ms * MS
    return SpeechEnded(t_ms * MS, turn, b"", 8000, first, t_ms * MS, first, (t_ms - 200) * MS, voiced_ms, "silence")


def asked(turn: Turn, at_ms: int = 0) -> list[Event]:
    """A caller talks from 120 ms before `at_ms` + 1000 on, for a second; the orchestrator is called."""
    return [
        SpeechStarted((at_ms + 1000) * MS, turn, (at_ms + 880) * MS),
        ended(at_ms + 2000, turn, at_ms + 880),
        ReplyStarted((at_ms + 2001) * MS, turn),
    ]


def answered(turn: Turn, at_ms: int = 0) -> list[Event]:
    """The same, and the bot begins to talk."""
    return [
        *asked(turn, at_ms),
        LlmRequestDone((at_ms + 2100) * MS, turn),
        TtsFirstChunk((at_ms + 2120) * MS, turn),
        PlaybackStarted((at_ms + 2125) * MS, turn),
    ]


def told(events: list[Event], close: bool = False, origin_us: int = 0) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    metrics = Metrics("s-1", "demo", "default", lines.append, origin_us)
    for event in events:
        metrics(event)
    if close:
        metrics.close()
    return lines


# ---------------------------------------------------------------- stories


def test_a_prompt_has_a_line_without_what_a_caller_would_have_said() -> None:
    started = [Prompted(1000 * MS, A, "hello.wav"), ReplyStarted(1000 * MS, A), PlaybackStarted(1005 * MS, A)]
    (line,) = told([*started, ReplyEnded(2000 * MS, A, "completed"), PlaybackEnded(2005 * MS, A, 1000, True)])
    assert list(line) == [*FIELDS, PROMPT]
    assert (line["prompt"], line["outcome"], line["heard_ms"]) == ("hello.wav", "completed", 1000)
    assert (line["t3_logic_start"], line["t6_first_bot_audio"]) == (1.0, 1.005)
    nothing = ("t1_first_user_audio", "t2_speech_ended", "vad_speech_ms", "speech_end", *FIELDS[13:15])
    assert {line[name] for name in nothing} == {None}
    (cut,) = told([Prompted(0, A, "hello.wav"), Superseded(MS, A, B), PlaybackEnded(MS, A, 0, False)])
    assert (cut["outcome"], cut["prompt"]) == ("superseded", "hello.wav")
    (open_yet,) = told(started, close=True)
    assert (open_yet["outcome"], open_yet["prompt"]) == ("closed", "hello.wav")


def test_a_turn_that_went_well() -> None:
    (line,) = told([*answered(A), ReplyEnded(2900 * MS, A, "completed"), PlaybackEnded(3200 * MS, A, 1075, True)])
    assert list(line) == FIELDS
    assert line == {
        "trace_id": "a",
        "session_id": "s-1",
        "room": "demo",
        "turn_index": 0,
        "t1_first_user_audio": 0.88,
        "t2_speech_ended": 2.0,
        "t3_logic_start": 2.001,
        "t4_llm_request_done": 2.1,
        "t5_tts_first_chunk": 2.12,
        "t6_first_bot_audio": 2.125,
        "barge_in": False,
        "playback_cancelled": False,
        "outcome": "completed",
        "latency_user_to_first_bot_chunk_ms": 1245.0,
        "latency_speech_end_to_first_bot_chunk_ms": 125.0,
        "vad_speech_ms": 500,
        "speech_end": "silence",
        "heard_ms": 1075,
        "barge_in_stop_ms": None,
        "duck_ms": None,
        "ducked": 0,
        "duck_restored": 0,
        "duck_stopped": 0,
        "caller_wait_ms": 325.0,
        "marks": {},
        "parts": [
            {"name": "endpointing", "ms": 200.0, "owner": "node", "setting": "turn_events: end_frames"},
            {"name": "node", "ms": 1.0, "owner": "node", "setting": None},
            {"name": "language_model", "ms": 99.0, "owner": "orchestrator", "setting": None},
            {"name": "text_to_speech", "ms": 20.0, "owner": "orchestrator", "setting": "with: tts"},
            {"name": "node", "ms": 5.0, "owner": "node", "setting": None},
        ],
        "graph": "default",
    }


def test_a_line_comes_with_the_end_of_the_playback_and_not_before() -> None:
    story = [*answered(A), ReplyEnded(2900 * MS, A, "completed")]
    assert told(story) == []
    assert len(told([*story, PlaybackEnded(3200 * MS, A, 1075, True)])) == 1


def test_talked_over_while_the_orchestrator_was_still_giving() -> None:
    lines = told(
        [
            *answered(A),
            SpeechStarted(2500 * MS, B, 2380 * MS),
            BargeIn(2500 * MS, A, B, 2380 * MS),
            ReplyCut(2500 * MS, A, "barged_in"),
            PlaybackEnded(2501 * MS, A, 376, False),
        ]
    )
    (line,) = lines
    assert (line["trace_id"], line["outcome"], line["barge_in"]) == ("a", "barged_in", True)
    assert (line["playback_cancelled"], line["heard_ms"], line["barge_in_stop_ms"]) == (True, 376, 121.0)


def test_talked_over_while_only_the_tail_was_playing() -> None:
    (line,) = told(
        [
            *answered(A),
            ReplyEnded(2200 * MS, A, "completed"),
            SpeechStarted(2500 * MS, B, 2380 * MS),
            BargeIn(2500 * MS, A, B, 2380 * MS),
            ReplyCut(2500 * MS, A, "barged_in"),
            PlaybackEnded(2500 * MS, A, 375, False),
        ]
    )
    assert (line["outcome"], line["playback_cancelled"], line["barge_in_stop_ms"]) == ("barged_in", True, 120.0)


def test_a_reply_that_was_soft_twice_and_then_talked_over() -> None:
    (line,) = told(
        [
            *answered(A),
            PlaybackDucked(2300 * MS, A, 175, 8400, 2240 * MS),
            PlaybackRestored(2500 * MS, A, 375, 18_000),
            PlaybackDucked(2700 * MS, A, 575, 27_600, 2650 * MS),
            BargeIn(3000 * MS, A, B, 2650 * MS),
            ReplyCut(3000 * MS, A, "barged_in"),
            PlaybackEnded(3000 * MS, A, 875, False),
        ]
    )
    assert (line["duck_ms"], line["ducked"], line["duck_restored"], line["duck_stopped"]) == (60.0, 2, 1, 1)
    assert (line["outcome"], line["heard_ms"], line["barge_in_stop_ms"]) == ("barged_in", 875, 350.0)


def test_a_reply_that_ends_while_it_is_soft_was_not_stopped() -> None:
    (line,) = told(
        [
            *answered(A),
            PlaybackDucked(2300 * MS, A, 175, 8400, 2240 * MS),
            ReplyEnded(2400 * MS, A, "completed"),
            PlaybackEnded(3200 * MS, A, 1075, True),
        ]
    )
    assert (line["duck_ms"], line["ducked"], line["duck_restored"], line["duck_stopped"]) == (60.0, 1, 0, 0)


def test_talked_over_without_being_cut() -> None:
    """A graph may let some replies go on: then there was a barge-in, and nothing stopped."""
    (line,) = told(
        [
            *answered(A),
            BargeIn(2500 * MS, A, B, 2380 * MS),
            ReplyEnded(2900 * MS, A, "completed"),
            PlaybackEnded(3200 * MS, A, 1075, True),
        ]
    )
    assert (line["outcome"], line["barge_in"]) == ("completed", True)
    assert (line["playback_cancelled"], line["barge_in_stop_ms"]) == (False, None)


def test_the_caller_had_only_paused() -> None:
    lines = told(
        [
            *asked(A),
            SpeechStarted(2200 * MS, B, 2080 * MS),
            Superseded(2200 * MS, A, B),
            ReplyCut(2200 * MS, A, "superseded"),
            PlaybackEnded(2200 * MS, A, 0, False),
            ended(3000, B, first_voiced_ms=880, voiced_ms=900),
            ReplyStarted(3001 * MS, B),
            PlaybackStarted(3200 * MS, B),
            ReplyEnded(3300 * MS, B, "completed"),
            PlaybackEnded(3400 * MS, B, 200, True),
        ]
    )
    first, second = lines
    assert (first["outcome"], first["t6_first_bot_audio"], first["heard_ms"]) == ("superseded", None, 0)
    assert (first["barge_in"], first["playback_cancelled"]) == (False, False)
    assert first["latency_user_to_first_bot_chunk_ms"] is None
    # the carried utterance began where the first one did
    assert (second["t1_first_user_audio"], second["vad_speech_ms"]) == (0.88, 900)
    assert second["latency_user_to_first_bot_chunk_ms"] == 2320.0


def test_superseded_before_the_orchestrator_was_called() -> None:
    (line,) = told([*asked(A)[:2], SpeechStarted(2200 * MS, B, 2080 * MS), Superseded(2200 * MS, A, B)])
    assert (line["trace_id"], line["outcome"], line["heard_ms"]) == ("a", "superseded", None)


@pytest.mark.parametrize("outcome", ["failed", "timeout", "empty"])
def test_a_reply_that_never_came(outcome: Any) -> None:
    (line,) = told([*asked(A), ReplyEnded(9000 * MS, A, outcome), PlaybackEnded(9000 * MS, A, 0, False)])
    assert line["outcome"] == outcome
    assert (line["t5_tts_first_chunk"], line["t6_first_bot_audio"], line["heard_ms"]) == (None, None, 0)
    assert line["playback_cancelled"] is False


def test_a_reply_that_broke_off_is_failed_and_what_was_heard_counts() -> None:
    (line,) = told([*answered(A), ReplyEnded(2300 * MS, A, "failed"), PlaybackEnded(2600 * MS, A, 475, False)])
    assert (line["outcome"], line["heard_ms"], line["playback_cancelled"]) == ("failed", 475, False)


def test_a_graph_without_replies_closes_a_turn_with_the_next_utterance() -> None:
    quiet = [SpeechStarted(1000 * MS, A, 880 * MS), ended(2000, A, 880)]
    assert told([*quiet, SpeechStarted(3000 * MS, B, 2880 * MS)]) == []  # it may still be superseded
    first, second = told([*quiet, SpeechStarted(3000 * MS, B, 2880 * MS), ended(4000, B, 2880)], close=True)
    assert (first["outcome"], first["t2_speech_ended"], first["heard_ms"]) == ("empty", 2.0, None)
    assert (second["outcome"], second["t3_logic_start"]) == ("closed", None)


def test_closing_writes_what_is_open() -> None:
    talking, playing = told([*answered(A), SpeechStarted(3000 * MS, B, 2880 * MS)], close=True)[::-1]
    assert (playing["outcome"], playing["playback_cancelled"], playing["heard_ms"]) == ("closed", True, None)
    assert (talking["outcome"], talking["t2_speech_ended"], talking["vad_speech_ms"]) == ("closed", None, None)


def test_a_reply_given_whole_but_cut_off_by_the_end_of_the_session_is_not_completed() -> None:
    (line,) = told([*answered(A), ReplyEnded(2200 * MS, A, "completed"), PlaybackEnded(2300 * MS, A, 175, False)])
    assert (line["outcome"], line["playback_cancelled"], line["heard_ms"]) == ("closed", True, 175)


def test_a_reply_that_was_cut_keeps_its_outcome_where_the_session_closes_before_its_end() -> None:
    (line,) = told([*asked(A), ReplyCut(2200 * MS, A, "superseded")], close=True)
    assert (line["outcome"], line["heard_ms"]) == ("superseded", None)


def test_no_time_at_all_is_zero_and_not_nothing() -> None:
    (line,) = told([*asked(A)[:2], PlaybackStarted(2000 * MS, A), PlaybackEnded(3000 * MS, A, 1000, True)])
    assert line["latency_speech_end_to_first_bot_chunk_ms"] == 0


def test_closing_twice_writes_once() -> None:
    lines: list[dict[str, Any]] = []
    metrics = Metrics("s", "r", "g", lines.append)
    metrics(SpeechStarted(1000, A, 0))
    metrics.close()
    metrics.close()
    assert len(lines) == 1


def test_a_streaming_language_model_is_done_after_the_first_audio_and_its_time_is_kept() -> None:
    (line,) = told(
        [
            *asked(A),
            TtsFirstChunk(2100 * MS, A),
            PlaybackStarted(2105 * MS, A),
            LlmRequestDone(2500 * MS, A),
            ReplyEnded(2900 * MS, A, "completed"),
            PlaybackEnded(3200 * MS, A, 1095, True),
        ]
    )
    assert line["t4_llm_request_done"] == 2.5
    assert (line["t5_tts_first_chunk"], line["t6_first_bot_audio"]) == (2.1, 2.105)


def test_the_first_of_several_counts() -> None:
    late: list[Event] = [
        ReplyStarted(9000 * MS, A),
        LlmRequestDone(9000 * MS, A),
        TtsFirstChunk(9000 * MS, A),
        PlaybackStarted(9000 * MS, A),
        ReplyEnded(9000 * MS, A, "completed"),
        ReplyEnded(9000 * MS, A, "failed"),
        SpeechStarted(9000 * MS, A, 9000 * MS),
    ]
    (line,) = told([*answered(A), *late, PlaybackEnded(9500 * MS, A, 10, True)])
    assert [line[name] for name in TIMES] == [0.88, 2.0, 2.001, 2.1, 2.12, 2.125]
    assert line["outcome"] == "completed"


def test_turns_that_nobody_knows_change_nothing() -> None:
    strangers: list[Event] = [
        *answered(B)[1:],
        BargeIn(0, B, C, 0),
        Superseded(0, B, C),
        ReplyCut(0, B, "closed"),
        ReplyEnded(0, B, "completed"),
        PlaybackEnded(0, B, 1, True),
        FramesDropped(0, B, 1, "late"),
        HookFailed(0, B, "play_filler", "boom"),
    ]
    assert told(strangers, close=True) == []
    over = [*answered(A), ReplyEnded(2200 * MS, A, "completed"), PlaybackEnded(2300 * MS, A, 175, True)]
    assert len(told([*over, *over[1:]], close=True)) == 1


def test_times_can_count_from_an_origin() -> None:
    (line,) = told([SpeechStarted(1000 * MS, A, 880 * MS)], close=True, origin_us=800 * MS)
    assert line["t1_first_user_audio"] == 0.08


def test_open_turns_are_bounded() -> None:
    lines = told([SpeechStarted(i * MS, Turn(str(i), i), i * MS) for i in range(MAX_OPEN + 3)])
    assert [line["trace_id"] for line in lines] == ["0", "1", "2"]


# ---------------------------------------------------------------- any story at all

times = st.integers(0, 20_000_000)
turns = st.sampled_from([A, B, C])
Kind = Callable[..., Event]


def kinds() -> st.SearchStrategy[Event]:
    plain: list[Kind] = [ReplyStarted, LlmRequestDone, TtsFirstChunk, PlaybackStarted]
    return st.one_of(
        *(st.builds(kind, t_us=times, turn=turns) for kind in plain),
        st.builds(SpeechStarted, t_us=times, turn=turns, t_first_voiced_us=times),
        st.builds(
            SpeechEnded,
            **dict.fromkeys(("t_us", "t_first_byte_us", "t_last_byte_us", "t_first_voiced_us"), times),
            t_last_voiced_us=times,
            turn=turns,
            pcm=st.just(b""),
            rate=st.just(8000),
            voiced_ms=st.integers(0, 9000),
            reason=st.just("silence"),
        ),
        st.builds(BargeIn, t_us=times, turn=turns, by=turns, t_first_voiced_us=times),
        st.builds(Superseded, t_us=times, turn=turns, by=turns),
        st.builds(
            ReplyEnded, t_us=times, turn=turns, outcome=st.sampled_from(["completed", "failed", "timeout", "empty"])
        ),
        st.builds(ReplyCut, t_us=times, turn=turns, outcome=st.sampled_from(["barged_in", "superseded", "closed"])),
        st.builds(PlaybackEnded, t_us=times, turn=turns, heard_ms=st.integers(0, 9000), completed=st.booleans()),
    )


@given(st.lists(kinds(), max_size=40))
def test_no_story_makes_a_line_that_lies(events: list[Event]) -> None:
    lines = told(events, close=True)
    for line in lines:
        assert list(line) == FIELDS
        assert line["outcome"] in OUTCOMES
        known = [line[TIMES[i]] for i in sorted(ORDERED) if line[TIMES[i]] is not None]
        assert known == sorted(known)
        for name, start in (
            ("latency_user_to_first_bot_chunk_ms", "t1_first_user_audio"),
            ("latency_speech_end_to_first_bot_chunk_ms", "t2_speech_ended"),
        ):
            if line[start] is None or line["t6_first_bot_audio"] is None:
                assert line[name] is None
            else:
                assert line[name] == pytest.approx((line["t6_first_bot_audio"] - line[start]) * 1000)
        assert line["barge_in_stop_ms"] is None or (line["barge_in"] and line["barge_in_stop_ms"] >= 0)
        if line["playback_cancelled"]:
            assert line["outcome"] in ("barged_in", "superseded", "closed")
        json.dumps(line, allow_nan=False)
    # every start of speech of a turn that was not open makes exactly one line
    opened = [event.turn.trace_id for event in events if isinstance(event, SpeechStarted)]
    assert {line["trace_id"] for line in lines} == set(opened)
    assert len(lines) <= len(opened)


@given(st.lists(st.none() | st.integers(0, 50), min_size=6, max_size=6))
def test_kept_times_are_in_order_and_as_many_as_were_when_they_already_are(some: list[int | None]) -> None:
    kept = in_order(tuple(some))
    present = [kept[i] for i in sorted(ORDERED) if kept[i] is not None]
    assert present == sorted(present)  # type: ignore[type-var]  # none of them is None
    assert all(k is None or k == t for k, t in zip(kept, some, strict=True))
    assert kept[3:5] == tuple(some[3:5])  # t4 and t5 come when they come
    given_times = [t for i in sorted(ORDERED) if (t := some[i]) is not None]
    if given_times == sorted(given_times):
        assert kept == tuple(some)
    if some[0] is not None:
        assert kept[0] == some[0]


# ---------------------------------------------------------------- the file and percentiles


def test_the_file_is_appended_to_a_line_a_turn(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for room in ("demo", "café"):
        file = MetricsFile(path, f"node-{room}")
        file.write({"trace_id": "x", "room": room, "t6_first_bot_audio": None})
        file.close()
    lines = [json.loads(text) for text in path.read_text("utf-8").splitlines()]
    assert [(line["room"], line["node"]) for line in lines] == [("demo", "node-demo"), ("café", "node-café")]
    assert lines[0]["t6_first_bot_audio"] is None


def test_a_file_that_cannot_be_opened_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="METRICS_FILE="):
        MetricsFile(tmp_path, "n")


def test_percentiles() -> None:
    assert percentiles([]) == {}
    assert percentiles([7]) == {"p50": 7.0, "p90": 7.0, "p95": 7.0, "p99": 7.0}
    assert percentiles(range(101)) == {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
    assert percentiles(iter([2, 1])) == {"p50": 1.5, "p90": 1.9, "p95": 1.95, "p99": 1.99}


def test_the_documentation_has_every_field_and_outcome() -> None:
    text = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
    cells = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    assert sorted(cells.replace("`", "").replace(",", "").split()) == sorted(
        [*FIELDS, PROMPT, "speech_end_done", "words", "node", *OUTCOMES]
    )
