"""The turn reducer: timelines in, decisions out."""

from __future__ import annotations

from tests.timelines import FRAME_US, RULE, marbles, run
from webapi.voice_node.events import PlaybackEnded, PlaybackStarted, Turn
from webapi.voice_node.hearing import turn_reducer
from webapi.voice_node.hearing.decisions import Decision, Ended, Interrupted, Started
from webapi.voice_node.hearing.onset import HELD
from webapi.voice_node.hearing.pause_estimator import PauseEstimate, update
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.turn_state import TurnState


def test_speech_starts_after_n_voiced_and_ends_after_m_unvoiced() -> None:
    timeline = "0110111100010000000"
    expected = "------S--------E---"
    assert marbles(timeline) == expected


def test_runs_are_strict_and_broken_by_one_frame() -> None:
    assert "S" not in marbles("110110110110")
    assert marbles("111000100010001") == "--S------------"


def test_the_preroll_reaches_back_from_the_start_but_not_before_the_audio() -> None:
    _, early = run("111")
    _, late = run("00000000111")
    assert [d.utterance.first_frame for _, d in early + late if isinstance(d, Started)] == [0, 6]


def test_a_voiced_run_longer_than_the_preroll_is_carried_whole() -> None:
    _, found = run("000111111", RULE._replace(start_frames=6, preroll_frames=2))
    ((_, started),) = found
    assert isinstance(started, Started)
    assert started.utterance.first_frame == 3


def test_the_first_voiced_frame_of_the_run_is_where_the_speech_began() -> None:
    _, found = run("010001110000")
    started, ended = (d for _, d in found)
    assert isinstance(started, Started)
    assert isinstance(ended, Ended)
    assert started.voiced_us == 6 * FRAME_US
    assert (ended.utterance.first_voiced_us, ended.utterance.last_voiced_us) == (6 * FRAME_US, 8 * FRAME_US)
    assert ended.utterance.voiced_frames == 3


def test_talking_over_a_reply_that_plays_is_a_barge_in() -> None:
    assert marbles("1110000>0000111") == "--S---E-----SB"


def test_talking_before_the_reply_plays_supersedes_it_and_carries_the_audio() -> None:
    _, found = run("0001110000001110000")
    (s0, e0, s1, u, e1) = (d for _, d in found)
    assert isinstance(s0, Started)
    assert isinstance(e0, Ended)
    assert isinstance(s1, Started)
    assert isinstance(u, Interrupted)
    assert isinstance(e1, Ended)
    assert (u.turn, u.by, u.playing) == (0, 1, False)
    assert e1.utterance.turn == 1
    assert e1.utterance.first_frame == e0.utterance.first_frame == s0.utterance.first_frame
    assert e1.utterance.first_voiced_us == s0.voiced_us
    assert e1.utterance.voiced_frames == 6


def test_a_pause_upon_a_pause_is_carried_whole() -> None:
    _, found = run("1110000" * 4)
    last = [d for _, d in found if isinstance(d, Ended)][-1]
    assert (last.utterance.turn, last.utterance.first_frame, last.utterance.voiced_frames) == (3, 0, 12)


def test_a_reply_that_was_heard_is_not_carried() -> None:
    _, found = run("1110000>0000<0001110000")
    last = [d for _, d in found if isinstance(d, Ended)][-1]
    assert last.utterance.first_frame > 7
    assert not [d for _, d in found if isinstance(d, Interrupted)]


def test_a_reply_that_came_to_nothing_is_over() -> None:
    """Failed, empty, timed out: the playback says that it ended without having begun."""
    assert marbles("1110000<00000111") == "--S---E------S"


def test_playback_of_another_turn_changes_nothing() -> None:
    state, _ = run("1110000")
    assert turn_reducer.playback(state, PlaybackStarted(0, Turn("", 7))) == state
    assert turn_reducer.playback(state, PlaybackEnded(0, Turn("", 7), 0, True)) == state


def test_audio_that_stops_ends_the_utterance_and_forgets_the_run() -> None:
    assert marbles("11111g") == "--S-E"
    _, found = run("11111g")
    assert [d.reason for _, d in found if isinstance(d, Ended)] == ["muted"]
    assert marbles("11g11") == "----"
    assert marbles("000g000") == "------"


