"""Interruption: what a voice over a reply does to it. Pure.

    voice    --------111111111--------      barge_in: stop
    reply    ▶▶▶▶▶▶▶▶▶▶▶▶▶×
    decides  -------------B

    voice    --------111111-0000000000-----111111111111--      barge_in: pause, N = 6, min_interruption_frames = 12
    reply    ▶▶▶▶▶▶▶▶▶▶▶▶▶▶▮▮▮▮▮▮▮▮▮▮▮▶▶▶▶▶▶▶▶▶▶▮▮▮▮▮▮×
    decides  -------------H----------R----------H-----B      H halted, R resumed, B interrupted

A reply that nobody has heard yet is superseded by any voice: the caller had only paused. A filler counts as heard: a
voice over it halts, and the reply behind the filler waits as a halted reply does.
"""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.events import FillerStarted, Playback, PlaybackEnded, PlaybackStarted
from webapi.voice_node.hearing.decisions import Decision, Halted, Interrupted
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.utterance import Utterance

NO_DECISION: tuple[Decision, ...] = ()


class PendingReply(NamedTuple):
    """The reply that is prepared (`playing` false: nothing of it was heard yet) or played.

    While the caller speaks, a pending reply has halted: it is not decided yet whether that is a short interruption.
    """

    to: Utterance
    playing: bool
    interruptible: bool = True
    prompt: bool = False  # the bot began the turn: `to` has no audio
    since: int | None = None  # the first frame of the silence that it answers; None: no silence came before it

    @property
    def after_pause(self) -> bool:
        """The caller was answered at a pause: whoever goes on now goes on with the same utterance."""
        return not self.playing and not self.prompt


def caller_ignored(reply: PendingReply | None, rule: TurnRule) -> bool:
    """Whether no utterance can start now: a reply plays that must be heard to its end."""
    return reply is not None and reply.playing and not (rule.barge_in and reply.interruptible)


def at_onset(
    reply: PendingReply | None, utterance: Utterance, rule: TurnRule
) -> tuple[PendingReply | None, tuple[Decision, ...]]:
    """The caller begins to talk: the reply goes, or halts for now."""
    if reply is None:
        return None, NO_DECISION
    if reply.playing and utterance.voiced_frames < rule.min_interruption_frames:
        return reply, (Halted(reply.to.turn),)
    return None, (Interrupted(reply.to.turn, utterance.turn, utterance.first_voiced_us, reply.playing),)


def at_voice(
    reply: PendingReply | None, utterance: Utterance, rule: TurnRule
) -> tuple[PendingReply | None, tuple[Decision, ...]]:
    """The caller goes on talking over a halted reply: with enough voice it is interrupted."""
    if reply is None or utterance.voiced_frames < rule.min_interruption_frames:
        return reply, NO_DECISION
    return None, (Interrupted(reply.to.turn, utterance.turn, utterance.first_voiced_us, playing=True),)


def at_playback(reply: PendingReply | None, event: Playback) -> PendingReply | None:
    """What the speaker reports. The only source of `playing`."""
    if reply is None or reply.to.turn != event.turn.number:
        return reply
    if isinstance(event, FillerStarted):
        return reply._replace(playing=True)
    if isinstance(event, PlaybackStarted):
        return reply._replace(playing=True, interruptible=event.interruptible)
    return None if isinstance(event, PlaybackEnded) else reply
