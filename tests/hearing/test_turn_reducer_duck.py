"""The turn reducer where a reply that is talked over becomes soft: a backchannel, or a turn?"""

from __future__ import annotations

from tests.timelines import LETTERS, RULE, marbles, run
from webapi.voice_node.events import PlaybackStarted, Turn
from webapi.voice_node.hearing import turn_reducer
from webapi.voice_node.hearing.decisions import Ducked, Ended, Interrupted
from webapi.voice_node.hearing.interruption import PendingReply
from webapi.voice_node.hearing.turn_rule import DuckRule
from webapi.voice_node.hearing.turn_state import TurnState
from webapi.voice_node.hearing.utterance import Utterance

DUCK = RULE._replace(
    duck=DuckRule(frames=2, hold_frames=4, longest_frames=8, likely_frames=3, goes_on_frames=12, turn_frames=6)
)
SAID = Utterance(turn=0, first_frame=0, first_voiced_us=0, last_voiced_us=0, voiced_frames=9)
PLAYS = TurnState(reply=PendingReply(SAID, playing=True), turns=1)


def test_a_backchannel_makes_the_reply_soft_and_is_not_answered() -> None:
    assert marbles("1110000>0011110000000", DUCK) == "--S---E--VS----LE---"
    state, found = run("1110000>0011110000000", DUCK)
    (short,) = (d for _, d in found if isinstance(d, Ended) and d.utterance.turn == 1)
    assert (short.reason, short.utterance.voiced_frames) == ("cough", 4)
    assert state.reply is not None
    assert not state.reply.soft


def test_it_is_soft_before_an_utterance_begins_and_tells_the_first_voiced_frame() -> None:
    _, found = run("0011", DUCK, PLAYS)
    assert found == [(3, Ducked(0, 60_000))]


def test_the_bots_own_voice_is_no_evidence_for_a_turn_while_the_reply_is_soft() -> None:
    state, found = PLAYS, []
    for number in range(60):
        left = 0.0 if number < 3 else 2.0
        state, decided = turn_reducer.frame(state, True, number, number * 20_000, DUCK, 0.95, left, 60)
        found += [type(each) for each in decided]
    assert Ducked in found
    assert Interrupted not in found
    assert state.utterance is None


def test_less_than_an_utterance_only_makes_it_soft() -> None:
    assert marbles("0011000000", DUCK, state=PLAYS) == "---V---L--"


def test_one_frame_does_nothing() -> None:
    assert marbles("0010000000", DUCK, state=PLAYS) == "----------"


def test_a_turn_interrupts_it() -> None:
    assert marbles("1110000>00111111110000", DUCK) == "--S---E--VS--B-----E"
    state, found = run("1110000>00111111110000", DUCK)
    assert [d.reason for _, d in found if isinstance(d, Ended)] == ["silence", "silence"]
    assert state.reply is not None
    assert (state.reply.to.turn, state.reply.soft) == (1, False)


def test_voice_adds_up_over_short_pauses() -> None:
    assert marbles("0011100100110", DUCK, state=PLAYS) == "---VS------B-"


def test_two_in_a_row_and_then_a_turn() -> None:
    assert marbles("11000011000001111111", DUCK, state=PLAYS) == "-V---L-V---L--VS--B-"


def test_it_is_loud_while_a_patient_end_waits_and_soft_again_when_the_voice_goes_on() -> None:
    patient = DUCK._replace(end_frames=8)
    assert marbles("0011100000110000000000", patient, state=PLAYS) == "---VS---L--V---L---E--"


def test_a_voice_in_which_no_utterance_begins_makes_it_soft_for_a_while_only() -> None:
    assert marbles("1" * 14 + "0000" + "11", DUCK, probability=0.7, state=PLAYS) == "-V-------L---------V"


def test_a_reply_that_ends_while_it_is_soft_leaves_the_words_a_turn() -> None:
    assert marbles("1110000>00111<01110000", DUCK) == "--S---E--VS------E"
    state, found = run("1110000>00111<01110000", DUCK)
    last = [d for _, d in found if isinstance(d, Ended)][-1]
    assert (last.utterance.turn, last.reason) == (1, "silence")
    assert state.reply == PendingReply(last.utterance, playing=False, since=14)


def test_a_reply_that_ends_before_an_utterance_begins_needs_no_more() -> None:
    assert marbles("0011<00000000", DUCK, state=PLAYS) == "---V-------"


def test_a_reply_that_must_be_heard_is_never_soft() -> None:
    assert marbles("1110000!0011111110000", DUCK) == "--S---E------------"


def test_a_reply_that_must_be_heard_behind_a_soft_filler_is_loud_again() -> None:
    assert marbles("0011!01111111", DUCK, state=PLAYS) == "---V---L---"


def test_a_filler_is_soft_and_so_is_the_reply_behind_it() -> None:
    waits = TurnState(reply=PendingReply(SAID, playing=False), turns=1)
    assert marbles("f00011>011111", DUCK, state=waits) == "---VS--B-"
    assert marbles("f00011>000000", DUCK, state=waits) == "---V---L-"


