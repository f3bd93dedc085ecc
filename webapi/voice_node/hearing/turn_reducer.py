"""The turn reducer: voiced frames and playback in, decisions out. Pure: no Rx, no clock, no audio.

    voiced   --111111111--0000000000--------111111--
    reply    -------------------------▶▶▶▶▶▶▶▶▶▶▶▶
    decides  -------S-----------------E----------SB      N = 6, M = 10

It only composes five parts, each with its own state: when an utterance begins (onset.py), when it ends (endpoint.py),
what a voice does to a reply (interruption.py), when the bot begins a turn (prompts.py), and when it does what the
orchestrator has asked for (requests.py).
"""

from __future__ import annotations

from typing import TypeAlias

from webapi.voice_node.events import SHORT_INTERRUPTION, Playback, is_bot
from webapi.voice_node.hearing import duck, endpoint, interruption, loudness, onset, prompts, requests
from webapi.voice_node.hearing.decisions import Decision, Ended, HangUpDue, PromptDue, SayDue, Started
from webapi.voice_node.hearing.duck import Sound
from webapi.voice_node.hearing.endpoint import END, Endpoint
from webapi.voice_node.hearing.interruption import NO_DECISION, PendingReply
from webapi.voice_node.hearing.loudness import Loudness
from webapi.voice_node.hearing.onset import NO_RUN, Onset
from webapi.voice_node.hearing.requests import Request, SayRequest
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.turn_state import TurnState
from webapi.voice_node.hearing.utterance import Utterance, carry

Step: TypeAlias = tuple[TurnState, tuple[Decision, ...]]


def frame(
    s: TurnState,
    voiced: bool,
    number: int,
    t_us: int,
    rule: TurnRule,
    probability: float | None = None,
    echo_left: float | None = None,
    level: int | None = None,
    done: float | None = None,
) -> Step:
    """One frame later. `number` is the frame's position, `t_us` its arrival, `echo_left` as events.Frame has it.

    `level` is needed with `duck`: see loudness.py. `done` is as events.Voiced has it.
    """
    prompted = NO_DECISION
    if rule.duck is not None and is_bot(echo_left) and s.reply is not None and s.reply.playing:
        voiced, probability = False, None if probability is None else 0.0  # the bot's own voice is no evidence
    if level is not None:
        s = s._replace(loudness=loudness.frame(s.loudness, level, t_us))
    if rule.greeting or rule.idle_prompt:
        voice = voiced and (not s.onset.pause_needed if probability is None else probability >= END)
        s, prompted = _prompt(s, voice, number, t_us, rule)
    if s.utterance is not None:
        s, decided = _continue(s, s.utterance, voiced, number, t_us, rule, probability, echo_left, level, done)
    elif (
        voiced or s.onset is not NO_RUN or s.loudness.outstanding or (s.reply is not None and s.reply.duck is not None)
    ):
        s, decided = _await_onset(s, voiced, number, t_us, rule, probability, echo_left, level)
    else:
        return s, prompted
    return s, prompted + decided


def gap(s: TurnState, last_frame: int, reason: str, rule: TurnRule) -> Step:
    """The caller's audio stopped after frame `last_frame`: the utterance is over."""
    s = s._replace(onset=NO_RUN, endpoint=Endpoint(pauses=s.endpoint.pauses), heard_from=last_frame + 1)
    if s.utterance:
        return _end(s, s.utterance, last_frame, reason, rule)
    if s.reply is None or s.reply.duck is None:
        return s, NO_DECISION
    reply, decided = interruption.at_end(s.reply, rule)
    return s._replace(reply=reply), decided


def unheard(s: TurnState) -> tuple[TurnState, int | None]:
    """Nobody can hear the bot any more. Gives the turn whose reply was playing; that reply is over."""
    if s.reply is None or not s.reply.playing:
        return s, None
    return s._replace(reply=None), s.reply.to.turn


def playback(s: TurnState, event: Playback) -> TurnState:
    """What the speaker reports."""
    reply = interruption.at_playback(s.reply, event)
    return s if reply is s.reply else s._replace(reply=reply)


def key(s: TurnState) -> TurnState:
    """The caller has pressed a key: they are there, so the silence before a prompt begins anew."""
    return s._replace(silence=prompts.at_onset(s.silence))


