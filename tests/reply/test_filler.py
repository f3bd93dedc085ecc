"""A filler: said once where a reply is late, before it and never into it; what is measured is the reply's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.orchestrators import Knows
from tests.stage import Played, play
from webapi.voice_node.audio_io import write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.orchestrator_mock import tone
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.marbles import render
from webapi.voice_node.replay.timeline.build import timeline

DEFAULT = (Path(__file__).parents[2] / "graphs" / "default.yaml").read_text(encoding="utf-8")
CALL = [("speech", 0.5), ("quiet", 4.0)]
OVER_IT = [("speech", 0.5), ("quiet", 0.9), ("speech", 0.6), ("quiet", 5.0)]  # talks while the filler is heard
KNOWS = "tests.orchestrators:Knows"


def with_filler(prompt: object, after_ms: int = 500) -> str:
    """The default graph with one."""
    reply = '{orchestrator: "${ORCHESTRATOR}"'
    assert reply in DEFAULT
    return DEFAULT.replace(reply, f'{reply}, filler: "{prompt}", filler_after_ms: {after_ms}')


def pausing(prompt: object) -> str:
    """With `barge_in: pause` too."""
    before = "          playback: playback  #"
    assert before in DEFAULT
    return with_filler(prompt).replace(before, f"          barge_in: pause\n{before}")


@pytest.fixture
def hm(tmp_path: Path) -> Path:
    """Half a second at another rate than the call's."""
    write_wav(tmp_path / "hm.wav", tone(0.5, 16_000, 300), 16_000)
    return tmp_path / "hm.wav"


