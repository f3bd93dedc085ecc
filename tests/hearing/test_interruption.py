"""Interruption: a table of what a voice does to a reply."""

from __future__ import annotations

import pytest

from webapi.voice_node.events import FillerStarted, Playback, PlaybackEnded, PlaybackPaused, PlaybackStarted, Turn
from webapi.voice_node.hearing import interruption
from webapi.voice_node.hearing.decisions import Decision, Ducked, Halted, Interrupted, Restored, Resumed
from webapi.voice_node.hearing.duck import Duck, Sound
from webapi.voice_node.hearing.interruption import PendingReply
from webapi.voice_node.hearing.loudness import Loudness
from webapi.voice_node.hearing.turn_rule import DuckRule, TurnRule
from webapi.voice_node.hearing.utterance import Utterance

STOP = TurnRule(start_frames=3, end_frames=4, preroll_frames=0, max_frames=1000)
PAUSE = STOP._replace(min_interruption_frames=6)
IGNORE = STOP._replace(barge_in=False)
ANSWERED = Utterance(turn=0, first_frame=0, first_voiced_us=0, last_voiced_us=0, voiced_frames=9)
PREPARED = PendingReply(ANSWERED, playing=False)
PLAYED = PendingReply(ANSWERED, playing=True)
MUST_BE_HEARD = PLAYED._replace(interruptible=False)


def new(voiced_frames: int) -> Utterance:
    """The caller's next utterance."""
    return Utterance(turn=1, first_frame=20, first_voiced_us=400, last_voiced_us=500, voiced_frames=voiced_frames)


@pytest.mark.parametrize(
    ("reply", "rule", "expected"),
    [
        (None, STOP, False),
        (PREPARED, IGNORE, False),  # nobody has heard it yet
        (PLAYED, STOP, False),
        (PLAYED, PAUSE, False),
        (PLAYED, IGNORE, True),
        (MUST_BE_HEARD, STOP, True),
    ],
)
def test_whether_the_caller_is_ignored(reply: PendingReply | None, rule: TurnRule, expected: bool) -> None:
    assert interruption.caller_ignored(reply, rule) is expected


SOUND = Sound(
    number=26, voice=True, run=6, outstanding=0, first_frame=20, first_us=400,
    probability=None, echo_left=None, level=50,
)  # fmt: skip
BARGE_IN = Interrupted(turn=0, by=1, voiced_us=400, playing=True)
SUPERSEDED = BARGE_IN._replace(playing=False)


@pytest.mark.parametrize(
    ("reply", "rule", "voiced", "left", "decided"),
    [
        (None, STOP, 3, None, ()),
        (PREPARED, STOP, 3, None, (SUPERSEDED,)),
        (PREPARED, PAUSE, 3, None, (SUPERSEDED,)),
        (PLAYED, STOP, 3, None, (BARGE_IN,)),
        (PLAYED, PAUSE, 3, PLAYED, (Halted(0),)),
        (PLAYED, PAUSE, 6, None, (BARGE_IN,)),
    ],
)
def test_what_an_onset_does(
    reply: PendingReply | None, rule: TurnRule, voiced: int, left: PendingReply | None, decided: tuple[Decision, ...]
) -> None:
    assert interruption.at_onset(reply, new(voiced), rule) == (left, decided)


@pytest.mark.parametrize(
    ("reply", "voiced", "left", "decided"),
    [
        (None, 9, None, ()),
        (PLAYED, 5, PLAYED, ()),
        (PLAYED, 6, None, (BARGE_IN,)),
        (MUST_BE_HEARD, 6, None, (BARGE_IN,)),  # no voice of this length is a short interruption
    ],
)
def test_what_more_voice_does(
    reply: PendingReply | None, voiced: int, left: PendingReply | None, decided: tuple[Decision, ...]
) -> None:
    assert interruption.at_voice(reply, new(voiced), SOUND, Loudness(), PAUSE) == (left, decided)


T0, T7 = Turn("", 0), Turn("", 7)


@pytest.mark.parametrize(
    ("event", "left"),
    [
        (FillerStarted(0, T0), PREPARED._replace(playing=True)),
        (PlaybackStarted(0, T0), PREPARED._replace(playing=True)),
        (PlaybackStarted(0, T0, interruptible=False), PREPARED._replace(playing=True, interruptible=False)),
        (PlaybackPaused(0, T0, 100), PREPARED),
        (PlaybackEnded(0, T0, 100, completed=True), None),
        (PlaybackEnded(0, T7, 100, completed=True), PREPARED),  # of another turn
        (PlaybackStarted(0, T7), PREPARED),
    ],
)
def test_what_playback_does(event: Playback, left: PendingReply | None) -> None:
    assert interruption.at_playback(PREPARED, event) == left
    assert interruption.at_playback(None, event) is None


@pytest.mark.parametrize(
    ("reply", "expected"), [(PREPARED, True), (PLAYED, False), (PREPARED._replace(prompt=True), False)]
)
def test_which_reply_came_at_a_pause(reply: PendingReply, expected: bool) -> None:
    assert reply.after_pause is expected