def test_endless_speech_ends_and_starts_again_only_after_a_pause() -> None:
    rule = RULE._replace(max_frames=10)
    assert marbles("1" * 30, rule) == "--S------E" + "-" * 20
    assert marbles("1" * 15 + "0000" + "1" * 5, rule) == "--S------E-----------SU--"


def test_after_the_longest_turn_the_same_breath_does_not_talk_over_its_reply() -> None:
    """Whoever talks has an unvoiced frame now and then: what ends an utterance is a pause, and no less begins one."""
    rule = RULE._replace(max_frames=10)
    breath = "1" * 10 + "1101110011110001" * 3
    assert marbles(breath, rule) == "--S------E" + "-" * 48
    assert marbles(f"{breath[:12]}>0{breath[12:]}0000111", rule) == "--S------E" + "-" * 48 + "------SB"
    assert marbles(f"{breath[:12]}g111", rule).endswith("-SU")  # where the audio stops, so does the breath


def test_a_carried_utterance_keeps_to_the_longest() -> None:
    rule = RULE._replace(max_frames=12)
    _, found = run("1110000" + "0" * 20 + "1110000", rule)
    lengths = [i - d.utterance.first_frame + 1 for i, d in found if isinstance(d, Ended)]
    assert max(lengths) <= 12


def test_without_barge_in_a_reply_that_plays_makes_deaf_and_no_longer() -> None:
    rule = RULE._replace(barge_in=False)
    assert marbles("1110000>0000111111110000<00000111", rule) == "--S---E" + "-" * 21 + "S"
    assert marbles("1110000>011<0111110000", rule) == "--S---E----S-----E"  # who talks on is heard from its end
    assert marbles("11100001>011<0111", rule) == "--S---E-----S"  # the run that began before it does not count
    assert marbles("1110000111", rule) == "--S---E--SU"  # nothing was heard yet: still a pause


def test_where_nobody_answers_no_turn_is_superseded_and_none_carried() -> None:
    rule = RULE._replace(answered=False)
    _, found = run("1110000" + "0" * 10 + "1110000" + "11g", rule)
    assert [type(d) for _, d in found] == [Started, Ended, Started, Ended]
    assert [d.utterance.voiced_frames for _, d in found if isinstance(d, Ended)] == [3, 3]
    assert run("111g", rule)[0].reply is None


def test_what_may_still_be_asked_for_is_kept_and_no_more() -> None:
    state, _ = run("0" * 50)
    assert turn_reducer.oldest_needed(state, 49, RULE) == 45
    state, _ = run("0" * 50 + "111")
    assert turn_reducer.oldest_needed(state, 52, RULE) == 48
    state, _ = run("0" * 50 + "1110000" + "0" * 30)
    assert turn_reducer.oldest_needed(state, 86, RULE) == 48  # a reply that is not yet heard may be superseded
    state, _ = run("0" * 50 + "1110000" + ">0" + "0" * 30)
    assert turn_reducer.oldest_needed(state, 86, RULE) == 82


def test_the_preroll_does_not_reach_over_a_gap() -> None:
    _, found = run("0000000g0111")
    (started,) = (d for _, d in found)
    assert isinstance(started, Started)
    assert started.utterance.first_frame == 7


def test_a_reply_that_never_comes_does_not_keep_the_audio_for_ever() -> None:
    rule = RULE._replace(max_frames=40)
    state, _ = run("1110000" + "0" * 200, rule)
    assert turn_reducer.oldest_needed(state, 206, rule) >= 206 - 40


def test_a_voice_without_a_single_pause_is_noise_and_a_pause_must_come_before_the_next() -> None:
    rule = RULE._replace(steady_frames=20, answered=False)
    _, ((at, started), (end, ended), (again, _)) = run("0" + "1" * 40 + "0" + "1" * 10, rule)
    assert (at, end, again) == (3, 20, 44)
    assert isinstance(started, Started)
    assert isinstance(ended, Ended)
    assert ended.reason == "noise"


# ---------------------------------------------------------------- with probabilities


SURE_RULE = TurnRule(start_frames=4, end_frames=3, preroll_frames=2, max_frames=100)