def test_a_reply_that_is_not_heard_yet_is_superseded() -> None:
    assert marbles("1110000111", DUCK) == "--S---E--SU"


def test_audio_that_stops_makes_it_loud_again() -> None:
    assert marbles("0011g", DUCK, state=PLAYS) == "---VL"
    assert marbles("00111g", DUCK, state=PLAYS) == "---VSEL"


def test_nobody_who_hears_it_any_more_is_the_end_of_it() -> None:
    state, _ = run("0011", DUCK, PLAYS)
    state, _ = turn_reducer.gap(state, 3, "left", DUCK)
    state, silenced = turn_reducer.unheard(state)
    assert (state.reply, silenced) == (None, 0)


def test_a_start_as_long_as_a_turn_interrupts_at_once() -> None:
    assert DUCK.duck is not None
    assert marbles("0000111", DUCK._replace(duck=DUCK.duck._replace(turn_frames=3)), state=PLAYS) == "-----VSB"


def heard(state: TurnState, voiced: str, level: int, words: dict[int, str], first: int = 0) -> tuple[TurnState, str]:
    """Frames of a level, with the words of turn 1 that come behind these frames. Returns the decisions as letters."""
    found = ""
    for number, char in enumerate(voiced, first):
        state, decided = turn_reducer.frame(state, char == "1", number, (number + 1) * 20_000, DUCK, level=level)
        found += "".join({**LETTERS, Interrupted: "B"}[type(each)] for each in decided) or "-"
        if number in words:
            state = turn_reducer.words(state, 1, words[number])
    return state, found


def test_a_word_that_is_no_backchannel_interrupts_with_the_next_frame() -> None:
    assert heard(PLAYS, "00111000", 60, {5: "Stop"})[1] == "---VS-B-"


def test_backchannels_alone_do_not_though_they_are_as_long_as_a_turn() -> None:
    assert heard(PLAYS, "00" + "1" * 12 + "0000", 60, {5: "Oh, right"})[1] == "---VS" + "-" * 12 + "LE"


def test_words_of_another_turn_say_nothing() -> None:
    state, _ = heard(PLAYS, "00111", 60, {})
    assert turn_reducer.words(state, 0, "Stop") is state
    assert turn_reducer.words(PLAYS, 1, "Stop") is PLAYS


def test_words_of_one_short_interruption_say_nothing_of_the_next() -> None:
    _, found = heard(PLAYS, "001110000" + "11111111", 60, {4: "Mm-hm"})
    assert found == "---VS---LE" + "-VS--B--"


def test_a_voice_softer_than_the_callers_own_must_be_longer() -> None:
    state, _ = heard(TurnState(), "11111110000", 60, {})
    state = turn_reducer.playback(state, PlaybackStarted(0, Turn("", 0)))
    _, soft = heard(state, "0" + "1" * 10, 50, {}, first=11)
    _, as_usual = heard(state, "0" + "1" * 10, 56, {}, first=11)
    assert (soft, as_usual) == ("--VS-----B-", "--VS--B----")


def sounds(frames: list[tuple[float, int]], turn_frames: int = 50) -> str:
    """Frames of (probability, level) that no detector calls voiced. Returns the decisions as letters."""
    assert DUCK.duck is not None
    rule = DUCK._replace(duck=DUCK.duck._replace(turn_frames=turn_frames))
    state, found = PLAYS, ""
    for number, (probability, level) in enumerate(frames):
        t_us = (number + 1) * 20_000
        state, decided = turn_reducer.frame(state, False, number, t_us, rule, probability, level=level)
        found += "".join({**LETTERS, Interrupted: "B"}[type(each)] for each in decided) or "-"
    return found


QUIET, VOICE, SLAM = (0.0, 5), (0.7, 32), (0.1, 60)


def test_a_quiet_voice_that_stands_out_makes_it_soft_and_begins_an_utterance_where_it_is_likely() -> None:
    assert sounds([QUIET] * 3 + [VOICE] * 4 + [QUIET] * 6) == "-----V----L--"
    assert sounds([QUIET] * 3 + [VOICE] * 5 + [QUIET] * 6) == "-----V-S---LE--"


def test_a_voice_that_goes_on_as_loud_as_it_was_is_a_turn_before_it_is_as_long_as_one() -> None:
    assert sounds([QUIET] * 3 + [VOICE] * 14) == "-----V-S------B--"
    softer = (0.7, 27)
    assert sounds([QUIET] * 3 + [VOICE] * 5 + [softer] * 9 + [QUIET] * 4) == "-----V-S------------LE"


def test_a_sound_that_is_no_voice_must_be_as_loud_to_make_it_soft_again_soon() -> None:
    softer, louder = (0.1, 59), (0.1, 61)
    assert sounds([QUIET] * 3 + [SLAM] * 3 + [QUIET] * 5 + [SLAM] * 3) == "-----V---L---V"
    found = sounds([QUIET] * 3 + [SLAM] * 3 + [QUIET] * 5 + [softer] * 3 + [QUIET] * 5 + [louder] * 4)
    assert found == "-----V---L-----------V-"
