"""Who is talking: the turn reducer. Pure: no Rx, no clock, no audio, only counts of frames.

    voiced   --111111111--0000000000--------111111--
    reply    -------------------------▶▶▶▶▶▶▶▶▶▶▶▶
    decides  -------S-----------------E----------SB      N = 6, M = 10

`speech_started` is N voiced frames in a row, `speech_ended` M unvoiced ones. A run of N is the same as "the last N of a
sliding window are all voiced", so the window is kept as a count. (A majority vote over 240 ms was measured against
strict runs on 175 minutes of speech in noise: it gains nothing.)

Where the detector also says how probable a voice is, that has the last word: N - SOONER voiced frames start a turn if
the probability is at least START, over a reply that plays N of them if it is at least BARGE_IN; and a frame is unvoiced
below END, whatever the flag says. So noise neither starts a turn nor keeps one open. docs/hearing.md says why these.
Over a reply whose echo a canceller takes out, the start rule holds where it leaves none; more is asked in proportion to
what it may leave, up to WITH_ECHO times N frames of certainty. docs/echo.md has the formula and the figures.
Where it doesn't, a turn that has been voiced for `steady_frames` without a single unvoiced one is noise, and ends.

With `cough_frames`, a reply that is talked over only pauses until so many voiced frames say that somebody talks:

    voiced   --------111111-0000000000-----111111111111--
    reply    ▶▶▶▶▶▶▶▶▶▶▶▶▶▶▮▮▮▮▮▮▮▮▮▮▶▶▶▶▶▶▶▶▶▶▮▮▮▮▮▮
    decides  -------------SH---------ER----------SH----B-     H halted, R resumed; N = 6, cough_frames = 12

A prompt is a turn too, that the bot begins: `greeting` with the first frame, `idle_prompt` once in a silence of
`idle_frames`. It is a reply to nothing, so nothing is carried where the caller goes before it.

With `patience_frames`, M grows with the caller's own pauses (pauses.py): those in an utterance that are half as long as
M or more, and those after which a reply that nobody had heard yet was superseded.
"""

from __future__ import annotations

from typing import TypeAlias

from webapi.voice_node.events import SHORT_INTERRUPTION, FillerStarted, Playback, PlaybackEnded, PlaybackStarted
from webapi.voice_node.hearing.pause_estimator import PauseEstimate, update
from webapi.voice_node.hearing.turn_state import (
    SAME_BREATH,
    SPENT,
    Decision,
    Ended,
    Halted,
    Interrupted,
    PendingReply,
    PromptDue,
    Resumed,
    Speech,
    Started,
    TurnRule,
    TurnState,
)

START, BARGE_IN, END = 0.8, 0.9, 0.6  # probabilities
SOONER = 2  # frames
WITH_ECHO = 3  # times N, asked of a barge-in where nothing of the echo is cancelled yet

Step: TypeAlias = tuple[TurnState, tuple[Decision, ...]]
NOTHING: tuple[Decision, ...] = ()


def frame(
    s: TurnState,
    voiced: bool,
    index: int,
    t_us: int,
    rule: TurnRule,
    probability: float | None = None,
    echo_left: float | None = None,
) -> Step:
    """One frame later. `index` is the frame's position, `t_us` its arrival, `echo_left` as events.Frame has it."""
    if not (rule.greeting or rule.idle_prompt):
        return _hear(s, voiced, index, t_us, rule, probability, echo_left)
    s, prompted = _prompt(s, voiced, index, t_us, rule)
    s, decided = _hear(s, voiced, index, t_us, rule, probability, echo_left)
    return s, (*prompted, *decided)