def likely(
    frames: str, rule: TurnRule = SURE_RULE, state: TurnState | None = None, echo_left: float | None = None
) -> tuple[TurnState, list[tuple[int, Decision]]]:
    """Feed frames, two characters each: the probability in tenths, h for onset.HELD; voiced where it follows a `+`."""
    state = state or TurnState()
    found: list[tuple[int, Decision]] = []
    for index, (flag, tenths) in enumerate(zip(frames[::2], frames[1::2], strict=True)):
        probability = HELD if tenths == "h" else int(tenths) / 10
        state, decisions = turn_reducer.frame(state, flag == "+", index, index * FRAME_US, rule, probability, echo_left)
        found += [(index, decision) for decision in decisions]
    return state, found


def starts(frames: str, state: TurnState | None = None, rule: TurnRule = SURE_RULE) -> list[int]:
    return [index for index, decision in likely(frames, rule, state)[1] if isinstance(decision, Started)]


def test_the_probability_must_agree_with_a_start_which_then_is_two_frames_sooner() -> None:
    assert starts("+7+7+7+7+7+7+7+7") == []
    assert starts("+7+7+7+7+7+7+7+8") == [7]
    assert starts("+8+8+8+8") == [1]
    assert starts("-9-9-9+9-9+9-9") == []  # the flag is needed for it
    assert starts("-9-9+9-9", rule=SURE_RULE._replace(start_frames=1)) == [2]


def test_a_voice_of_which_the_detector_is_never_sure_starts_a_little_later() -> None:
    assert starts("+h" * 9) == [7]  # N + LONGER frames
    assert starts("+7" * 40) == []
    assert starts("+h" * 7 + "+7" + "+h" * 7) == []
    assert starts("+h" * 7 + "-h" + "+h" * 7) == []
    waiting, _ = likely("+9+9+9-0-0-0")
    assert starts("+h" * 9, waiting) == [7]
    playing = turn_reducer.playback(waiting, PlaybackStarted(0, Turn("", 0)))
    assert starts("+h" * 40, playing) == []  # over a reply that is not enough
    assert likely("+h" * 40, state=playing, echo_left=0.5)[1] == []
    assert likely("+h" * 40, state=playing, echo_left=0)[1] == []
    held, _ = likely("+h" * 40, state=playing)
    over = turn_reducer.playback(held, PlaybackEnded(0, Turn("", 0), 0, completed=True))
    assert starts("+h" * 9, over) == [7]  # what came before may have been the bot


def test_over_a_reply_that_plays_all_frames_are_needed_and_more_probability() -> None:
    waiting, _ = likely("+9+9+9-0-0-0")
    playing = turn_reducer.playback(waiting, PlaybackStarted(0, Turn("", 0)))
    assert starts("+9+9+9+9+9+9+9", playing) == [3]
    assert starts("+8+8+8+8+8+8+8+8+8+9", playing) == [9]
    assert starts("+9+9+9+9", waiting) == [1]


def test_over_a_reply_more_is_asked_in_proportion_to_the_echo_that_may_be_left() -> None:
    waiting, _ = likely("+9+9+9-0-0-0")
    playing = turn_reducer.playback(waiting, PlaybackStarted(0, Turn("", 0)))

    def barge_in(frames: str, echo_left: float | None) -> int | None:
        return next((at for at, _ in likely(frames, state=playing, echo_left=echo_left)[1]), None)

    assert barge_in("+8" * 20, 0) == 1  # the start rule
    assert barge_in("+8" * 20, 0.1) is None
    assert barge_in("+9" * 20, 0.1) == 2
    assert barge_in("+9" * 20, 0.5) == 6
    assert barge_in("+9" * 20, 0.6) is None  # .92 is asked for
    assert barge_in("+9" * 20, None) == 3  # nothing is cancelled there
    assert likely("+8+8", state=waiting, echo_left=1)[1]  # nothing plays


def test_without_a_probability_frames_alone_are_asked_for() -> None:
    waiting, _ = likely("+9+9+9-0-0-0")
    playing = turn_reducer.playback(waiting, PlaybackStarted(0, Turn("", 0)))
    for echo_left, at in ((None, 3), (0.0, 3), (0.5, 7), (1.0, 11)):
        state, started = playing, []
        for index in range(20):
            state, decisions = turn_reducer.frame(state, True, index, index * FRAME_US, SURE_RULE, None, echo_left)
            started += [index for decision in decisions if isinstance(decision, Started)]
        assert started == [at]


