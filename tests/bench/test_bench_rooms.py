"""bench.rooms: what its callers say, which of it is a turn; slopes over the number of calls, and the goals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.answered import Sentence, Turn, odd, sentences, share, turns_of
from bench.rooms import Cost, Step, cost, missed, table
from bench.rooms_callers import CYCLE, PIECE_BYTES, PIECE_MS, PIECES, QUIET, SENTENCES, Speech

ONE = Step("needed", 1, 14.0, 5.0, 60.0, (0.4, 2.0, 9.0), 1.0, 100.0, 20, 40, 30, 50.0)
STEPS = [
    replace(ONE, calls=0, cpu=12.0, pss_mb=90.0),  # six rooms, nobody in them
    ONE,
    replace(ONE, calls=6, cpu=64.0, pss_mb=130.0, late_ms=(0.8, 11.0, 30.0), turns=0.99),
]


def test_a_further_call_is_the_slope_over_the_calls() -> None:
    found = cost("needed", STEPS)
    assert found.cpu == pytest.approx(10)
    assert found.mb == pytest.approx(6)
    assert found.first_cpu == 14
    assert found.idle_cpu == 2
    assert (found.late_p50_ms, found.late_p99_ms, found.turns) == (0.8, 11, 0.99)


def test_rounds_count_by_their_median() -> None:
    others = [replace(step, cpu=step.cpu + more) for step in STEPS for more in (0.0, 0.5, 300.0)]
    assert cost("needed", others).cpu == pytest.approx(10)


def test_missed_goals_are_named() -> None:
    found: Cost = cost("needed", STEPS)
    assert missed([found]) == [
        "needed: 10.0 % of a core, goal 9",
        "needed: the loop 11.0 ms late at p99, goal 10",
    ]
    assert missed([replace(found, cpu=8.9, late_p99_ms=9.9)]) == []
    assert missed([replace(found, variant="bare")]) == []
    assert missed([replace(found, cpu=8.9, late_p99_ms=9.9, turns=0.97)]) == [
        "needed: 0.97 of the sentences were a turn, goal 0.98"
    ]


def test_one_number_of_calls_has_no_slope_and_no_ratio() -> None:
    found = cost("needed", STEPS[:2])
    assert (found.cpu, found.mb) == (0, 0)
    assert list(table([found], 1).columns[2].cells) == [""]


def spoken(number: int, pieces: int) -> tuple[Speech, list[bytes]]:
    """What the caller of that number says in so many pieces. The time of a piece is its number."""
    speech = Speech(number)
    return speech, [speech.piece(at) for at in range(pieces)]


def test_a_sentence_is_what_is_no_silence_in_the_cycle() -> None:
    heard = [any(CYCLE[at * PIECE_BYTES : (at + 1) * PIECE_BYTES]) for at in range(PIECES)]
    assert heard == [any(first <= at < end for first, end in SENTENCES) for at in range(PIECES)]
    assert PIECES * PIECE_MS == 8000


@pytest.mark.parametrize("number", range(11))
def test_a_caller_says_whole_sentences_and_nothing_before_it_can_be_heard(number: int) -> None:
    speech, pieces = spoken(number, 3 * PIECES)
    assert not any(map(any, pieces[:QUIET]))
    loud = [at for at, piece in enumerate(pieces) if any(piece)]
    begins = [at for at in loud if at - 1 not in loud]
    ends = [at + 1 for at in loud if at + 1 not in loud]
    assert speech.said == [(begin, end) for begin, end in zip(begins, ends, strict=True) if end < len(pieces)]
    assert {end - begin for begin, end in speech.said} == {end - first for first, end in SENTENCES}
    assert len(speech.said) >= 4


def test_a_sentence_is_a_turn_where_one_turn_began_in_it() -> None:
    said = [Sentence("a", 1.0, 2.0), Sentence("a", 4.0, 5.0), Sentence("b", 1.0, 2.0)]
    turns = [Turn("a", 1.1), Turn("a", 5.4), Turn("b", 1.1)]
    assert odd(said, turns) == []
    assert share(said, turns) == 1


def test_a_sentence_that_is_missed_or_merged_or_split_is_no_turn() -> None:
    said = [Sentence("a", 1.0, 2.0), Sentence("a", 4.0, 5.0), Sentence("b", 1.0, 2.0), Sentence("c", 1.0, 2.0)]
    # In `a` the second was taken with the first: the turn that has both begins with the first. In `b` there are two.
    turns = [Turn("a", 1.1), Turn("b", 1.1), Turn("b", 1.8), Turn("c", 0.9)]
    assert odd(said, turns) == said[1:]
    assert share(said, turns) == 0.25


def test_sentences_count_that_end_in_the_window() -> None:
    said = [("a", 1.0, 2.0), ("a", 3.0, 4.0), ("a", 5.0, 6.0), ("b", 2.5, 3.5)]
    assert sentences(said, ["a", "b"], 2.5, 6.0) == [Sentence("a", 3.0, 4.0), Sentence("b", 2.5, 3.5)]


def test_a_caller_who_said_nothing_is_not_taken_for_one_who_missed_nothing() -> None:
    with pytest.raises(RuntimeError, match="no bot was there in time: b, c"):
        sentences([("a", 1.0, 2.0), ("b", 7.0, 8.0)], ["a", "b", "c"], 0.0, 6.0)
    assert share(sentences([], [], 0.0, 6.0), []) == 1


def test_only_what_was_answered_is_a_turn() -> None:
    line = {"room": "a", "t1_first_user_audio": 1.0, "t6_first_bot_audio": 2.0}
    unanswered = {**line, "t6_first_bot_audio": None}
    prompt = {**line, "t1_first_user_audio": None}
    assert turns_of([line, unanswered, prompt]) == [Turn("a", 1.0)]