def _hear(
    s: TurnState,
    voiced: bool,
    index: int,
    t_us: int,
    rule: TurnRule,
    probability: float | None,
    echo_left: float | None,
) -> Step:
    """What the caller says."""
    # Fifty times a second: in silence nothing is made, else one Hearing. (A `_replace` takes as long as four of them.)
    run, run_us, run_index, quiet, flagged, speech, reply, turns, heard_from, silence, pauses = s
    if reply and reply.playing and speech is None and not (rule.barge_in and reply.interruptible):
        return s._replace(run=0) if run else s, NOTHING  # what outlasts the reply starts as if it began after it
    if not voiced and not run and speech is None:
        return s, NOTHING
    doubted = probability is not None and probability < END
    if run == SAME_BREATH:
        quiet = quiet + 1 if doubted or not voiced else 0
        run = 0 if quiet >= rule.end_frames else run
    elif not voiced or (doubted and run == SPENT):
        run = 0
    elif run == 0 or (doubted and run >= rule.start_frames):  # noise may be "voiced" for long: that is no beginning
        run, run_us, run_index = run + 1, t_us, index
    elif run > 0:
        run += 1
    if speech is None:
        s = TurnState(run, run_us, run_index, quiet, flagged, None, reply, turns, heard_from, silence, pauses)
        return _start(s, index, t_us, rule) if _opens(s, probability, echo_left, rule) else (s, NOTHING)
    if doubted or (probability is None and not voiced):
        quiet, flagged = quiet + 1, flagged + voiced
    else:
        if rule.patience_frames and 2 * quiet >= rule.end_frames:
            pauses = update(pauses, quiet)
        quiet = flagged = 0
        speech = Speech(speech.turn, speech.from_index, speech.first_voiced_us, t_us, speech.voiced_frames + 1)
    s = TurnState(run, run_us, run_index, quiet, flagged, speech, reply, turns, heard_from, silence, pauses)
    if reply and reply.interruptible and speech.voiced_frames >= rule.cough_frames:
        return s._replace(reply=None), (Interrupted(reply.to.turn, speech.turn, speech.first_voiced_us, True),)
    if quiet >= (rule.end_frames if pauses is None else _hold(pauses, rule)):
        return _end(s, index, "noise" if flagged == quiet else "silence", rule)
    if probability is None and run >= rule.steady_frames:
        return _end(s._replace(run=SPENT), index, "noise", rule)
    if index - speech.from_index + 1 >= rule.max_frames:
        return _end(s._replace(run=SAME_BREATH, quiet=0), index, "too_long", rule)
    return s, NOTHING


def _prompt(s: TurnState, voiced: bool, index: int, t_us: int, rule: TurnRule) -> Step:
    """What the bot says of its own accord: decided at most once a silence, and at a frame without a voice."""
    silence = s.silence
    if rule.greeting and not silence.greeted:
        return _say(s._replace(silence=silence._replace(greeted=True)), rule.greeting, index, t_us)
    if not rule.idle_prompt or s.speech or s.reply or silence.prompted:
        return s, NOTHING
    if silence.since is None:
        return s._replace(silence=silence._replace(since=index)), NOTHING
    if voiced or index - silence.since < rule.idle_frames:
        return s, NOTHING
    return _say(s._replace(silence=silence._replace(prompted=True)), rule.idle_prompt, index, t_us)


def _say(s: TurnState, prompt: str, index: int, t_us: int) -> Step:
    nothing_said = Speech(s.turns, index, t_us, t_us, 0)
    silence = s.silence._replace(since=None)
    s = s._replace(reply=PendingReply(nothing_said, playing=False, prompt=True), turns=s.turns + 1, silence=silence)
    return s, (PromptDue(nothing_said.turn, prompt),)


def gap(s: TurnState, last_index: int, reason: str, rule: TurnRule) -> Step:
    """The caller's audio stopped after frame `last_index`: what was being said is over."""
    s = s._replace(run=0, quiet=0, flagged=0, heard_from=last_index + 1)
    return _end(s, last_index, reason, rule) if s.speech else (s, NOTHING)


def unheard(s: TurnState) -> tuple[TurnState, int | None]:
    """Nobody can hear the bot any more: the turn whose reply was playing, and is over."""
    if s.reply is None or not s.reply.playing:
        return s, None
    return s._replace(reply=None), s.reply.to.turn


