"""Onset: a table of frames, and where an utterance opens. N = 6."""

from __future__ import annotations

import pytest

from webapi.voice_node.hearing import onset
from webapi.voice_node.hearing.endpoint import END
from webapi.voice_node.hearing.onset import BARGE_IN, NO_RUN, START, Onset
from webapi.voice_node.hearing.turn_rule import TurnRule

RULE = TurnRule(start_frames=6, end_frames=4, preroll_frames=0, max_frames=1000)


def opens(frames: str, start: Onset = NO_RUN) -> str:
    """`^` under each frame that opens. Frames: 1 voiced, 0 not, d voiced by the flag but doubted by the probability."""
    state, found = start, ""
    for number, char in enumerate(frames):
        state = onset.frame(state, char != "0", char == "d", number, number, RULE)
        found += "^" if onset.opens(state, None, None, False, RULE) else "-"
    return found


@pytest.mark.parametrize(
    ("frames", "expected", "start"),
    [
        ("0011111100", "-------^--", NO_RUN),
        ("1111101111", "----------", NO_RUN),  # one unvoiced frame breaks a run
        ("11111111", "-----^^^", NO_RUN),  # it stays open: the reducer looks only while nobody speaks
        ("ddddd1", "-----^", NO_RUN),  # doubted frames count; the probability has its say in `opens`
        ("1111111111", "----------", Onset(pause_needed=1)),  # after steady noise: no pause, no onset
        ("11110111111", "----------^", Onset(pause_needed=1)),
        ("1d111111", "-------^", Onset(pause_needed=1)),  # a doubted frame is a pause too
        ("11000111000011111", "-----------------", Onset(pause_needed=4)),
        ("110001110000111111", "-----------------^", Onset(pause_needed=4)),
    ],
)
def test_where_it_opens(frames: str, expected: str, start: Onset) -> None:
    assert opens(frames, start) == expected


@pytest.mark.parametrize(
    ("frames", "first"),
    [("00111111", 2), ("11011111111", 3), ("1111ddd1", 6), ("11111ddd1", 7), ("111111ddd111", 8)],
)
def test_where_the_run_began(frames: str, first: int) -> None:
    """Doubted frames after N voiced ones move the beginning: noise may be voiced for long before a voice begins."""
    state = NO_RUN
    for number, char in enumerate(frames):
        state = onset.frame(state, char != "0", char == "d", number, 20 * number, RULE)
    assert (state.first_frame, state.first_us) == (first, 20 * first)


@pytest.mark.parametrize(
    ("run", "probability", "echo_left", "playing", "expected"),
    [
        (5, None, None, False, False),
        (6, None, None, False, True),
        (3, 0.99, None, False, False),
        (4, 0.79, None, False, False),
        (4, 0.8, None, False, True),  # SOONER, where the probability is there
        (5, 0.99, None, True, False),  # over a reply: N frames
        (6, 0.89, None, True, False),
        (6, 0.9, None, True, True),
        (6, None, None, True, True),  # without a probability, frames alone
        (4, 0.8, 0.0, True, True),  # all of the echo is cancelled: as without a reply
        (17, 1.0, 1.0, True, False),  # none of it is: three times N frames of certainty
        (18, 0.99, 1.0, True, False),
        (18, 1.0, 1.0, True, True),
        (11, 0.9, 0.5, True, True),
        (10, 0.9, 0.5, True, False),
        (11, 0.89, 0.5, True, False),
        (4, 0.8, 1.0, False, True),  # no reply plays: echo does not matter
        (99, 1.0, 2.0, True, False),  # it is the bot
        (99, None, 2.0, True, False),
        (99, 1.0, 2.0, False, False),  # what it said last comes back
    ],
)
def test_what_is_asked(
    run: int, probability: float | None, echo_left: float | None, playing: bool, expected: bool
) -> None:
    assert onset.opens(Onset(run), probability, echo_left, playing, RULE) is expected


def test_a_start_needs_more_certainty_than_going_on() -> None:
    assert END < onset.START < onset.BARGE_IN


@pytest.mark.parametrize(
    ("probability", "echo_left", "playing", "expected"),
    [
        (None, None, False, (7, 6, None, None)),
        (None, None, True, (7, 6, None, None)),
        (0.91234567, None, False, (7, 4, 0.9123, START)),
        (0.95, None, True, (7, 6, 0.95, BARGE_IN)),
        (0.95, 0.0, True, (7, 4, 0.95, START)),
        (1.0, 1.0, True, (7, 18, 1.0, 1.0)),
        (0.95, 0.3, True, (7, 8, 0.95, 0.86)),
    ],
)
def test_how_narrow_a_start_is(
    probability: float | None, echo_left: float | None, playing: bool, expected: tuple[object, ...]
) -> None:
    assert onset.margin(Onset(7, 0, 0), probability, echo_left, playing, RULE) == expected


def test_the_margin_of_a_start_by_length_is_that_of_its_own_rule() -> None:
    held = Onset(12, held=RULE.start_frames + onset.LONGER)
    assert onset.margin(held, onset.HELD, None, False, RULE) == (12, held.held, onset.HELD, onset.HELD)
    assert onset.margin(held, START, None, False, RULE) == (12, 4, START, START)  # the shorter one, where both are met
    assert onset.margin(held, onset.HELD, None, True, RULE) == (12, 6, onset.HELD, BARGE_IN)


@pytest.mark.parametrize("echo_left", [None, 0.0, 0.25, 1.0])
@pytest.mark.parametrize("playing", [False, True])
@pytest.mark.parametrize("run", range(1, 20))
@pytest.mark.parametrize("held", [0, 9, 10])
def test_an_utterance_opens_where_the_margin_says_so(
    run: int, held: int, playing: bool, echo_left: float | None
) -> None:
    state = Onset(run, held=min(run, held))
    for probability in (None, 0.5, 0.79, 0.8, 0.86, 0.9, 1.0):
        margin = onset.margin(state, probability, echo_left, playing, RULE)
        enough = margin.probability is None or margin.threshold is None or margin.probability >= margin.threshold
        assert onset.opens(state, probability, echo_left, playing, RULE) is (run >= margin.needed and enough)