def test_noise_that_stays_voiced_ends_a_turn_and_that_is_told() -> None:
    _, (_, (at, ended)) = likely("+9+9+9+5+6+5+5+5+5+5")
    assert isinstance(ended, Ended)
    assert (at, ended.reason) == (7, "noise")
    assert (ended.utterance.voiced_frames, ended.utterance.last_voiced_us) == (4, 4 * FRAME_US)
    _, ((at, ended),) = likely("+9+5-5-5-5", state=likely("+9+9")[0])
    assert isinstance(ended, Ended)
    assert (at, ended.reason) == (3, "silence")


def test_after_noise_the_next_turn_begins_with_the_voice_and_not_with_the_noise() -> None:
    _, ((at, started), *_) = likely("+1" * 20 + "+7+8")
    assert at == 21
    assert isinstance(started, Started)
    assert started.voiced_us == 19 * FRAME_US  # the last frame that was doubted
    assert started.utterance.first_frame == 19


def test_after_the_longest_a_pause_must_come_and_a_doubt_is_one() -> None:
    rule = SURE_RULE._replace(max_frames=6, answered=False)
    _, found = likely("+9" * 12, rule)
    assert [type(decision) for _, decision in found] == [Started, Ended]
    _, found = likely("+9" * 12 + "+1" * 2 + "+9" * 12, rule)
    assert [type(decision) for _, decision in found] == [Started, Ended]
    _, found = likely("+9" * 12 + "+1" * 3 + "+9" * 3, rule)
    assert [type(decision) for _, decision in found] == [Started, Ended, Started]


# ---------------------------------------------------------------- patience

PATIENT = RULE._replace(patience_frames=20)
PAUSING = "111" + "1000" * 3 + "1"  # three pauses of 3 frames: mean 3, and not one of them ends it at M = 4


def ends(timeline: str, rule: TurnRule) -> list[int]:
    """How many quiet frames went before each end."""
    _, found = run(timeline, rule)
    return [index - d.utterance.last_voiced_us // FRAME_US + 1 for index, d in found if isinstance(d, Ended)]


def test_who_pauses_often_is_waited_for_and_who_does_not_is_not() -> None:
    assert ends(PAUSING + "0" * 30, RULE) == [4]
    assert ends("1111" + "0" * 30, PATIENT) == [4]
    (waited,) = ends(PAUSING + "0" * 30, PATIENT)
    assert 4 < waited <= 20


def test_nobody_is_waited_for_longer_than_that() -> None:
    timeline = "111" + "0" * 12 + "1111" + "0" * 12 + "1111" + "0" * 40
    assert ends(timeline, PATIENT) == [4, 20]  # a pause of 12 superseded the first reply: 12 + 4 * 6 is more than 20


def test_a_pause_that_superseded_a_reply_counts_and_one_that_a_reply_filled_does_not() -> None:
    again = "0" * 8 + "1111" + "0" * 30
    state, _ = run("1111" + again, PATIENT)
    assert state.endpoint.pauses == PauseEstimate(8 * 8, 2 * 8)
    state, _ = run("1111" + "0" * 4 + ">0" + again, PATIENT)
    assert state.endpoint.pauses is None
    state, _ = run("1111" + again, RULE)
    assert state.endpoint.pauses is None


def test_what_follows_an_end_without_silence_is_no_pause() -> None:
    long = PATIENT._replace(max_frames=20)
    state, found = run("1" * 30 + "0" * PATIENT.end_frames + "111", long)  # too long; the breath goes on, unheard
    assert [type(d) for _, d in found] == [Started, Ended, Started, Interrupted]
    assert state.endpoint.pauses is None
    assert (
        run("1111g000000111", PATIENT)[0].endpoint.pauses is None
    )  # frames do not tell how long a muted caller was away


def test_pauses_that_are_all_alike_are_waited_for_hardly_longer() -> None:
    """By the numbers of the formula: the deviation dies away, the mean stays."""
    pauses = None
    for _ in range(60):
        pauses = update(pauses, 15)
    assert pauses is not None
    assert 15 <= pauses.hold <= 18
    assert update(pauses, 25).hold >= 25