def playback(s: TurnState, event: Playback) -> TurnState:
    """What the speaker says. The only source of `playing`."""
    if s.reply is None or s.reply.to.turn != event.turn.number:
        return s
    if isinstance(event, FillerStarted):
        return s._replace(reply=s.reply._replace(playing=True))
    if isinstance(event, PlaybackStarted):
        return s._replace(reply=s.reply._replace(playing=True, interruptible=event.interruptible))
    if isinstance(event, PlaybackEnded):
        return s._replace(reply=None)
    return s


def oldest_needed(s: TurnState, index: int, rule: TurnRule) -> int:
    """The first frame that an utterance may still ask for, after frame `index`: whatever came before it can go."""
    if s.speech:
        return s.speech.from_index
    keep = index + 1 - rule.kept_frames
    if s.reply and not s.reply.playing and not s.reply.prompt:
        return min(keep, max(s.reply.to.from_index, index + 1 - rule.max_frames // 2))
    return keep


def _opens(s: TurnState, probability: float | None, echo_left: float | None, rule: TurnRule) -> bool:
    """Whether this frame starts a turn."""
    frames, asked = rule.start_frames, BARGE_IN
    playing = s.reply is not None and s.reply.playing
    if probability is not None and (not playing or echo_left is not None):
        frames, asked = max(1, frames - SOONER), START
    if playing and echo_left is not None:
        frames += round((WITH_ECHO * rule.start_frames - frames) * echo_left)
        asked += (1 - asked) * echo_left
    return s.run >= frames and (probability is None or probability >= asked)


def _hold(pauses: PauseEstimate, rule: TurnRule) -> int:
    """Unvoiced frames in a row that end what this caller says."""
    return max(rule.end_frames, min(pauses.hold, rule.patience_frames))


def _start(s: TurnState, index: int, t_us: int, rule: TurnRule) -> Step:
    turn = s.turns
    # The pre-roll counts back from here; a run longer than it is still carried, as far as it is kept.
    oldest = max(s.heard_from, index + 1 - rule.kept_frames)
    from_index = max(oldest, min(s.run_index, index + 1 - rule.preroll_frames))
    speech = Speech(turn, from_index, s.run_us, t_us, index + 1 - s.run_index)
    reply, silences = s.reply, NOTHING
    if reply and reply.playing and speech.voiced_frames < rule.cough_frames:
        silences = (Halted(reply.to.turn),)
    elif reply:
        silences = (Interrupted(reply.to.turn, turn, s.run_us, reply.playing),)
        if not reply.playing and not reply.prompt:
            speech = _carry(reply.to, speech, index, rule)
            if rule.patience_frames and reply.since is not None:
                s = s._replace(pauses=update(s.pauses, s.run_index - reply.since))
        reply = None
    silence = s.silence._replace(since=None, prompted=False)
    s = s._replace(speech=speech, reply=reply, turns=turn + 1, quiet=0, flagged=0, silence=silence)
    return s, (Started(speech, s.run_us), *silences)


def _carry(before: Speech, speech: Speech, index: int, rule: TurnRule) -> Speech:
    """The caller had only paused: the utterance goes on from where the superseded one began.

    Half of the longest is kept free, so that what follows a very long utterance is not cut off at once.
    """
    return speech._replace(
        from_index=max(before.from_index, index + 1 - rule.max_frames // 2),
        first_voiced_us=before.first_voiced_us,
        voiced_frames=before.voiced_frames + speech.voiced_frames,
    )


def _end(s: TurnState, to_index: int, reason: str, rule: TurnRule) -> Step:
    assert s.speech is not None  # noqa: S101 - for the type checker: both callers have looked
    speech = s.speech
    if s.reply:
        return s._replace(speech=None), (Ended(speech, to_index, SHORT_INTERRUPTION), Resumed(s.reply.to.turn))
    reply = (
        PendingReply(speech, playing=False, since=to_index + 1 - s.quiet if s.quiet else None)
        if rule.answered
        else None
    )
    return s._replace(speech=None, reply=reply), (Ended(speech, to_index, reason),)
