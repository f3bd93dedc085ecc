"""Endpoint: a table of frames, and where and why an utterance ends. M = 4."""

from __future__ import annotations

import pytest

from webapi.voice_node.hearing import endpoint
from webapi.voice_node.hearing.endpoint import End, Endpoint
from webapi.voice_node.hearing.onset import Onset
from webapi.voice_node.hearing.pause_estimator import PauseEstimate
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.utterance import Utterance

RULE = TurnRule(start_frames=3, end_frames=4, preroll_frames=0, max_frames=30, steady_frames=12)
PATIENT = RULE._replace(patience_frames=10)
UTTERANCE = Utterance(turn=0, first_frame=0, first_voiced_us=0, last_voiced_us=0, voiced_frames=3)


def run(frames: str, rule: TurnRule = RULE, *, sure: bool = False) -> tuple[Endpoint, int | None, End | None]:
    """The state, the frame with which it ends, and why. Frames: 1 voice, 0 none, f no voice though flagged as one."""
    state, voiced = Endpoint(), 0
    for number, char in enumerate(frames):
        state = endpoint.frame(state, char == "1", char != "0", rule)
        voiced = voiced + 1 if char == "1" else 0
        end = endpoint.ends(state, UTTERANCE, Onset(voiced), number, sure, rule)
        if end:
            return state, number, end
    return state, None, None


@pytest.mark.parametrize(
    ("frames", "at", "end"),
    [
        ("1110000", 6, End("silence", 0)),
        ("1110001", None, None),
        ("111000100010000", 14, End("silence", 0)),
        ("111ff00", 6, End("silence", 0)),  # some of it was silence to the detector too
        ("111ffff", 6, End("noise", 0)),  # the flag alone kept it open
        ("1" * 12, 11, End("noise", 1)),  # nobody talks so steadily
        ("1" * 11 + "0" + "1" * 11, None, None),
        ("10" * 15, 29, End("too_long", 4)),  # the longest utterance; then a pause must come
    ],
)
def test_where_and_why_it_ends(frames: str, at: int | None, end: End | None) -> None:
    assert run(frames)[1:] == (at, end)


def test_with_a_probability_steady_voice_is_no_noise() -> None:
    assert run("1" * 29, sure=True)[1] is None


@pytest.mark.parametrize(
    ("frames", "pauses"),
    [
        ("11101", None),  # a gap between words
        ("111001", PauseEstimate(8 * 2, 2 * 2)),  # half of M: a pause
        ("1110001", PauseEstimate(8 * 3, 2 * 3)),
        ("11100010001", PauseEstimate(8 * 3, 2 * 3 - (2 * 3 >> 2))),
    ],
)
def test_pauses_are_learnt_where_the_rule_has_patience(frames: str, pauses: PauseEstimate | None) -> None:
    assert run(frames, PATIENT)[0].pauses == pauses
    assert run(frames)[0].pauses is None


@pytest.mark.parametrize(
    ("mean", "deviation", "hold"),
    [(2, 0, 4), (5, 1, 6), (9, 0, 9), (9, 5, 10)],  # at least end_frames, at most patience_frames
)
def test_the_hold_follows_the_pauses_between_its_bounds(mean: int, deviation: int, hold: int) -> None:
    state = Endpoint(pauses=PauseEstimate(8 * mean, deviation))
    for unvoiced in range(1, 12):
        state = endpoint.frame(state, False, False, PATIENT)
        ended = endpoint.ends(state, UTTERANCE, Onset(), unvoiced, True, PATIENT)
        assert (ended is not None) is (unvoiced >= hold)


ASKED = RULE._replace(hold_frames=8, longest_hold_frames=24)


@pytest.mark.parametrize(
    ("done", "hold"),
    [
        (None, 8),  # not asked, or no answer yet
        *((1.0, 4), (0.7, 4)),  # done: as short as it may be
        *((0.6, 9), (0.5, 14), (0.4, 19)),  # between: on the line from (.7, 4) to (.3, 24)
        *((0.3, 24), (0.0, 24)),  # not done: as long as it may be
    ],
)
def test_the_hold_follows_the_probability_that_the_caller_is_done(done: float | None, hold: int) -> None:
    assert endpoint.hold(Endpoint(), done, ASKED) == hold
    for unvoiced in range(1, 30):
        ended = endpoint.ends(Endpoint(unvoiced), UTTERANCE, Onset(), unvoiced, True, ASKED, done)
        assert (ended is not None) is (unvoiced >= hold)


def test_an_answer_that_comes_late_ends_an_utterance_that_has_waited_long_enough() -> None:
    waited = Endpoint(unvoiced=6)
    assert endpoint.ends(waited, UTTERANCE, Onset(), 10, True, ASKED) is None
    assert endpoint.ends(waited, UTTERANCE, Onset(), 10, True, ASKED, 0.9) == End("silence", 0)


@pytest.mark.parametrize("done", [None, 0.0, 0.5, 1.0])
def test_without_a_longest_hold_the_probability_changes_nothing(done: float | None) -> None:
    assert endpoint.hold(Endpoint(), done, RULE) == RULE.end_frames
    assert endpoint.hold(Endpoint(pauses=PauseEstimate(8 * 7, 0)), done, PATIENT) == 7


def test_a_longest_hold_below_the_shortest_is_the_shortest() -> None:
    assert endpoint.hold(Endpoint(), 0.0, RULE._replace(longest_hold_frames=2)) == RULE.end_frames


@pytest.mark.parametrize(
    ("flag", "probability", "voice"),
    [(True, None, True), (False, None, False), (True, 0.59, False), (False, 0.6, True)],
)
def test_what_counts_as_voiced(flag: bool, probability: float | None, voice: bool) -> None:
    assert endpoint.is_voice(flag, probability) is voice
