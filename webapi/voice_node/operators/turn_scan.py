"""The turn reducer with a memory: its state, and the audio of the frames that an utterance may still ask for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from webapi.voice_node.events import (
    SAY,
    Asked,
    AudioGap,
    BargeIn,
    Dtmf,
    DuckReply,
    Expected,
    ExpectsAsked,
    Frame,
    HaltReply,
    HungUp,
    KeyPressed,
    PartialAudio,
    Playback,
    Prompted,
    RestoreReply,
    ResumeReply,
    SayAsked,
    SpeechEnded,
    SpeechStarted,
    Superseded,
    Transcript,
    Turn,
    TurnEvent,
    Unheard,
    Voiced,
    length_us,
)
from webapi.voice_node.hearing import bot_heard, endpoint, onset, turn_reducer
from webapi.voice_node.hearing.bot_heard import BotHeard
from webapi.voice_node.hearing.decisions import (
    Decision,
    Ducked,
    Ended,
    Halted,
    HangUpDue,
    Interrupted,
    PromptDue,
    Restored,
    Resumed,
    SayDue,
    Started,
)
from webapi.voice_node.hearing.endpoint import END, Endpoint
from webapi.voice_node.hearing.loudness import level_db
from webapi.voice_node.hearing.onset import DIGITS, Margin
from webapi.voice_node.hearing.requests import HangUpRequest, SayRequest
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.turn_state import TurnState


class TurnScan:
    """Takes voiced frames, keys, playback and what the orchestrator asks for; gives turn events to `emit`.

    `rule_for` makes the rule from the length of a frame in µs and what the caller is expected to say, `name` the Turn
    from its number.
    The state is renewed before an event is emitted, because what follows from it may come back through playback.
    """

    def __init__(
        self,
        rule_for: Callable[[int, Expected], TurnRule],
        name: Callable[[int], Turn],
        emit: Callable[[TurnEvent], None],
    ) -> None:
        self._rule_for = rule_for
        self._name = name
        self._emit = emit
        self._rule: TurnRule | None = None  # known with the first frame
        self._expects: Expected = ""
        self._done: float | None = None  # as of the present frame
        self._state = TurnState()
        self._bot = BotHeard()
        self._speaking = name(0)  # the turn of the last utterance that started
        self._said: Turn | None = None  # the last turn that the orchestrator asked for: it has its own trace_id
        self._telling = False
        self._kept: deque[Voiced] = deque()
        self._many = 0  # frames: with more, the old ones are dropped also while nothing happens
        self._margin: Margin | None = None  # of the decisions that are told: see `_margin`
        self._silence = Endpoint()  # with which they were made

    def on_next(self, value: Voiced | AudioGap) -> None:
        """A frame, or the end of the caller's audio."""
        if isinstance(value, AudioGap):
            self._on_gap(value)
            return
        value = bot_heard.counted(self._bot, value)
        frame, voiced, probability, done, _ = value
        kept, before = self._kept, self._state
        rule = self._rule or self._begin(frame)
        kept.append(value)
        t_us, pcm, _, number, echo_left = frame
        level = level_db(pcm) if rule.duck else None
        self._done = done
        after, decisions = turn_reducer.frame(before, voiced, number, t_us, rule, probability, echo_left, level, done)
        if after is before and not decisions and not after.requests and after.utterance is None:
            if len(kept) > self._many:  # now and then: that is so with half of all frames
                self._drop_old(number, rule)
            return
        self._state = after
        spoke, speaks = before.utterance is not None, after.utterance is not None
        if spoke and not speaks:  # the last frame of the utterance comes before its end
            self._emit(PartialAudio(t_us, self._speaking, pcm))
        if decisions:
            self._margin, self._silence = _margin(before, after, value, rule), after.endpoint
            self._tell(decisions, t_us)
        if spoke and speaks:
            self._emit(PartialAudio(t_us, self._speaking, pcm))
        if self._state.requests:
            self._meet_requests(t_us)
        if self._state.utterance is None:  # else all are needed
            self._drop_old(number, rule)

    def _drop_old(self, number: int, rule: TurnRule) -> None:
        """Drop the frames that no utterance can ask for any more after frame `number`."""
        kept, oldest = self._kept, turn_reducer.oldest_needed(self._state, number, rule)
        while kept[0].frame.number < oldest:
            kept.popleft()

    def on_playback(self, event: Playback) -> None:
        """What the speaker reports."""
        self._bot = bot_heard.at_playback(self._bot, event)
        self._state = turn_reducer.playback(self._state, event)
        if self._state.requests:
            self._meet_requests(event.t_us)

    def on_asked(self, asked: Asked) -> None:
        """The orchestrator asks for a turn, or to hang up, or for more time for the caller."""
        if isinstance(asked, ExpectsAsked):
            self._expects = asked.what
            self._rule = self._rule and self._begin(self._kept[-1].frame)
            return
        request = SayRequest(asked.trace_id) if isinstance(asked, SayAsked) else HangUpRequest(asked.reason)
        self._state = turn_reducer.request(self._state, request)
        self._meet_requests(asked.t_us)

    def on_words(self, words: Transcript) -> None:
        """What the caller has said so far, as the orchestrator tells it: a whole text, or one that takes its place."""
        if words.speaker == "caller":
            self._state = turn_reducer.words(self._state, words.turn.number, words.text)

    def on_key(self, key: KeyPressed) -> None:
        """The caller has pressed a key."""
        self._state = turn_reducer.key(self._state)
        self._emit(Dtmf(key.t_us, self._turn(max(0, self._state.turns - 1)), key.digit))

    def _meet_requests(self, t_us: int) -> None:
        """Meet those that can be met. Not while other decisions are told: they may come back here by `on_playback`."""
        while not self._telling:
            number = self._kept[-1].frame.number + 1 if self._kept else 0
            self._state, decisions = turn_reducer.meet_request(self._state, number, t_us)
            if not decisions:
                return
            self._tell(decisions, t_us)

    def _begin(self, frame: Frame) -> TurnRule:
        rule = self._rule = self._rule_for(length_us(frame.pcm, frame.rate), self._expects)
        self._many = 2 * rule.kept_frames
        return rule

    def _on_gap(self, gap: AudioGap) -> None:
        self._done = None
        if self._kept and self._rule:
            self._silence = self._state.endpoint
            self._state, decisions = turn_reducer.gap(self._state, self._kept[-1].frame.number, gap.reason, self._rule)
            self._tell(decisions, gap.t_us)
        if gap.unheard:
            self._state, silenced = turn_reducer.unheard(self._state)
            if silenced is not None:
                self._telling = True
                self._emit(Unheard(gap.t_us, self._turn(silenced)))
                self._telling = False
        self._meet_requests(gap.t_us)

    def _tell(self, decisions: tuple[Decision, ...], t_us: int) -> None:
        """Emit an event for each. The audio of an utterance that starts comes last: a barge-in must not wait for it."""
        so_far: PartialAudio | None = None
        self._telling = True
        for decision in decisions:
            self._emit(self._event(decision, t_us))
            if isinstance(decision, Started):
                first = decision.utterance.first_frame
                pcm = b"".join(each.frame.pcm for each in self._kept if each.frame.number >= first)
                so_far = PartialAudio(t_us, self._speaking, pcm)
        if so_far is not None:
            self._emit(so_far)
        self._telling = False

    def _event(self, decision: Decision, t_us: int) -> TurnEvent:
        if isinstance(decision, Started):
            self._speaking = self._name(decision.utterance.turn)
            number = self._kept[-1].frame.number
            return SpeechStarted(t_us, self._speaking, decision.voiced_us, number, *(self._margin or ()))
        if isinstance(decision, Ended):
            return self._ended(decision, t_us)
        if isinstance(decision, HangUpDue):
            return HungUp(t_us, self._turn(max(0, self._state.turns - 1)), decision.reason)
        if isinstance(decision, SayDue):
            self._said = Turn(decision.trace_id, decision.turn)
            return Prompted(t_us, self._said, SAY)
        turn = self._turn(decision.turn)
        if isinstance(decision, Halted):
            return HaltReply(t_us, turn)
        if isinstance(decision, Resumed):
            return ResumeReply(t_us, turn)
        if isinstance(decision, Ducked):
            return DuckReply(t_us, turn, decision.voiced_us)
        if isinstance(decision, Restored):
            return RestoreReply(t_us, turn)
        if isinstance(decision, PromptDue):
            return Prompted(t_us, turn, decision.prompt)
        return self._interrupted(decision, turn, t_us)

    def _turn(self, number: int) -> Turn:
        said = self._said
        return said if said is not None and said.number == number else self._name(number)

    def _interrupted(self, decision: Interrupted, turn: Turn, t_us: int) -> TurnEvent:
        by = self._name(decision.by)
        if decision.playing:
            number = self._kept[-1].frame.number
            return BargeIn(t_us, turn, by, decision.voiced_us, number, *(self._margin or ()))
        return Superseded(t_us, turn, by)

    def _ended(self, decision: Ended, t_us: int) -> SpeechEnded:
        utterance = decision.utterance
        last, unvoiced = decision.last_frame, self._silence.unvoiced
        frames = [each.frame for each in self._kept if utterance.first_frame <= each.frame.number <= last]
        frame_us = length_us(frames[0].pcm, frames[0].rate)
        return SpeechEnded(
            t_us,
            self._name(utterance.turn),
            pcm=b"".join(f.pcm for f in frames),
            rate=frames[0].rate,
            t_first_byte_us=frames[0].t_us - frame_us,
            t_last_byte_us=frames[-1].t_us,
            t_first_voiced_us=utterance.first_voiced_us,
            t_last_voiced_us=utterance.last_voiced_us,
            voiced_ms=utterance.voiced_frames * frame_us // 1000,
            reason=decision.reason,
            frame=last,
            unvoiced=unvoiced,
            hold=endpoint.hold(self._silence, self._done, self._rule) if self._rule else 0,
            highest=_highest([each for each in self._kept if last - unvoiced < each.frame.number <= last]),
            done=self._done,
        )


def _margin(before: TurnState, after: TurnState, value: Voiced, rule: TurnRule) -> Margin | None:
    """How narrow the decisions of a frame were, that are a start or the interruption of a halted reply."""
    frame, probability = value.frame, value.probability
    if before.utterance is None:
        playing = before.reply is not None and before.reply.playing
        return onset.margin(after.onset, probability, frame.echo_left, playing, rule)
    if after.utterance is None:
        return None
    needed = rule.min_interruption_frames
    return onset.margin_of(after.utterance.voiced_frames, needed, probability, END)


def _highest(silence: list[Voiced]) -> float | None:
    """The highest probability of a voice in these frames."""
    likely = [each.probability for each in silence if each.probability is not None]
    return round(max(likely), DIGITS) if likely else None
