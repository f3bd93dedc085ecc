"""The benchmark of the end of a turn: which pause is what, and what a rule does there, on timelines made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.turns import ask, scoring
from bench.turns.curves import SILENT, fires, shipped
from bench.turns.measure import figures
from bench.turns.pauses import Recording, Segment, merged, pauses
from bench.turns.scoring import Pauses, Point, Policy
from webapi.voice_node.hearing import endpoint
from webapi.voice_node.hearing.endpoint import Endpoint
from webapi.voice_node.hearing.turn_rule import TurnRule

RATE_HZ = 8000


def recording(*segments: tuple[str, float, float], length_s: float = 20.0, closed: bool = False) -> Recording:
    """A silent recording with these labels."""
    made = tuple(Segment(speaker, start_s, end_s, speaker.lower()) for speaker, start_s, end_s in segments)
    pcm = bytes(round(length_s * RATE_HZ) * 2)
    return Recording("it", "meetings", "it", True, pcm, RATE_HZ, made, closed=closed)


def labels(*segments: tuple[str, float, float], closed: bool = False) -> list[tuple[float, float, bool]]:
    """Where its pauses begin, how long they are, and whether they end a turn."""
    found = pauses(recording(*segments, closed=closed))
    return [(p.begins_s, round(p.silence_s, 3), p.ends) for p in found]


def timeline(*holds_s: float, ends: int = 1, likely: float | tuple[float, ...] = 0.0) -> Pauses:
    """A turn with these holds, and so many ends."""
    silence_s = np.array([*holds_s, *[9.0] * ends])
    p = np.full(len(silence_s), likely) if isinstance(likely, float) else np.array(likely)
    over = np.arange(len(silence_s)) >= len(holds_s)
    none = np.zeros(len(silence_s))
    return Pauses(silence_s, over, p, none + np.inf, none.astype(np.int64), none, none)


# ---------------------------------------------------------------- which pause is what


def test_the_same_speaker_goes_on_and_it_is_a_hold_another_takes_over_and_it_is_an_end() -> None:
    found = labels(("A", 1.0, 2.0), ("A", 2.5, 4.0), ("B", 4.3, 8.0))
    assert found == [(2.0, 0.5, False), (4.0, 0.3, True)]


def test_silences_below_100_ms_belong_to_the_word() -> None:
    assert labels(("A", 1.0, 2.0), ("A", 2.09, 4.0), ("B", 4.05, 8.0)) == []
    assert merged([Segment("A", 2.05, 3, "b"), Segment("A", 1, 2, "a")]) == [Segment("A", 1, 3, "a b")]


def test_a_remark_says_nothing_of_the_pause_before_it_and_a_turn_does() -> None:
    assert labels(("A", 1.0, 4.0), ("B", 4.5, 5.0), ("A", 5.5, 8.0)) == [(5.0, 0.5, True)]
    assert labels(("A", 1.0, 4.0), ("B", 4.5, 6.0), ("A", 6.5, 8.0)) == [(4.0, 0.5, True), (6.0, 0.5, True)]


def test_where_another_was_heard_shortly_before_or_still_is_there_is_no_pause() -> None:
    assert labels(("A", 1.0, 4.0), ("B", 3.0, 3.5), ("B", 5.0, 9.0)) == []
    assert labels(("A", 1.0, 4.0), ("B", 3.0, 6.0)) == []


def test_a_very_long_silence_is_no_hold_and_the_last_one_an_end_only_where_it_is_said_so() -> None:
    assert labels(("A", 1.0, 2.0), ("A", 8.0, 9.0)) == []
    assert labels(("A", 1.0, 2.0), ("A", 2.5, 9.0), closed=True) == [(2.0, 0.5, False), (9.0, 11.0, True)]


def test_the_pauses_of_a_turn_have_its_number_and_its_words_so_far() -> None:
    found = pauses(recording(("A", 1, 2), ("A", 2.5, 3), ("B", 3.5, 5), ("A", 6, 7), closed=True))
    assert [(p.turn, p.words) for p in found] == [(0, "a"), (0, "a a"), (1, "b"), (2, "a")]


def test_a_backend_gets_the_turn_and_200_ms_of_the_pause_and_nothing_of_what_follows() -> None:
    samples = np.arange(4 * RATE_HZ, dtype="<i2")
    made = recording(("A", 1.0, 2.0), ("A", 2.1, 3.0), closed=True)._replace(pcm=samples.tobytes())
    first, last = pauses(made)
    said = np.frombuffer(first.said().pcm, "<i2")
    assert said[0] == 0.8 * RATE_HZ  # 200 ms before the first word
    assert len(said) == 1.4 * RATE_HZ
    assert said.max() < 2.1 * RATE_HZ  # a pause of 100 ms is heard twice, instead of the next word
    assert np.frombuffer(last.said().pcm, "<i2")[-1] == 3.2 * RATE_HZ - 1


# ---------------------------------------------------------------- what a rule does there


def test_a_hold_that_is_longer_than_the_rule_waits_is_a_cut_off_and_the_ends_are_waited_for() -> None:
    of = timeline(0.3, 0.5, 0.9, 1.5, ends=2)
    assert scoring.score(of, scoring.fire(scoring.threshold, of, Policy(0.0, 0.5, 0.5))).tolist() == [0.5, 0.5]
    assert scoring.score(of, scoring.fire(scoring.threshold, of, Policy(0.0, 2.0, 2.0))).tolist() == [0.0, 2.0]


def test_holds_below_200_ms_are_not_counted() -> None:
    of = timeline(0.15, 0.2, 0.9)
    assert scoring.score(of, scoring.fire(scoring.threshold, of, Policy(0.0, 0.5, 0.5)))[0] == 0.5


def test_a_sure_backend_fires_after_the_delay_and_an_unsure_one_after_the_timeout() -> None:
    of = timeline(0.9, 0.9, 0.9, ends=2, likely=(0.2, 0.7, 0.8, 0.7, 0.6))
    after_s, forced = scoring.fire(scoring.threshold, of, Policy(0.7, 0.3, 3.0))
    assert after_s.tolist() == [3.0, 0.3, 0.3, 0.3, 3.0]
    assert forced.tolist() == [True, False, False, False, True]
    cut_offs, wait_s = scoring.score(of, scoring.fire(scoring.threshold, of, Policy(0.7, 0.3, 3.0)))
    assert cut_offs == pytest.approx(2 / 3)
    assert wait_s == pytest.approx(1.65)


def test_a_graded_rule_waits_as_the_node_does() -> None:
    likely = tuple(k / 40 for k in range(41))
    after_s = scoring.fire(scoring.graded, timeline(ends=41, likely=likely), Policy(0.7, 0.2, 2.0)).after_s
    rule = TurnRule(6, 10, preroll_frames=12, max_frames=6000, longest_hold_frames=100, done_at=0.7, open_at=0.3)
    assert np.round(after_s / 0.02).tolist() == [endpoint.hold(Endpoint(), p, rule) for p in likely]


def test_where_digits_are_expected_it_waits_at_least_as_long_as_the_node() -> None:
    (of,) = arrays(expects="digits", likely=0.9)
    assert scoring.fire(scoring.bounded, of, Policy(0.7, 0.2, 2.0)).after_s.tolist() == [0.8, 0.8]
    (of,) = arrays(expects="digits", likely=0.0)
    assert scoring.fire(scoring.bounded, of, Policy(0.7, 0.2, 2.0)).after_s.tolist() == pytest.approx([2.4, 2.4])
    (of,) = arrays(expects="", likely=0.9)
    assert scoring.fire(scoring.bounded, of, Policy(0.7, 0.2, 2.0)).after_s.tolist() == [0.2, 0.2]


def arrays(*, expects: str, likely: float) -> list[Pauses]:
    """A hold and an end as the benchmark makes arrays of them."""
    found = pauses(recording(("A", 1.0, 2.0), ("A", 2.5, 4.0), closed=True)._replace(expects=expects))
    return [ask.arrays(found, np.full(2, likely), np.full(2, np.inf))]


def test_an_unlikely_end_waits_as_long_as_this_caller_pauses_at_most_the_timeout() -> None:
    of = timeline(ends=4, likely=0.1)._replace(usual_s=np.array([np.inf, 0.1, 0.8, 2.0]))
    assert scoring.fire(scoring.usual, of, Policy(0.5, 0.3, 1.5)).after_s.tolist() == [1.5, 0.3, 0.8, 1.5]


def test_turns_are_counted_as_early_stuck_and_forced() -> None:
    # Four turns of a hold and an end each; in the first the hold is cut off, the last two are not sure.
    of = timeline(0.9, 0.3, 0.3, 0.3, ends=4, likely=(1, 0, 0, 0, 1, 1, 0.1, 0))
    of = of._replace(turn=np.array([0, 1, 2, 3, 0, 1, 2, 3]))
    assert scoring.counts(of, scoring.fire(scoring.threshold, of, Policy(0.5, 0.2, 3.0))) == (0.25, 0.0, 0.5)
    assert scoring.counts(of, scoring.fire(scoring.threshold, of, Policy(0.5, 0.2, math.inf))) == (0.25, 0.5, 0.0)


def test_sources_weigh_the_same_however_many_pauses_they_have() -> None:
    few, many = timeline(0.9), timeline(*[0.3] * 99)
    (point,) = scoring.sweep([few, many], scoring.threshold, [Policy(0.0, 0.5, 0.5)])
    assert point.cut_offs == 0.5


def test_the_front_has_the_best_trade_offs_and_the_figures_are_read_from_it() -> None:
    def at(wait_s: float, cut_offs: float) -> Point:
        return Point(Policy(), cut_offs, wait_s)

    points = [at(0.9, 0.04), at(0.25, 0.5), at(0.5, 0.2), at(0.6, 0.3), at(0.5, 0.25), at(1.2, 0.04)]
    assert [(p.wait_s, p.cut_offs) for p in scoring.front(points)] == [(0.25, 0.5), (0.5, 0.2), (0.9, 0.04)]
    assert list(figures(scoring.front(points)).values()) == [0.5, 0.2, 0.2, 0.9]
    assert list(figures([at(0.9, 0.1)]).values()) == [None] * 4


def test_the_interval_surrounds_the_share() -> None:
    of = timeline(*[0.3, 0.9] * 50, ends=0)._replace(turn=np.arange(100))
    low, high = scoring.interval([of], lambda pauses: scoring.fire(scoring.threshold, pauses, Policy(0.0, 0.5, 0.5)))
    assert 0.35 < low < 0.5 < high < 0.65


def test_silence_alone_cuts_off_the_less_the_longer_it_waits() -> None:
    of = timeline(*np.linspace(0.2, 3.0, 30).tolist())
    shares = [p.cut_offs for p in scoring.sweep([of], scoring.threshold, SILENT)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(29 / 30)
    assert shares[-1] == 0


def test_the_rules_of_others_fire_at_their_numbers() -> None:
    of = timeline(ends=2, likely=(0.5, 0.4))
    found = {rule.name: fires(rule, of) for rule in shipped(["smart-turn"])}
    assert found["pipecat"].after_s.tolist() == [0.2, 3.0]
    assert found["livekit-agents"].after_s.tolist() == [0.5, 3.0]
    assert found["silence 0.8 s"].after_s.tolist() == [0.8, 0.8]
    assert not found["silence 0.8 s"].forced.any()


def test_a_callers_usual_pauses_are_learnt_from_the_holds_before() -> None:
    turns = [("A", 1.0, 2.0), ("A", 2.6, 4.0), ("A", 4.6, 9.0), ("B", 9.5, 12.0)]
    found = pauses(recording(*turns))
    assert [p.ends for p in found] == [False, False, True]
    first, second, third = ask.usual_s(found).tolist()
    assert (first, second) == (math.inf, pytest.approx(0.6 + 4 * 0.3))
    assert 0.6 < third < second
