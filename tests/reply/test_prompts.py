"""What the bot says of its own accord: a greeting, and after a long silence; each a turn that answers nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.orchestrators import Knows, Noted
from tests.stage import Played, play
from webapi.voice_node.audio_io import write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.orchestrator_mock import tone
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges
from webapi.voice_node.replay.marbles import render
from webapi.voice_node.replay.timeline.build import timeline

DEFAULT = (Path(__file__).parents[2] / "graphs" / "default.yaml").read_text(encoding="utf-8")
KNOWS = "tests.orchestrators:Knows"


def prompting(**arguments: object) -> str:
    """The default graph, with these arguments of turn_events."""
    before = "          playback: playback  #"
    assert before in DEFAULT
    return DEFAULT.replace(before, "".join(f"          {k}: {json.dumps(v)}\n" for k, v in arguments.items()) + before)


@pytest.fixture
def hello(tmp_path: Path) -> str:
    """A second of tone at another rate than the call's."""
    write_wav(tmp_path / "hello.wav", tone(1, 16_000, 300), 16_000)
    return str(tmp_path / "hello.wav")


def at_ms(played: Played, name: str) -> list[int]:
    """When events of that name came."""
    return [event.t_us // 1000 for event in played.of(name)]


def test_a_greeting_is_said_with_the_first_frame(hello: str) -> None:
    played = play([("quiet", 2)], graph_text=prompting(greeting=hello))
    assert played.marbles() == "AQPZp"
    assert at_ms(played, "prompted") == at_ms(played, "playback_started") == [20]
    assert [event.prompt for event in played.of("prompted")] == [hello]
    assert len(played.ear.heard(0, 2)) == 48_000 * 2
    (line,) = played.lines
    assert (line["turn_index"], line["outcome"], line["heard_ms"], line["prompt"]) == (0, "completed", 1000, hello)
    assert line["t1_first_user_audio"] is line["t2_speech_ended"] is None
    assert line["latency_speech_end_to_first_bot_chunk_ms"] is line["latency_user_to_first_bot_chunk_ms"] is None
    assert 0.02 == line["t3_logic_start"] == line["t6_first_bot_audio"]


def test_the_bot_asks_once_in_a_silence_and_again_after_the_next_turn(hello: str) -> None:
    script = [("quiet", 9.0), ("speech", 0.5), ("quiet", 9.0)]
    played = play(script, graph_text=prompting(idle_prompt=hello, idle_s=3), mock_reply="tone:1")
    assert played.marbles() == "AQPZpSEQPZpAQPZp"
    answered = played.of("playback_ended")[1]
    assert at_ms(played, "prompted") == [3020, pytest.approx(answered.t_us / 1000 + 3020, abs=20)]
    assert [line.get("prompt") for line in played.lines] == [hello, None, hello]
    assert [event.turn.number for event in played.of("prompted")] == [0, 2]


def test_a_caller_who_speaks_with_the_first_frame_is_heard_once() -> None:
    settings: dict[str, Any] = {"orchestrator": "tests.orchestrators:Noted", "vad_speech_start_frames": 1}
    play([("speech", 0.5), ("quiet", 0.4)], graph_text=prompting(greeting="hello"), **settings)
    said = b"".join(Noted.last.partials)
    assert said[:1600] == Noted.last.utterances[0][:1600]


def test_a_greeting_may_be_talked_over(hello: str) -> None:
    played = play([("quiet", 0.3), ("speech", 0.6), ("quiet", 3)], graph_text=prompting(greeting=hello))
    assert played.marbles() == "AQPSBCpEQPZp"
    greeting, turn = played.lines
    assert (greeting["outcome"], greeting["barge_in"]) == ("barged_in", True)
    assert 0 < greeting["heard_ms"] < 600
    assert turn["outcome"] == "completed"


def test_a_greeting_halts_at_a_cough_and_goes_on(hello: str) -> None:
    text = prompting(greeting=hello, barge_in="pause")
    played = play([("quiet", 0.3), ("speech", 0.2), ("quiet", 3)], graph_text=text)
    assert len(played.of("playback_paused")) == len(played.of("playback_resumed")) == 1
    assert (played.lines[-1]["outcome"], played.lines[-1]["heard_ms"]) == ("completed", 1000)


@pytest.mark.parametrize("key", ["later hm", "hm"])
@pytest.mark.parametrize("spoken_s", [0.2, 0.7, 5.0])
def test_under_pause_no_prompt_is_said_over_a_voice_and_no_words_are_a_cough(key: str, spoken_s: float) -> None:
    text = prompting(greeting=key, idle_prompt=key, idle_s=2, barge_in="pause")
    script = [("quiet", 0.2), ("speech", spoken_s), ("quiet", 4.5), ("speech", spoken_s), ("quiet", 4.0)]
    played = play(script, graph_text=text, orchestrator=KNOWS)
    for started, ended in zip(played.of("speech_started"), played.of("speech_ended"), strict=True):
        assert not [at for at, _ in played.ear.pushes if started.t_us < at < ended.t_us]
        assert ended.voiced_ms < 500 or ended.reason == "silence"
    assert played.failures == []


def test_who_speaks_before_it_is_heard_takes_nothing_of_it_along() -> None:
    script = [("speech", 0.5), ("quiet", 4.0)]
    played = play(script, graph_text=prompting(greeting="hangs"), orchestrator=KNOWS)
    plain = play(script, orchestrator=KNOWS)
    assert played.marbles() == "AQSUCpEQPZp"
    assert [line["outcome"] for line in played.lines] == ["superseded", "completed"]
    assert [event.pcm for event in played.of("speech_ended")] == [event.pcm for event in plain.of("speech_ended")]
    assert Knows.last.closed == 0  # of the plain call, which had no prompt
    assert played.tasks_left == 0


@pytest.mark.parametrize("key", ["hm", "later hm"])
def test_an_orchestrator_may_have_the_sound_and_is_told_what_became_of_it(key: str) -> None:
    played = play([("quiet", 2)], graph_text=prompting(greeting=key), orchestrator=KNOWS)
    assert played.marbles() == "AQPZp"
    assert (Knows.last.asked, Knows.last.closed) == ([("s-0000", key)], 1)
    assert Knows.last.heard == [("s-0000", 500, True)]


def test_a_cancel_closes_the_iterator_of_a_prompt() -> None:
    played = play([("quiet", 1), ("speech", 0.5), ("quiet", 1)], graph_text=prompting(greeting="endless"),
                  orchestrator=KNOWS)  # fmt: skip
    assert "SBCp" in played.marbles()
    assert Knows.last.closed == 1
    assert ("on_barge_in_detected", "s-0000") in Knows.last.calls
    assert played.tasks_left == 0


def test_of_a_file_the_orchestrator_hears_nothing(hello: str) -> None:
    script = [("quiet", 0.3), ("speech", 0.6), ("quiet", 4)]
    play(script, graph_text=prompting(greeting=hello), orchestrator=KNOWS)
    assert {trace_id for _, trace_id in Knows.last.calls} == {"s-0001"}
    assert [trace_id for trace_id, _, _ in Knows.last.heard] == ["s-0001"]


@pytest.mark.parametrize(
    ("key", "outcome", "detail"),
    [
        ("nothing", "empty", ""),
        ("raises", "failed", "RuntimeError: no such sound"),
        ("text", "failed", "not bytes"),
        ("hangs", "timeout", "no audio for 0.6 s"),
        ("empty", "timeout", "no audio for 0.6 s"),
    ],
)
def test_a_prompt_that_does_not_come_costs_only_its_own_turn(key: str, outcome: str, detail: str) -> None:
    script = [("quiet", 1.0), ("speech", 0.5), ("quiet", 4.0)]
    settings: dict[str, Any] = {"orchestrator": KNOWS, "reply_timeout_ms": 600}
    played = play(script, graph_text=prompting(greeting=key), **settings)
    assert played.marbles() == "AQZpSEQZp"
    assert played.lines[0]["outcome"] == outcome
    assert detail in played.of("reply_ended")[0].detail
    assert (played.failures, played.tasks_left) == ([], 0)


def test_the_mock_has_no_sounds() -> None:
    played = play([("quiet", 1.0)], graph_text=prompting(greeting="hello"))
    assert [line["outcome"] for line in played.lines] == ["empty"]


@pytest.mark.parametrize("argument", ["greeting", "idle_prompt"])
def test_where_nobody_answers_there_is_none(argument: str) -> None:
    with pytest.raises(UserError, match=f"turn_events: {argument}: nobody says it where `answered` is false"):
        read_graph(prompting(**{argument: "hello", "answered": False}), Path("g.yaml"), load_settings())


def test_a_file_is_looked_at_when_the_graph_is_read() -> None:
    with pytest.raises(UserError, match=r"g.yaml:\d+:\d+: turn_events: idle_prompt: 'no.wav': there is no such file"):
        read_graph(prompting(idle_prompt="no.wav"), Path("g.yaml"), load_settings())


def test_with_another_graph_a_recorded_prompt_is_the_one_of_its_name(tmp_path: Path) -> None:
    script = [("quiet", 4.0), ("speech", 0.5), ("quiet", 4.0)]
    asks = prompting(greeting="hm", idle_prompt="later hm", idle_s=2)
    play(script, graph_text=asks, orchestrator=KNOWS, record=tmp_path / "call")
    later = tmp_path / "later.yaml"
    later.write_text(prompting(idle_prompt="hm", greeting="unknown", idle_s=1))
    replayed = replay_call(tmp_path / "call", changes=ReplayChanges(graph=str(later)))
    said = [(line["prompt"], line["outcome"], line["heard_ms"]) for line in replayed.metrics if "prompt" in line]
    assert said == [("unknown", "empty", 0), ("hm", "completed", 500), ("hm", "completed", 500)]


def test_pictures_show_them(tmp_path: Path) -> None:
    script = [("quiet", 3.0), ("speech", 0.5), ("quiet", 6.0)]
    text = prompting(greeting="hm", idle_prompt="hm", idle_s=2)
    text = text.replace(
        '{orchestrator: "${ORCHESTRATOR}"', '{orchestrator: "${ORCHESTRATOR}", filler: hm, filler_after_ms: 300'
    )
    play(script, graph_text=text, orchestrator=KNOWS, record=tmp_path / "call")
    replayed = replay_call(tmp_path / "call")
    picture = render(replayed)
    turns, bot = ("".join(row[8:] for row in picture.splitlines() if row.startswith(name)) for name in ("turns", "bot"))
    assert turns.strip("-")[0] == "A"
    assert turns.count("A") == 3
    assert "+=" in bot
    assert " A 0  prompted  hm\n" in picture
    assert " F 2  filler_started\n" in picture
    shown = timeline(replayed)
    assert [(turn.turn, turn.prompt) for turn in shown.turns] == [(0, "hm"), (1, "hm"), (2, ""), (3, "hm")]
    (filler,) = shown.fillers
    assert filler.end == next(p.start for p in shown.playback if p.turn == 2)


@pytest.mark.parametrize("sound", ["quiet", "dial tone", "hum", "babble"])
@pytest.mark.parametrize("detector", ["confirm", "silero"])
def test_noise_is_no_voice_to_the_idle_prompt(hello: str, sound: str, detector: str) -> None:
    played = play([(sound, 5)], graph_text=prompting(idle_prompt=hello, idle_s=3), vad_backend=detector)
    assert played.marbles() == "AQPZp"
    assert at_ms(played, "prompted") == [3020]


@pytest.mark.parametrize("sound", ["dial tone", "hum"])
@pytest.mark.parametrize("barge_in", ["stop", "pause", "ignore"])
def test_without_a_probability_steady_noise_is_one_turn_and_then_silence(hello: str, sound: str, barge_in: str) -> None:
    text = prompting(idle_prompt=hello, idle_s=3, barge_in=barge_in)
    played = play([(sound, 24)], graph_text=text, vad_backend="webrtc", mock_reply="tone:1")
    assert played.marbles() == "SEQPZpAQPZp"
    assert at_ms(played, "prompted") == [pytest.approx(played.of("playback_ended")[0].t_us / 1000 + 3000, abs=40)]
