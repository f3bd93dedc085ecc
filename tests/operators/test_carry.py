"""Callers who pause in the middle: what the orchestrator is handed, through the whole graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.hearing import carry
from bench.hearing.carry import Handed, Outcome, hand_over, judge
from bench.hearing.voices import Prompt
from tests.stage import play
from webapi.voice_node.replay.sweep.scoring import SpeechSpan

SAID = (0.6, 0.4, 0.5)  # s, with pauses between


@pytest.mark.parametrize("pause_ms", [320, 500, 900, 1400])
@pytest.mark.parametrize("ahead_ms", [80, 300])
def test_who_goes_on_before_the_reply_is_heard_is_handed_over_whole(pause_ms: int, ahead_ms: int) -> None:
    pause = ("quiet", pause_ms / 1000)
    script = [("quiet", 0.4), ("speech", SAID[0]), pause, ("speech", SAID[1]), pause, ("speech", SAID[2]), ("quiet", 4)]
    played = play(script, vad_backend="webrtc", mock_think_ms=pause_ms + ahead_ms, mock_reply="tone:1")
    dropped = {event.turn.number for event in played.of("superseded")}
    stands = [event for event in played.of("speech_ended") if event.turn.number not in dropped]
    assert len(stands) == 1
    assert len(dropped) == 2
    said_s = sum(SAID) + 2 * pause_ms / 1000
    assert len(stands[0].pcm) / 2 / stands[0].rate >= said_s
    assert played.marbles().count("P") == 1


def test_who_is_waited_for_is_not_answered_in_the_middle() -> None:
    graph = Path(__file__).parents[2].joinpath("graphs/default.yaml").read_text(encoding="utf-8")
    patient = graph.replace("preroll_ms:", "patience_ms: 1000\n          preroll_ms:")
    script = [("quiet", 0.4), *[("speech", 0.5), ("quiet", 0.5)] * 6, ("quiet", 3)]
    superseded = [
        play(script, graph_text=text, vad_backend="webrtc", mock_think_ms=800).names.count("superseded")
        for text in (graph, patient)
    ]
    assert superseded == [5, 1]  # the first pause teaches it


def test_the_bench_finds_what_came_in_part() -> None:
    spans = [SpeechSpan(1, 3), SpeechSpan(6, 8), SpeechSpan(11, 14)]
    whole, first, rest = Handed(0.9, 3.0, 3.2, False), Handed(6.0, 6.9, 7.1, False), Handed(7.3, 8.0, 8.2, False)
    lost = Handed(12.0, 14.0, 14.2, False)
    told = judge(spans, Outcome([whole, first, rest, lost], [7.4]))
    assert (told.utterances, told.talked_over, told.part, told.part_unheard) == (3, 1, 2, 1)
    assert told.ends_ms == [pytest.approx(200)]


def test_the_bench_hands_over_as_the_node_does() -> None:
    flags = (*[False] * 20, *[True] * 30, *[False] * 20, *[True] * 30, *[False] * 100)
    likely = tuple(float(flag) for flag in flags)
    slow, quick = hand_over(flags, likely, 600), hand_over(flags, likely, 100)
    assert [h.superseded for h in slow.handed] == [True, False]
    assert slow.handed[1].first_s == slow.handed[0].first_s
    assert slow.over_s == []
    assert [h.superseded for h in quick.handed] == [False, False]
    assert len(quick.over_s) == 1
    assert len(hand_over(flags, likely, 100, patience_ms=1000).handed) == 2  # one pause, and it was answered: unknown


def test_its_scenes_say_when_who_spoke(monkeypatch: pytest.MonkeyPatch) -> None:
    word = carry_prompt()
    monkeypatch.setattr(carry, "prompts", lambda _: (word,))
    made = carry.scene("aa", 1, 0, (200, 500))
    assert carry.scene("aa", 1, 0, (200, 500)) == made
    assert len(made.spans) == carry.UTTERANCES
    pcm = np.abs(np.frombuffer(made.pcm, "<i2").astype(float))
    for span in made.spans:
        edges = [round(s * 8000) for s in span]
        assert pcm[edges[0] : edges[0] + 400].mean() > 10 * pcm[edges[0] - 400 : edges[0]].mean()
        assert pcm[edges[1] - 400 : edges[1]].mean() > 10 * pcm[edges[1] : edges[1] + 400].mean()


def carry_prompt() -> Prompt:
    """A second of a tone."""
    return Prompt("a", np.sin(np.arange(8000) / 4), ((0.0, 1.0),), 0.7)
