"""Two VADs as one: frame by frame, whoever comes first, over gaps and to the end."""

from __future__ import annotations

from typing import Any

import pytest
from reactivex import Subject

from webapi.voice_node.events import AudioGap, Frame, Voiced
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.combine import FARTHEST, combine

GAP = AudioGap(0, "muted")


def run(script: str, rule: Any) -> str:
    """Feed a script: `a1` is a voiced frame of the source, `b0` an unvoiced one of the other, `ag` a gap, `a.` the end.

    Gives what came out: 1, 0, g and . for the end.
    """
    streams: dict[str, Subject[Any]] = {"a": Subject(), "b": Subject()}
    count = {"a": 0, "b": 0}
    out: list[str] = []
    frames: list[int] = []

    def on_next(value: Voiced | AudioGap) -> None:
        out.append("g" if isinstance(value, AudioGap) else str(int(value.voiced)))
        if isinstance(value, Voiced):
            frames.append(value.frame.number)
            assert value.frame.rate == 8000  # the source's, never the other's

    combine(other=streams["b"], rule=rule)(streams["a"]).subscribe(on_next, on_completed=lambda: out.append("."))
    for word in script.split():
        who, what = word[0], word[1]
        if what == ".":
            streams[who].on_completed()
        elif what == "g":
            streams[who].on_next(GAP)
        else:
            frame = Frame(0, bytes(320), 8000 if who == "a" else 16_000, count[who])
            count[who] += 1
            streams[who].on_next(Voiced(frame, what == "1"))
    assert frames == list(range(len(frames)))
    return "".join(out)


def test_both_and_either() -> None:
    script = "a0 b0 a0 b1 a1 b0 a1 b1"
    assert run(script, "both") == "0001"
    assert run(script, "either") == "0111"


@pytest.mark.parametrize(
    ("rule", "mine", "theirs", "second"),
    [
        ("both", (False, 0.9), (False, 0.8), 0.9),
        ("both", (False, 0.9), (False, 0.1), None),
        ("both", (False, 0.9), (True, None), 0.9),
        ("both", (False, 0.9), (False, None), None),
        ("both", (True, None), (False, 0.9), None),
        ("either", (False, 0.1), (False, 0.9), 0.9),
        ("either", (False, None), (False, 0.9), 0.9),
        ("either", (True, None), (True, None), None),
    ],
)
def test_second_opinions_are_combined_as_flags_are(
    rule: Any, mine: tuple[bool, float | None], theirs: tuple[bool, float | None], second: float | None
) -> None:
    source, other, out = Subject[Any](), Subject[Any](), list[Voiced]()
    combine(other=other, rule=rule)(source).subscribe(out.append)
    frame = Frame(0, bytes(320), 8000, 0)
    source.on_next(Voiced(frame, mine[0], second=mine[1]))
    other.on_next(Voiced(frame, theirs[0], second=theirs[1]))
    assert out[0].second == second


@pytest.mark.parametrize("script", ["a1 a1 a0 b1 b0 b1", "b1 b0 b1 a1 a1 a0", "a1 b1 b0 a1 a0 b1"])
def test_frames_are_paired_in_order_whoever_is_ahead(script: str) -> None:
    assert run(script, "both") == "100"


def test_a_gap_waits_for_the_other_and_pairs_begin_anew_behind_it() -> None:
    assert run("a1 b1 ag", "both") == "1"
    assert run("a1 b1 ag bg a1 b1", "both") == "1g1"
    assert run("a1 b1 ag b1 bg a0 b1", "either") == "1g1"  # a frame more of the other: nothing to pair it with
    assert run("a1 b1 a1 bg ag a1 b1", "both") == "10g1"  # a frame more of the source: kept, unvoiced by the other
    assert run("a1 b1 a1 bg ag a1 b1", "either") == "11g1"


def test_it_is_over_when_both_are() -> None:
    assert run("a1 b1 a.", "both") == "1"
    assert run("a1 b. a.", "both") == "."
    assert run("b1 a. b.", "both") == "."


def test_streams_that_are_not_of_one_caller_are_refused_before_they_fill_the_memory() -> None:
    with pytest.raises(ValueError, match="500 frames ahead of the other"):
        run("a0 " * (FARTHEST + 1), "both")


def test_it_is_in_the_table() -> None:
    assert TABLE["combine"] is combine
