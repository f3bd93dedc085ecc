"""The turn reducer where a reply that is talked over halts: a cough, or words?"""

from __future__ import annotations

from tests.timelines import RULE, marbles, run
from webapi.voice_node.hearing.decisions import Ended
from webapi.voice_node.hearing.interruption import PendingReply

PAUSE = RULE._replace(min_interruption_frames=6)


def test_a_cough_halts_the_reply_and_its_end_lets_it_go_on() -> None:
    assert marbles("1110000>0011110000000", PAUSE) == "--S---E---SH----ER---"
    _, found = run("1110000>0011110000000", PAUSE)
    (cough,) = (d for _, d in found if isinstance(d, Ended) and d.utterance.turn == 1)
    assert (cough.reason, cough.utterance.voiced_frames) == ("cough", 4)


def test_who_goes_on_speaking_interrupts_it_as_soon_as_it_is_no_cough() -> None:
    assert marbles("1110000>00111111110000", PAUSE) == "--S---E---SH--B-----E"


def test_voice_adds_up_over_short_pauses() -> None:
    assert marbles("1110000>0011100100110", PAUSE) == "--S---E---SH------B-"


def test_a_cough_is_followed_by_another_or_by_words() -> None:
    assert marbles("1110000>00111000001110000000111111", PAUSE) == "--S---E---SH---ER---SH---ER-----SH--B"


def test_what_follows_a_cough_is_a_turn_of_its_own_that_is_answered() -> None:
    state, found = run("1110000>00111000001111110000", PAUSE)
    last = [d for _, d in found if isinstance(d, Ended)][-1]
    assert (last.utterance.turn, last.reason, last.utterance.voiced_frames) == (2, "silence", 6)
    assert last.utterance.first_frame > 10  # the cough is none of it
    assert state.reply == PendingReply(last.utterance, playing=False, since=22)


def test_a_reply_that_is_over_while_it_halts_leaves_the_words_a_turn() -> None:
    state, found = run("1110000>00111<01110000", PAUSE)
    last = [d for _, d in found if isinstance(d, Ended)][-1]
    assert (last.utterance.turn, last.reason, last.utterance.voiced_frames) == (1, "silence", 6)
    assert state.reply == PendingReply(last.utterance, playing=False, since=14)


def test_no_voice_longer_than_a_cough_is_one_even_over_a_reply_that_must_be_heard() -> None:
    assert marbles("1110000>00111!0000001111", PAUSE) == "--S---E---SH---ER-----"
    state, found = run("1110000>00111!0111110000", PAUSE)
    assert marbles("1110000>00111!0111110000", PAUSE) == "--S---E---SH--B-----E"
    last = [d for _, d in found if isinstance(d, Ended)][-1]
    assert (last.utterance.turn, last.reason, last.utterance.voiced_frames) == (1, "silence", 8)
    assert state.reply == PendingReply(last.utterance, playing=False, since=16)


def test_audio_that_stops_within_a_cough_lets_the_reply_go_on() -> None:
    assert marbles("1110000>00111g", PAUSE) == "--S---E---SHER"


def test_a_start_as_long_as_a_word_interrupts_at_once() -> None:
    assert marbles("1110000>0000111", RULE._replace(min_interruption_frames=3)) == "--S---E-----SB"


def test_a_reply_that_is_not_heard_yet_is_superseded_whatever_the_policy() -> None:
    assert marbles("1110000111", PAUSE) == "--S---E--SU"
