"""Interruption: a table of what a voice does to a reply."""

from __future__ import annotations

import pytest

from webapi.voice_node.events import FillerStarted, Playback, PlaybackEnded, PlaybackPaused, PlaybackStarted, Turn
from webapi.voice_node.hearing import interruption
from webapi.voice_node.hearing.decisions import Decision, Halted, Interrupted
from webapi.voice_node.hearing.interruption import PendingReply
from webapi.voice_node.hearing.turn_rule import TurnRule
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
    assert interruption.at_voice(reply, new(voiced), PAUSE) == (left, decided)


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
