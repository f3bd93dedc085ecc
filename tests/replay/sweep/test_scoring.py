"""Scores by hand: a table of what was said, what was heard, and what that counts as."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.voice_node.replay.sweep.matching import match
from webapi.voice_node.replay.sweep.scoring import Heard, Score, SpeechSpan, score

LABELS = [SpeechSpan(1.0, 2.0), SpeechSpan(4.0, 6.0)]


def heard(*spans: tuple[float, float]) -> list[Heard]:
    """Each from its first voiced frame to its decided end; its start is decided 100 ms after that frame."""
    return [Heard(onset + 0.1, onset, end) for onset, end in spans]


@pytest.mark.parametrize(
    ("spans", "kinds", "start_delays", "end_delays"),
    [
        pytest.param([], [], [], [], id="nothing heard"),
        pytest.param([(1.05, 2.2), (4.0, 6.3)], ["found", "found"], [0.15, 0.1], [0.2, 0.3], id="all heard"),
        pytest.param([(0.7, 2.2)], ["found"], [-0.2], [0.2], id="just near enough, before"),
        pytest.param([(1.3, 2.2)], ["found"], [0.4], [0.2], id="just near enough, behind"),
        pytest.param([(0.69, 2.2)], ["false"], [], [0.2], id="too early: begins where nobody spoke"),
        pytest.param([(1.31, 2.2)], ["late"], [], [0.2], id="too late"),
        pytest.param([(1.5, 1.8), (1.85, 2.2)], ["late", "split"], [], [0.2], id="late, then in two"),
        pytest.param([(4.0, 4.9), (5.1, 6.2)], ["found", "split"], [0.1], [0.2], id="one becomes two"),
        pytest.param([(4.0, 5.5)], ["found"], [0.1], [-0.5], id="cut off"),
        pytest.param([(1.0, 6.2)], ["found"], [0.1], [0.2], id="two become one, with one end"),
        pytest.param([(2.5, 3.0), (7.0, 8.0)], ["false", "false"], [], [], id="nobody spoke"),
        pytest.param([(2.0, 3.0)], ["false"], [], [], id="a label's end is no part of it"),
        pytest.param([(0.8, 0.9), (1.01, 2.2)], ["false", "found"], [0.11], [0.2], id="the nearest is the one found"),
    ],
)  # fmt: skip
def test_what_it_counts_as(
    spans: list[tuple[float, float]], kinds: list[str], start_delays: list[float], end_delays: list[float]
) -> None:
    scored = score(LABELS, heard(*spans), 10.0)
    assert list(scored.kinds) == kinds
    assert list(scored.start_delays_s) == start_delays
    assert list(scored.end_delays_s) == end_delays
    assert (scored.found, scored.missed) == (kinds.count("found"), 2 - kinds.count("found"))
    assert (scored.late, scored.splits, scored.false) == tuple(kinds.count(k) for k in ("late", "split", "false"))
    assert (scored.speech_s, scored.quiet_s) == (3.0, 7.0)


def test_scores_add_up() -> None:
    one, two = score(LABELS, heard((1.0, 2.2), (7.0, 8.0)), 10.0), score([], heard((0.5, 1.0)), 5.0)
    both = sum([one, two], Score())
    assert (both.labels, both.found, both.missed, both.false) == (2, 1, 1, 2)
    assert both.quiet_s == 12.0
    assert both.false_per_minute == 10.0


def test_where_all_is_speech_there_is_no_rate() -> None:
    assert score([SpeechSpan(0.0, 3.0)], [], 3.0).false_per_minute is None
    assert score([], [], 3.0).false_per_minute == 0.0


def test_two_wishes_for_one_get_one() -> None:
    assert match([1.0, 1.2], [1.1], 0.3) == [(0, 0)] or match([1.0, 1.2], [1.1], 0.3) == [(1, 0)]
    assert match([1.0, 1.2], [0.8, 1.0], 0.3) == [(0, 0), (1, 1)]  # both, though 1.0 and 1.0 are nearer


times = st.lists(st.integers(0, 30).map(lambda tenth: tenth / 10), max_size=5).map(sorted)


@given(times, times)
def test_no_other_pairing_is_better(wanted: list[float], there: list[float]) -> None:
    pairs = match(wanted, there, 0.3)
    assert [sorted(side) for side in zip(*pairs, strict=True)] == [list(side) for side in zip(*pairs, strict=True)]
    assert len({i for i, _ in pairs}) == len({k for _, k in pairs}) == len(pairs)
    assert quality(pairs, wanted, there) == max(every_quality(wanted, there))


def quality(pairs: Sequence[tuple[int, int]], wanted: Sequence[float], there: Sequence[float]) -> tuple[int, float]:
    return len(pairs), -round(sum(abs(wanted[i] - there[k]) for i, k in pairs), 6)


def every_quality(wanted: Sequence[float], there: Sequence[float]) -> list[tuple[int, float]]:
    """Of all ways to pair them, in any order."""
    found = []
    for n in range(min(len(wanted), len(there)) + 1):
        for some in combinations(range(len(wanted)), n):
            for others in permutations(range(len(there)), n):
                pairs = list(zip(some, others, strict=True))
                if all(round(abs(wanted[i] - there[k]), 6) <= 0.3 for i, k in pairs):
                    found.append(quality(pairs, wanted, there))
    return found


def test_an_hour_of_onsets_is_matched_at_once() -> None:
    wanted = [i * 0.5 for i in range(7200)]
    there = [t + 0.1 for t in wanted]
    assert match(wanted, there, 0.3) == [(i, i) for i in range(7200)]
