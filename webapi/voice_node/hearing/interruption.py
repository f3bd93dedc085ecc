"""Interruption: what a voice over a reply does to it. Pure.

    voice    --------111111111--------      barge_in: stop
    reply    ▶▶▶▶▶▶▶▶▶▶▶▶▶×
    decides  -------------B

    voice    --------111111-0000000000-----111111111111--      barge_in: pause, N = 6, min_interruption_frames = 12
    reply    ▶▶▶▶▶▶▶▶▶▶▶▶▶▶▮▮▮▮▮▮▮▮▮▮▮▶▶▶▶▶▶▶▶▶▶▮▮▮▮▮▮×
    decides  -------------H----------R----------H-----B      H halted, R resumed, B interrupted

With `barge_in: duck` the reply becomes soft instead of halting, and sooner: see duck.py.

A reply that nobody has heard yet is superseded by any voice: the caller had only paused. A filler counts as heard: a
voice over it halts, and the reply behind the filler waits as a halted reply does.
"""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.events import FillerStarted, Playback, PlaybackEnded, PlaybackStarted
from webapi.voice_node.hearing import duck
from webapi.voice_node.hearing.decisions import Decision, Ducked, Halted, Interrupted, Restored, Resumed
from webapi.voice_node.hearing.duck import Duck, Sound
from webapi.voice_node.hearing.loudness import OUT_DB, Loudness
from webapi.voice_node.hearing.turn_or_not import Evidence, is_turn
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
    duck: Duck | None = None  # the voice over it that has made it soft
    words: str = ""  # of the voice over it, as far as a recogniser has told them

    @property
    def soft(self) -> bool:
        """Whether it plays softly."""
        return self.duck is not None and not self.duck.loud

    @property
    def after_pause(self) -> bool:
        """The caller was answered at a pause: whoever goes on now goes on with the same utterance."""
        return not self.playing and not self.prompt


def caller_ignored(reply: PendingReply | None, rule: TurnRule) -> bool:
    """Whether no utterance can start now: a reply plays that must be heard to its end."""
    return reply is not None and reply.playing and not (rule.barge_in and reply.interruptible)


def at_sound(
    reply: PendingReply | None, sound: Sound, speaking: bool, rule: TurnRule
) -> tuple[PendingReply | None, tuple[Decision, ...]]:
    """With `duck`: the volume of a reply in this frame. `speaking`: an utterance is open."""
    if rule.duck is None or reply is None or not reply.playing:
        return reply, NO_DECISION
    if reply.duck is None:
        if caller_ignored(reply, rule) or not duck.falls(sound, rule.duck):
            return reply, NO_DECISION
        return reply._replace(duck=duck.begin(sound)), (Ducked(reply.to.turn, sound.first_us),)
    left = reply._replace(duck=duck.frame(reply.duck, sound, speaking, rule.duck))
    return left, (Restored(reply.to.turn),) if reply.soft and not left.soft else NO_DECISION


def at_onset(
    reply: PendingReply | None, utterance: Utterance, rule: TurnRule
) -> tuple[PendingReply | None, tuple[Decision, ...]]:
    """The caller begins to talk: the reply goes, or halts or is soft for now."""
    if reply is None:
        return None, NO_DECISION
    if reply.playing and not _is_enough(Evidence(utterance.voiced_frames), rule):
        if rule.duck is None:
            return reply, (Halted(reply.to.turn),)
        if reply.soft:
            return reply._replace(words=""), NO_DECISION
        fallen = Duck(utterance.first_frame, utterance.first_voiced_us)
        return reply._replace(duck=fallen, words=""), (Ducked(reply.to.turn, utterance.first_voiced_us),)
    return None, (Interrupted(reply.to.turn, utterance.turn, utterance.first_voiced_us, reply.playing),)


def at_voice(
    reply: PendingReply | None, utterance: Utterance, sound: Sound, loudness: Loudness, rule: TurnRule
) -> tuple[PendingReply | None, tuple[Decision, ...]]:
    """The caller goes on talking over a reply that has halted or is soft: with enough evidence it is interrupted."""
    if reply is None:
        return None, NO_DECISION
    evidence = Evidence(utterance.voiced_frames)
    if rule.duck is not None:
        evidence = _evidence(reply, sound, loudness)
    if not _is_enough(evidence, rule):
        return reply, NO_DECISION
    return None, (Interrupted(reply.to.turn, utterance.turn, utterance.first_voiced_us, playing=True),)


def at_end(reply: PendingReply, rule: TurnRule) -> tuple[PendingReply, tuple[Decision, ...]]:
    """The voice over the reply was a short interruption, or has stopped: the reply is as it was before."""
    if rule.duck is None:
        return reply, (Resumed(reply.to.turn),)
    return reply._replace(duck=None), (Restored(reply.to.turn),) if reply.soft else NO_DECISION


def at_playback(reply: PendingReply | None, event: Playback) -> PendingReply | None:
    """What the speaker reports. The only source of `playing`."""
    if reply is None or reply.to.turn != event.turn.number:
        return reply
    if isinstance(event, FillerStarted):
        return reply._replace(playing=True)
    if isinstance(event, PlaybackStarted):
        return reply._replace(playing=True, interruptible=event.interruptible)
    return None if isinstance(event, PlaybackEnded) else reply


def _evidence(reply: PendingReply, sound: Sound, loudness: Loudness) -> Evidence:
    """What is known of the voice that has made the reply soft. Where none has, only words count."""
    evidence = Evidence(0, softer_db=loudness.softer_db, words=reply.words)
    if reply.duck is None:
        return evidence
    first_frame, _, _, _, likely, loudest_db, _ = reply.duck
    evidence = evidence._replace(voiced=likely, likely=likely, behind=loudness.behind(loudest_db))
    if sound.level is None or loudness.above(loudest_db) < OUT_DB:
        return evidence
    return evidence._replace(since=sound.number + 1 - first_frame, fallen_db=loudest_db - sound.level)


def _is_enough(evidence: Evidence, rule: TurnRule) -> bool:
    """Whether the evidence of a voice over the reply is enough to interrupt it."""
    if rule.duck is None:
        return evidence.voiced >= rule.min_interruption_frames
    return is_turn(evidence, rule.duck)