# ---------------------------------------------------------------- duck

DUCK = STOP._replace(
    duck=DuckRule(frames=2, hold_frames=4, longest_frames=8, likely_frames=3, goes_on_frames=10, turn_frames=12)
)
FALLEN = Duck(first_frame=20, first_us=400, likely=9, loudest_db=50)
SOFT = PLAYED._replace(duck=FALLEN)
LOUD_AGAIN = PLAYED._replace(duck=FALLEN._replace(loud=True))
QUIET_LINE = Loudness(background=5 * 16)
SILENT = SOUND._replace(voice=False, run=0, level=5)


@pytest.mark.parametrize(
    ("reply", "sound", "soft", "decided"),
    [
        (None, SOUND, None, ()),
        (PREPARED, SOUND, False, ()),  # nobody hears it yet
        (MUST_BE_HEARD, SOUND, False, ()),
        (PLAYED, SOUND._replace(run=1), False, ()),
        (PLAYED, SOUND, True, (Ducked(0, 400),)),
        (SOFT, SOUND, True, ()),
        (SOFT, SILENT, True, ()),
        (PLAYED._replace(duck=FALLEN._replace(quiet=3)), SILENT, False, (Restored(0),)),
        (LOUD_AGAIN, SOUND, False, ()),
        (PLAYED._replace(duck=FALLEN._replace(loud=True, quiet=3)), SILENT, False, ()),
    ],
)
def test_what_a_sound_does_to_the_volume(
    reply: PendingReply | None, sound: Sound, soft: bool | None, decided: tuple[Decision, ...]
) -> None:
    left, told = interruption.at_sound(reply, sound, False, DUCK)
    assert (None if left is None else left.soft, told) == (soft, decided)
    assert interruption.at_sound(reply, sound, False, STOP) == (reply, ())


@pytest.mark.parametrize(
    ("reply", "voiced", "stays", "decided"),
    [
        (PLAYED, 4, True, (Ducked(0, 400),)),
        (SOFT, 4, True, ()),
        (LOUD_AGAIN, 4, True, (Ducked(0, 400),)),  # it was no voice, and now is one
        (SOFT, 12, False, (BARGE_IN,)),
        (PREPARED, 4, False, (SUPERSEDED,)),
    ],
)
def test_what_an_onset_does_to_a_soft_reply(
    reply: PendingReply, voiced: int, stays: bool, decided: tuple[Decision, ...]
) -> None:
    left, told = interruption.at_onset(reply, new(voiced), DUCK)
    assert (left is not None and left.soft, told) == (stays, decided)


@pytest.mark.parametrize(
    ("likely", "number", "level", "loudness", "interrupts"),
    [
        (9, 28, 50, QUIET_LINE, False),
        (9, 29, 50, QUIET_LINE, True),  # ten frames after it began it is as loud as it was
        (9, 29, 45, QUIET_LINE, False),
        (9, 29, 50, Loudness(background=37 * 16), False),  # hardly louder than the background
        (9, 29, 50, Loudness(), False),
        (12, 29, 45, QUIET_LINE, True),  # by its length
        (12, 29, 50, QUIET_LINE._replace(usual_db=60, total_db=500, frames=10), False),
        (47, 60, 28, QUIET_LINE, True),
        (12, 29, 50, Loudness(background=27 * 16), False),  # perhaps somebody behind the caller
        (48, 90, 50, Loudness(background=27 * 16), True),
        (12, 29, 50, Loudness(background=40 * 16), True),  # in noise it is not known how far away a voice is
    ],
)
def test_which_voice_over_a_soft_reply_interrupts_it(
    likely: int, number: int, level: int, loudness: Loudness, interrupts: bool
) -> None:
    sound, soft = SOUND._replace(number=number, level=level), SOFT._replace(duck=FALLEN._replace(likely=likely))
    left, decided = interruption.at_voice(soft, new(20), sound, loudness, DUCK)
    assert (left, decided) == ((None, (BARGE_IN,)) if interrupts else (soft, ()))


def test_a_voice_that_has_not_made_the_reply_soft_interrupts_it_only_by_its_words() -> None:
    assert interruption.at_voice(PLAYED, new(99), SOUND, QUIET_LINE, DUCK) == (PLAYED, ())
    told = PLAYED._replace(words="Stop")
    assert interruption.at_voice(told, new(4), SOUND, QUIET_LINE, DUCK) == (None, (BARGE_IN,))


@pytest.mark.parametrize(
    ("reply", "rule", "decided"),
    [
        (PLAYED, PAUSE, (Resumed(0),)),
        (SOFT, DUCK, (Restored(0),)),
        (LOUD_AGAIN, DUCK, ()),
        (PLAYED, DUCK, ()),  # it is loud again already
    ],
)
def test_what_the_end_of_a_short_interruption_does(
    reply: PendingReply, rule: TurnRule, decided: tuple[Decision, ...]
) -> None:
    assert interruption.at_end(reply, rule) == (PLAYED, decided)