def at_ms(played: Played, name: str) -> list[int]:
    """When events of that name came, from the end of the caller's first utterance on."""
    ended = played.of("speech_ended")[0].t_us
    return [(event.t_us - ended) // 1000 for event in played.of(name)]


def test_a_reply_that_is_quick_needs_none(hm: Path) -> None:
    settings: dict[str, Any] = {"mock_reply": "tone:1", "mock_think_ms": 499}
    plain = play(CALL, **settings)
    filled = play(CALL, graph_text=with_filler(hm), **settings)
    assert filled.events == plain.events
    assert filled.ear.pushes == plain.ear.pushes
    assert filled.tasks_left == 0


@pytest.mark.parametrize("think_ms", [600, 2000])
def test_it_is_said_once_and_the_reply_follows_it(hm: Path, think_ms: int) -> None:
    played = play(CALL, graph_text=with_filler(hm), mock_reply="tone:1", mock_think_ms=think_ms)
    (line,) = played.lines
    assert played.marbles() == "SEQFPZp"
    assert at_ms(played, "filler_started") == [500]
    begins = max(think_ms, 1005)  # behind the filler and the little silence at its end
    assert at_ms(played, "tts_first_chunk") == [think_ms]
    assert at_ms(played, "playback_started") == [begins]
    assert line["latency_speech_end_to_first_bot_chunk_ms"] == begins
    assert (line["outcome"], line["heard_ms"]) == ("completed", 1000)
    assert len(b"".join(pcm for _, pcm in played.ear.pushes)) == (505 + 1000) * 48 * 2
    ends = [at + len(pcm) // 96 * 1000 for at, pcm in played.ear.pushes]
    assert all(end <= at for end, (at, _) in zip(ends, played.ear.pushes[1:], strict=False))


def test_talking_over_it_is_a_barge_in_of_a_reply_of_which_nothing_was_heard(hm: Path) -> None:
    played = play(OVER_IT, graph_text=with_filler(hm), mock_reply="tone:1", mock_think_ms=2000)
    first, second = played.lines
    assert played.marbles() == "SEQFSBCpEQFPZp"
    assert (first["outcome"], first["heard_ms"], first["t6_first_bot_audio"]) == ("barged_in", 0, None)
    assert first["barge_in_stop_ms"] > 0
    assert second["outcome"] == "completed"
    (ended, _) = played.of("playback_ended")
    heard_us = ended.t_us - played.of("filler_started")[0].t_us
    assert len(played.ear.heard(0, ended.t_us / 1e6)) == heard_us * 48 // 1000 * 2
    assert 0 < ended.flushed_ms <= 505 - heard_us // 1000
    assert played.tasks_left == 0
    # What was said over it is an utterance of its own: the caller had heard something.
    assert played.of("speech_ended")[1].t_first_byte_us > played.of("speech_ended")[0].t_us


def test_a_cough_over_it_drops_it_and_words_interrupt_it(hm: Path) -> None:
    settings: dict[str, Any] = {"graph_text": pausing(hm), "mock_reply": "tone:1", "mock_think_ms": 2000}
    coughs = play([("speech", 0.5), ("quiet", 0.8), ("speech", 0.2), ("quiet", 4.0)], **settings)
    assert coughs.marbles() == "SEQFSHERPZp"
    assert [(line["outcome"], line["heard_ms"]) for line in coughs.lines] == [("empty", None), ("completed", 1000)]
    (halted,) = coughs.of("playback_paused")
    heard_us = halted.t_us - coughs.of("filler_started")[0].t_us
    assert (coughs.ear.clears, halted.heard_ms) == ([halted.t_us], 0)
    assert sum(len(pcm) for _, pcm in coughs.ear.pushes) == (heard_us * 48 // 1000 + 48_000) * 2
    assert at_ms(coughs, "playback_started") == [2000]  # the reply is as late as it would be without the cough
    assert (coughs.tasks_left, coughs.failures) == (0, [])
    words = play([("speech", 0.5), ("quiet", 0.75), ("speech", 0.7), ("quiet", 4.0)], **settings)
    assert words.marbles() == "SEQFSHBCpEQFPZp"
    assert [line["outcome"] for line in words.lines] == ["barged_in", "completed"]


def test_a_cough_over_it_lets_the_reply_behind_it_wait(hm: Path) -> None:
    call = [("speech", 0.5), ("quiet", 0.8), ("speech", 0.3), ("quiet", 4.0)]
    played = play(call, graph_text=pausing(hm), orchestrator="tests.orchestrators:KnowsAndInsists")
    assert played.marbles() == "SEQFSHERPZp"
    assert [line["outcome"] for line in played.lines] == ["empty", "completed"]
    assert played.of("playback_started")[0].t_us == played.of("playback_resumed")[0].t_us


@pytest.mark.parametrize("orchestrator", ["mock", "tests.orchestrators:InsistsLate"])
@pytest.mark.parametrize("spoken_s", [0.3, 0.7, 5.0])
@pytest.mark.parametrize("quiet_s", [0.75, 1.0, 1.3])  # before the voice: the filler begins at 0.7 s
def test_the_bot_never_speaks_over_a_voice_and_no_words_are_a_cough(
    hm: Path, quiet_s: float, spoken_s: float, orchestrator: str
) -> None:
    call = [("speech", 0.5), ("quiet", quiet_s), ("speech", spoken_s), ("quiet", 6.0)]
    settings: dict[str, Any] = {"orchestrator": orchestrator, "mock_reply": "tone:1", "mock_think_ms": 1300}
    played = play(call, graph_text=pausing(hm), **settings)
    for started, ended in zip(played.of("speech_started"), played.of("speech_ended"), strict=True):
        assert not [at for at, _ in played.ear.pushes if started.t_us < at < ended.t_us]
        assert ended.voiced_ms < 500 or ended.reason == "silence"
    assert [line["outcome"] for line in played.lines][-1] == "completed"
    assert ("barged_in" in [line["outcome"] for line in played.lines]) == (spoken_s > 0.5)
    assert (played.tasks_left, played.failures) == (0, [])


def test_two_coughs_over_a_filler_make_the_reply_wait_twice(hm: Path) -> None:
    call = [("speech", 0.5), ("quiet", 0.75), ("speech", 0.2), ("quiet", 0.3), ("speech", 0.2), ("quiet", 6.0)]
    played = play(call, graph_text=pausing(hm), mock_reply="tone:1", mock_think_ms=1300)
    assert played.marbles() == "SEQFSHERSHERPZp"
    assert [line["outcome"] for line in played.lines] == ["empty", "empty", "completed"]
    assert played.lines[-1]["heard_ms"] == 1000


def test_a_filler_that_halted_replays_as_it_was_and_pictures_show_no_reply_until_there_is_one(
    hm: Path, tmp_path: Path
) -> None:
    call = [("speech", 0.5), ("quiet", 0.8), ("speech", 0.2), ("quiet", 5.0)]
    settings: dict[str, Any] = {"mock_reply": "tone:1", "mock_think_ms": 2000}
    played = play(call, graph_text=pausing(hm), record=tmp_path / "call", **settings)
    replayed = replay_call(tmp_path / "call")
    assert [event["event"] for event in replayed.events] == played.names
    t = {event["event"]: event["t"] for event in replayed.events}
    (bot,) = (row[8:] for row in render(replayed).splitlines() if row.startswith("bot"))
    assert bot.index("=") == int(t["playback_started"] * 10)
    assert bot.index("+") < bot.index(":") < bot.index("=")
    shown = timeline(replayed)
    assert [(span.start, span.end) for span in shown.fillers] == [(t["filler_started"], t["playback_paused"])]
    assert [bar.start for bar in shown.playback] == [t["playback_started"]]


@pytest.mark.parametrize(
    ("orchestrator", "outcome"), [("RaisesLate", "failed"), ("Hangs", "timeout"), ("EmptyLate", "empty")]
)
def test_where_no_reply_comes_it_is_heard_to_its_end_and_the_outcome_says_so(
    hm: Path, orchestrator: str, outcome: str
) -> None:
    name = f"tests.orchestrators:{orchestrator}"
    played = play(CALL, graph_text=with_filler(hm), orchestrator=name, reply_timeout_ms=700)
    assert played.marbles() == "SEQFZp"
    assert [(line["outcome"], line["heard_ms"]) for line in played.lines] == [(outcome, 0)]
    assert sum(len(pcm) for _, pcm in played.ear.pushes) == 505 * 48 * 2
    assert at_ms(played, "playback_ended") == [1005 + 4]  # with what the resampler held back


@pytest.mark.parametrize(("key", "begins_ms"), [("hm", 500), ("later hm", 510)])
def test_an_orchestrator_may_have_the_sound(key: str, begins_ms: int) -> None:
    played = play(CALL, graph_text=with_filler(key), orchestrator=KNOWS)
    assert played.marbles() == "SEQFPZp"
    assert at_ms(played, "filler_started") == [begins_ms]
    assert at_ms(played, "playback_started") == [begins_ms + 505]
    assert (Knows.last.asked, Knows.last.closed) == ([("s-0000", key)], 1)
    assert Knows.last.heard == [("s-0000", 1000, True)]


@pytest.mark.parametrize("key", ["nothing", "hangs", "empty", "raises", "text"])
def test_a_sound_that_does_not_come_leaves_the_reply_as_it_is(key: str) -> None:
    plain = play(CALL, orchestrator=KNOWS)
    played = play(CALL, graph_text=with_filler(key), orchestrator=KNOWS)
    notices = played.of("hook_failed")
    assert [event for event in played.events if event not in notices] == plain.events
    assert [event.hook for event in notices] == (["play_filler"] if key in ("raises", "text") else [])
    assert Knows.last.closed == (1 if key in ("hangs", "empty") else 0)
    assert played.tasks_left == 0


def test_one_without_an_end_is_cut_at_ten_seconds() -> None:
    played = play([("speech", 0.5), ("quiet", 14)], graph_text=with_filler("endless"), orchestrator=KNOWS)
    assert at_ms(played, "playback_started") == [500 + 10_000 + 5]
    assert Knows.last.closed == 1


def test_a_class_without_the_method_and_the_mock_say_nothing() -> None:
    for orchestrator in ("mock", "tests.orchestrators:AllAsync"):
        plain = play(CALL, mock_think_ms=900, orchestrator=orchestrator)
        played = play(CALL, mock_think_ms=900, orchestrator=orchestrator, graph_text=with_filler("hm"))
        assert played.events == plain.events


def test_a_file_is_looked_for_beside_the_graph_and_then_where_the_node_runs(
    hm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = hm.parent / "elsewhere"
    elsewhere.mkdir()
    settings = load_settings()
    monkeypatch.chdir(elsewhere)
    assert read_graph(with_filler("hm.wav"), hm.parent / "g.yaml", settings)
    monkeypatch.chdir(hm.parent)
    assert read_graph(with_filler("hm.wav"), elsewhere / "g.yaml", settings)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "there is no such file, neither beside the graph nor in the working directory"),
        (b"RIFF", "hm.wav"),
        (b"", "hm.wav"),
        (0.0, "there is no audio in it"),
        (61.0, "61 s of audio; a prompt has at most 60 s"),
    ],
)
def test_a_file_that_can_not_be_played_is_told_with_its_place(
    tmp_path: Path, content: bytes | float | None, why: str
) -> None:
    if isinstance(content, float):
        write_wav(tmp_path / "hm.wav", bytes(round(content * 8000) * 2), 8000)
    elif content is not None:
        (tmp_path / "hm.wav").write_bytes(content)
    text = with_filler("hm.wav")
    with pytest.raises(UserError, match=why) as raised:
        read_graph(text, tmp_path / "g.yaml", load_settings())
    line, column = next((i, row.index('"hm.wav"')) for i, row in enumerate(text.splitlines(), 1) if "hm.wav" in row)
    assert str(raised.value).startswith(f"{tmp_path / 'g.yaml'}:{line}:{column + 1}: reply: filler: 'hm.wav': ")
    assert read_graph(text, tmp_path / "g.yaml", load_settings(), recorded=True)
