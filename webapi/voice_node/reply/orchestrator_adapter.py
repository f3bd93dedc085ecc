"""One orchestrator at work for one session: at most one reply at a time, and the cut of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import reactivex as rx
from reactivex import Observable, abc

from webapi.voice_node.context import Context, ReplyScript
from webapi.voice_node.errors.contained import contained
from webapi.voice_node.events import (
    SAY,
    SHORT_INTERRUPTION,
    CutOutcome,
    Dtmf,
    DuckReply,
    HaltReply,
    HeardText,
    HungUp,
    LlmRequestDone,
    PartialAudio,
    Playback,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    Prompted,
    Reply,
    ReplyCut,
    RestoreReply,
    ResumeReply,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    TtsFirstChunk,
    Turn,
    TurnEvent,
)
from webapi.voice_node.orchestrator import Orchestrator, reply_rate_of
from webapi.voice_node.reply.call import OrchestratorCall, close_quietly
from webapi.voice_node.reply.filler import FillerRule
from webapi.voice_node.reply.hooks import Hooks
from webapi.voice_node.reply.outputs import OrchestratorOutputs
from webapi.voice_node.reply.pacing import QueueDepth
from webapi.voice_node.reply.pause_gate import PauseGate
from webapi.voice_node.reply.prompts import is_file
from webapi.voice_node.reply.reply_maker import ReplyMaker
from webapi.voice_node.reply.spoken_words import SpokenWords


class OrchestratorAdapter:
    """Gives the reply to a turn as a stream that cuts the reply before it, and tells the orchestrator what happens.

    `tell` gets what comes beside the reply's stream: cuts, halts, stamps, failed hooks. `rate` (Hz) is that of the
    turns, and of the replies too unless the orchestrator has a `reply_rate`. `late` is the filler of every answer.
    Where the session has a script (a recorded call), replies come from it by `tell`, and the orchestrator is asked for
    none.
    """

    answering: Turn | None = None  # the turn whose reply may still be heard

    def __init__(
        self,
        orchestrator: Orchestrator,
        context: Context,
        depth: QueueDepth,
        rate: int,
        tell: Callable[[Reply], None],
        late: FillerRule | None = None,
    ) -> None:
        self._context = context
        self._tell = tell
        self._gate = PauseGate()  # of the present reply
        self._words = SpokenWords()
        self._outputs = OrchestratorOutputs(context, tell, self._watch)
        self._hooks = Hooks(orchestrator, context, rate, self._outputs.tell)
        self._call = OrchestratorCall(context, rate, self._outputs.tell, self._words.made_ms)
        reply_rate = reply_rate_of(orchestrator, rate)
        self._maker = ReplyMaker(orchestrator, context, self._hooks, self._call, depth, reply_rate, late)
        if context.script:
            context.script.connect(self._take_recorded)
        self._hooks.call_started(self._call)
        context.on_ended.append(lambda reason, failed: self._hooks.call_ended(reason, self._call.present, failed))
        for name, event in (("on_llm_request_done", LlmRequestDone), ("on_tts_first_chunk", TtsFirstChunk)):
            _set(orchestrator, name, self._outputs.stamp(event, lambda: self.answering))

    def follow(self, playback: Observable[Playback], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        """Subscribe to what is played: halts of the reply, and how much of it was heard."""
        return playback.subscribe(self._on_playback, on_error=self._raise, scheduler=scheduler)

    def hear(self, event: TurnEvent) -> bool:
        """Tell the orchestrator, or the speaker, of an event. Returns whether the event begins or ends a reply."""
        if isinstance(event, PartialAudio):
            self._hooks.partial_audio(event)
            return False
        if isinstance(event, HungUp):
            return False
        if isinstance(event, Dtmf):
            self._hooks.dtmf(event)
            return False
        if isinstance(event, SpeechStarted):
            self._call.begin(event.turn)
            if self._context.script is not None:
                self._context.script.begin(event.turn)
            self._hooks.tell_counts(before=event.turn)
            self._hooks.speech_started(event)
            return False
        if isinstance(event, (HaltReply, ResumeReply, DuckReply, RestoreReply)):
            self._tell(event)
            return False
        return not (isinstance(event, SpeechEnded) and event.reason == SHORT_INTERRUPTION)

    def answer(self, ended: SpeechEnded) -> Observable[Reply]:
        """The orchestrator's reply to an utterance, with a filler before it where it is late."""
        return self._take_turn(
            ended.turn,
            ended.t_us,
            lambda script: script.answer(ended),
            lambda gate: self._maker.answer(ended, gate),
        )

    def prompt(self, prompted: Prompted) -> Observable[Reply]:
        """What the bot says of its own accord. Where that is a file, no hook is called for the turn."""

        def ask(gate: PauseGate) -> Observable[Reply]:
            if prompted.prompt != SAY and is_file(prompted.prompt):
                self._hooks.leave_out(prompted.turn)
            return self._maker.prompt(prompted, gate)

        return self._take_turn(prompted.turn, None, lambda script: script.prompt(prompted), ask)

    def cut(self, turn: Turn, outcome: CutOutcome, t_us: int) -> Observable[Reply]:
        """An empty stream that cuts the reply of `turn` when it is subscribed: `switch_map` puts it in the reply's
        place."""

        def begin(_: Any) -> Observable[Reply]:
            self._cut(turn, outcome, t_us)
            return rx.empty()

        return rx.defer(begin)

    def close(self) -> Observable[Reply]:
        """The same, at the session's end, for whatever reply may still be heard then."""

        def begin(_: Any) -> Observable[Reply]:
            self._cut(self.answering, "closed", self._context.clock())
            self._hooks.tell_counts()
            for speech in self._call.drop_speeches():
                self._context.replies.spawn(close_quietly(speech))
            return rx.empty()

        return rx.defer(begin)

    def _take_turn(
        self,
        turn: Turn,
        cut_us: int | None,
        read: Callable[[ReplyScript], None],
        ask: Callable[[PauseGate], Observable[Reply]],
    ) -> Observable[Reply]:
        """The reply of a turn, asked for when it is subscribed. A reply that may still be heard is cut at `cut_us`.

        None: there is none. It may have ended just now, and the end has not come here yet.
        """

        def begin(_: Any) -> Observable[Reply]:
            self._call.begin(turn)
            if cut_us is not None:
                self._cut(self.answering, "superseded", cut_us)
            self.answering = turn
            self._gate = PauseGate()
            if self._context.script:
                read(self._context.script)
                return rx.never()  # it comes from the recording, by `tell`
            return ask(self._gate).pipe(self._outputs.noted)

        return rx.defer(begin)

    def _cut(self, turn: Turn | None, outcome: CutOutcome, t_us: int) -> None:
        """The orchestrator stops, the speaker is flushed, the orchestrator learns why: in this order."""
        if turn is None:
            return
        self.answering = None
        if self._context.script:
            self._context.script.cut(turn)
        self._hooks.stop_playback(turn)
        self._tell(ReplyCut(t_us, turn, outcome))
        if outcome == "barged_in":
            self._hooks.barge_in(turn)

    def _on_playback(self, event: Playback) -> None:
        if isinstance(event, PlaybackPaused):
            self._gate.halt(event.t_us)
        elif isinstance(event, PlaybackResumed):
            self._gate.resume(event.t_us)
        elif isinstance(event, PlaybackEnded):
            if self.answering == event.turn:
                self.answering = None
            heard = self._words.heard(event)
            if heard is not None:
                self._tell(HeardText(event.t_us, event.turn, heard))
            self._hooks.playback_ended(event, heard)

    def _watch(self, value: Reply) -> None:
        self._words.take(value)
        if isinstance(value, Transcript) and value.speaker == "caller":
            self._context.tell_words(value)

    def _take_recorded(self, value: Reply) -> None:
        self._watch(value)
        self._tell(value)

    def _raise(self, error: Exception) -> None:
        raise error  # the playback port has no errors: an error there is a fault, and must not be lost


def _set(orchestrator: Orchestrator, name: str, function: Callable[..., None]) -> None:
    """Set a function that the orchestrator may call. One that takes no attributes (`__slots__`) does without."""
    with contained():
        setattr(orchestrator, name, function)