def words(s: TurnState, turn: int, text: str) -> TurnState:
    """What the caller has said so far in turn `turn`, as a recogniser understands it. It counts with the next frame."""
    if s.utterance is None or s.utterance.turn != turn or s.reply is None:
        return s
    return s._replace(reply=s.reply._replace(words=text))


def request(s: TurnState, request: Request) -> TurnState:
    """The orchestrator asks for something, which waits: see `meet_request`."""
    return s._replace(requests=(*s.requests, request))


def meet_request(s: TurnState, number: int, t_us: int) -> Step:
    """Meet the first request that waits, where that is possible now. `number` is that of the frame to come."""
    speaking, replying = s.utterance is not None, s.reply is not None
    if not s.requests or not requests.is_due(s.requests[0], speaking, replying):
        return s, NO_DECISION
    first, *others = s.requests
    s = s._replace(requests=tuple(others))
    if not isinstance(first, SayRequest):
        return s, (HangUpDue(first.reason),)
    s, turn = _begin_own_turn(s._replace(silence=s.silence._replace(since=None)), number, t_us)
    return s, (SayDue(turn, first.trace_id),)


def oldest_needed(s: TurnState, number: int, rule: TurnRule) -> int:
    """The first frame that an utterance may still ask for after frame `number`: those before it can go."""
    if s.utterance is not None:
        return s.utterance.first_frame
    keep = number + 1 - rule.kept_frames
    if s.reply is not None and s.reply.after_pause:
        return min(keep, max(s.reply.to.first_frame, number + 1 - rule.max_frames // 2))
    return keep


def _await_onset(
    s: TurnState,
    voiced: bool,
    number: int,
    t_us: int,
    rule: TurnRule,
    probability: float | None,
    echo_left: float | None,
    level: int | None,
) -> Step:
    """The caller is not speaking: an utterance may begin with this frame."""
    reply, volume = s.reply, NO_DECISION
    ignored = interruption.caller_ignored(reply, rule) and not s.onset.pause_needed
    if ignored and (reply is None or reply.duck is None):
        # Whoever is still talking then starts when the reply is over.
        return s if s.onset is NO_RUN else s._replace(onset=NO_RUN), NO_DECISION
    doubted = probability is not None and probability < END
    playing = reply is not None and reply.playing
    held = None if playing else probability  # what is held over a reply may be the bot: it counts for nothing after it
    run = NO_RUN if ignored else onset.frame(s.onset, voiced, doubted, number, t_us, rule, held)
    loud = s.loudness
    if rule.duck is not None and not run.pause_needed:
        voice = voiced and not doubted and not ignored
        sound = _sound(loud, run, voice, number, t_us, probability, echo_left, level)
        reply, volume = interruption.at_sound(reply, sound, False, rule)
        if s.reply is not None and s.reply.duck is not None and volume:  # no utterance has begun in it
            loud = loudness.in_vain(loud, s.reply.duck.loudest_db)
    if run is s.onset and reply is s.reply:
        return s, NO_DECISION
    opens = onset.opens(run, probability, echo_left, playing, rule)
    if not opens and rule.duck is not None and reply is not None and reply.duck is not None and reply.soft:
        opens = duck.is_voice(reply.duck, loud.above(reply.duck.loudest_db), rule.duck)
        run = duck.onset(reply.duck, number) if opens else run
    s = TurnState(run, s.endpoint, None, reply, s.silence, s.turns, s.heard_from, s.requests, loud)
    if ignored or not opens:
        return s, volume
    s, started = _start(s, number, t_us, rule)
    return s, volume + started


def _continue(
    s: TurnState,
    utterance: Utterance,
    voiced: bool,
    number: int,
    t_us: int,
    rule: TurnRule,
    probability: float | None,
    echo_left: float | None,
    level: int | None,
    done: float | None,
) -> Step:
    """The utterance has one more frame: it may interrupt a halted reply, or be over."""
    doubted = probability is not None and probability < END
    voice = voiced if probability is None else not doubted
    run = onset.frame(s.onset, voiced, doubted, number, t_us, rule, probability)
    silence = endpoint.frame(s.endpoint, voice, voiced, rule)
    loud = s.loudness
    if voice:
        loud = loudness.at_voice(loud, level)
        turn, first, first_us, _, count = utterance
        utterance = Utterance(turn, first, first_us, t_us, count + 1)
    reply, decided, interrupted = s.reply, NO_DECISION, NO_DECISION
    if reply is not None:
        sound = _sound(loud, run, voice, number, t_us, probability, echo_left, level)
        reply, volume = interruption.at_sound(reply, sound, True, rule)
        reply, interrupted = interruption.at_voice(reply, utterance, sound, loud, rule)
        decided = volume + interrupted
    s = TurnState(run, silence, utterance, reply, s.silence, s.turns, s.heard_from, s.requests, loud)
    if interrupted:
        return s, decided
    end = endpoint.ends(silence, utterance, run, number, probability is not None, rule, done)
    if end is None:
        return s, decided
    if end.pause_needed:
        s = s._replace(
            onset=Onset(pause_needed=end.pause_needed), endpoint=Endpoint(pauses=silence.pauses)
        )  # no silence came before this end
    s, ended = _end(s, utterance, number, end.reason, rule)
    return s, decided + ended


def _sound(
    loud: Loudness,
    run: Onset,
    voice: bool,
    number: int,
    t_us: int,
    probability: float | None,
    echo_left: float | None,
    level: int | None,
) -> Sound:
    """A frame over a reply. Its run begins with the first voiced frame, or the first that stands out."""
    first_frame, first_us = (run.first_frame, run.first_us) if run.run else (number, t_us)
    if loud.outstanding > number - first_frame:
        first_frame, first_us = number + 1 - loud.outstanding, loud.first_us
    return Sound(number, voice, run.run, loud.outstanding, first_frame, first_us, probability, echo_left, level)


def _start(s: TurnState, number: int, t_us: int, rule: TurnRule) -> Step:
    """An utterance begins with frame `number`."""
    run, reply = s.onset, s.reply
    # The pre-roll counts back from here; a run longer than it is still carried, as far as it is kept.
    oldest = max(s.heard_from, number + 1 - rule.kept_frames)
    first = max(oldest, min(run.first_frame, number + 1 - rule.preroll_frames))
    utterance = Utterance(s.turns, first, run.first_us, t_us, number + 1 - run.first_frame)
    left, decided = interruption.at_onset(reply, utterance, rule)
    silence = Endpoint(pauses=s.endpoint.pauses)
    if reply and reply.after_pause:
        utterance = carry(reply.to, utterance, number, rule)
        if reply.since is not None:
            silence = endpoint.learn_pause(silence, run.first_frame - reply.since, rule)
    quiet = prompts.at_onset(s.silence)
    loud = loudness.at_onset(s.loudness)
    s = TurnState(run, silence, utterance, left, quiet, s.turns + 1, s.heard_from, s.requests, loud)
    return s, (Started(utterance, run.first_us), *decided)


def _end(s: TurnState, utterance: Utterance, last_frame: int, reason: str, rule: TurnRule) -> Step:
    """The utterance is over with frame `last_frame`. Over a reply that goes on it was a short interruption."""
    s = s._replace(utterance=None)
    if s.reply:
        reply, decided = interruption.at_end(s.reply, rule)
        return s._replace(reply=reply), (Ended(utterance, last_frame, SHORT_INTERRUPTION), *decided)
    s = s._replace(loudness=loudness.at_turn(s.loudness))
    if rule.answered:
        unvoiced = s.endpoint.unvoiced
        since = last_frame + 1 - unvoiced if unvoiced else None
        s = s._replace(reply=PendingReply(utterance, playing=False, since=since))
    return s, (Ended(utterance, last_frame, reason),)


def _prompt(s: TurnState, voice: bool, number: int, t_us: int, rule: TurnRule) -> Step:
    """What the bot does of its own accord in this frame: a turn that answers nothing."""
    if rule.greeting and not s.silence.greeted and s.reply is not None:  # what the orchestrator says first
        return s, NO_DECISION
    busy = s.utterance is not None or s.reply is not None
    silence, prompt = prompts.frame(s.silence, busy, voice, number, rule)
    if not prompt:
        return s if silence is s.silence else s._replace(silence=silence), NO_DECISION
    s, turn = _begin_own_turn(s._replace(silence=silence), number, t_us)
    return s, (PromptDue(turn, prompt),)


def _begin_own_turn(s: TurnState, number: int, t_us: int) -> tuple[TurnState, int]:
    """The bot begins a turn. Also gives its number."""
    nothing_said = Utterance(s.turns, number, t_us, t_us, 0)
    reply = PendingReply(nothing_said, playing=False, prompt=True)
    return s._replace(reply=reply, turns=s.turns + 1), nothing_said.turn
