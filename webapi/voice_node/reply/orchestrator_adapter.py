"""One orchestrator at work for one session: every call on it goes through here, and none of them can hurt the graph."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import reactivex as rx
from reactivex import Observable, abc
from reactivex import operators as ops

from webapi.voice_node.context import Context, ReplyScript
from webapi.voice_node.events import (
    SHORT_INTERRUPTION,
    CutOutcome,
    HaltReply,
    HookFailed,
    LlmRequestDone,
    PartialAudio,
    Playback,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    Prompted,
    Reply,
    ReplyCut,
    ReplyEnded,
    ResumeReply,
    SpeechEnded,
    SpeechStarted,
    TtsFirstChunk,
    Turn,
    TurnEvent,
    seconds,
)
from webapi.voice_node.inputs import OrchestratorOutput
from webapi.voice_node.orchestrator import Orchestrator
from webapi.voice_node.reactive.async_iterator import from_async_iterator
from webapi.voice_node.reactive.direct import DirectObservable, merged
from webapi.voice_node.reply.filler import Filler
from webapi.voice_node.reply.prompts import is_file, single_chunk, sound
from webapi.voice_node.reply.reply_stream import (
    PauseGate,
    QueueDepth,
    ReplySource,
    answer_of,
    at_once,
    interruptible,
    stream_reply,
    yes,
)


class FillerRule(NamedTuple):
    """What is said where a reply is late."""

    prompt: str
    after_s: float


class OrchestratorAdapter:
    """Calls the orchestrator and tells what came of it. `answering` is the turn whose reply may still be heard."""

    answering: Turn | None = None

    def __init__(
        self,
        orchestrator: Orchestrator,
        context: Context,
        pace: QueueDepth,
        rate: int,
        tell: Callable[[Reply], None],
        late: FillerRule | None = None,
    ) -> None:
        self._orchestrator = orchestrator
        self._late = late
        self._context = context
        self._pace = pace
        self._rate = rate  # Hz, of what it says
        self._tell = tell
        self._gate = PauseGate()
        self._first_chunk_of: Turn | None = None
        self._own: Turn | None = None  # the last one that the orchestrator has no part in
        if context.script:
            context.script.connect(tell)
        orchestrator.on_llm_request_done = self._stamp(LlmRequestDone)
        orchestrator.on_tts_first_chunk = self._stamp(TtsFirstChunk)

    def follow(self, playback: Observable[Playback], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        """Listen to what is played: the orchestrator is told how much of its reply was heard."""
        return playback.subscribe(self._on_playback, on_error=self._raise, scheduler=scheduler)

    def hear(self, event: TurnEvent) -> bool:
        """Tell the orchestrator what it is told while the caller speaks. Whether the event decides about a reply."""
        if isinstance(event, PartialAudio):
            if getattr(self._orchestrator, "on_partial_audio", None):  # fifty times a second: not for nobody
                heard, pcm = event.turn, event.pcm
                self._context.loop.call_soon(lambda: self._call("on_partial_audio", heard, heard.trace_id, pcm))
            return False
        if isinstance(event, SpeechStarted):
            # Soon, not now: if this start is a barge-in, its own event comes next, and silence comes first.
            turn, at_s = event.turn, seconds(event.t_us)
            self._context.loop.call_soon(lambda: self._call("on_speech_started", turn, turn.trace_id, at_s))
            return False
        if isinstance(event, (HaltReply, ResumeReply)):
            self._tell(event)
            return False
        return not (isinstance(event, SpeechEnded) and event.reason == SHORT_INTERRUPTION)

    def answer(self, ended: SpeechEnded) -> Observable[Reply]:
        """The orchestrator's reply to an utterance, and a filler before it where it is late."""
        turn = ended.turn

        def ask() -> Observable[Reply]:
            filler = self._filler(self._late, turn) if self._late else None
            source = ReplySource(
                get=lambda: answer_of(self._orchestrator, ended),
                interruptible=lambda: interruptible(self._orchestrator, turn.trace_id),
                may_speak=filler.over if filler else at_once,
            )
            reply = self._spoken(source, turn)
            return merged([reply, self._filled(filler, turn)]) if filler else reply

        return self._take_turn(turn, ended.t_us, lambda script: script.answer(ended), ask)

    def prompt(self, prompted: Prompted) -> Observable[Reply]:
        """What the bot says of its own accord. Of a file, the orchestrator hears nothing: it had no part in it."""
        turn = prompted.turn

        async def get() -> AsyncIterator[bytes]:
            chunks = await self._sound(prompted.prompt, turn)
            return single_chunk(b"") if chunks is None else chunks

        def ask() -> Observable[Reply]:
            if is_file(prompted.prompt):
                self._own = turn
            return self._spoken(ReplySource(get, yes, at_once), turn)

        return self._take_turn(turn, prompted.t_us, lambda script: script.prompt(prompted), ask)

    def _take_turn(
        self, turn: Turn, t_us: int, read: Callable[[ReplyScript], None], ask: Callable[[], Observable[Reply]]
    ) -> Observable[Reply]:
        """The reply of a turn, when it is subscribed; whatever is still on its way is over then."""

        def begin(_: Any) -> Observable[Reply]:
            self._cut(self.answering, "superseded", t_us)
            self.answering = turn
            self._gate = PauseGate()
            if self._context.script:
                read(self._context.script)
                return rx.never()  # it comes from the recording, through `tell`
            return ask().pipe(self._news)

        return rx.defer(begin)

    def _spoken(self, source: ReplySource, turn: Turn) -> Observable[Reply]:
        context, pace, gate = self._context, self._pace, self._gate
        timeout_s = context.settings.reply_timeout_ms / 1000

        def failed(error: Exception, _: Observable[Reply]) -> Observable[Reply]:
            return rx.of(ReplyEnded(context.clock(), turn, "failed", f"{type(error).__name__}: {error}"))

        return from_async_iterator(
            lambda: stream_reply(
                source, turn, self._rate, clock=context.clock, timeout_s=timeout_s, pace=pace, gate=gate
            ),
            context.spawn,
        ).pipe(ops.catch(failed))

    def _sound(self, prompt: str, turn: Turn) -> Awaitable[AsyncIterator[bytes] | None]:
        return sound(prompt, turn.trace_id, self._orchestrator, self._context.folder, self._rate)

    def _filler(self, late: FillerRule, turn: Turn) -> Filler:
        """The filler of a reply that is asked for now."""
        return Filler(
            turn,
            self._rate,
            lambda: self._sound(late.prompt, turn),
            after_s=late.after_s,
            clock=self._context.clock,
            pace=self._pace,
        )

    def _filled(self, filler: Filler, turn: Turn) -> Observable[Reply]:
        """What it says; where that fails, a notice and nothing more."""

        def failed(error: Exception, _: Observable[Reply]) -> Observable[Reply]:
            detail = f"{type(error).__name__}: {error}"
            return rx.of(HookFailed(self._context.clock(), turn, "play_filler", detail))

        return filler.audio(self._context.spawn).pipe(ops.catch(failed))

    def cut(self, turn: Turn, outcome: CutOutcome, t_us: int) -> Observable[Reply]:
        """Silence, when it is subscribed: what `switch_map` puts in the place of the reply."""

        def begin(_: Any) -> Observable[Reply]:
            self._cut(turn, outcome, t_us)
            return rx.empty()

        return rx.defer(begin)

    def close(self) -> Observable[Reply]:
        """Silence for whatever reply is on its way when the session ends."""

        def begin(_: Any) -> Observable[Reply]:
            self._cut(self.answering, "closed", self._context.clock())
            return rx.empty()

        return rx.defer(begin)

    def _cut(self, turn: Turn | None, outcome: CutOutcome, t_us: int) -> None:
        """The orchestrator stops, the room is flushed, the orchestrator learns why: in this order."""
        if turn is None:
            return
        self.answering = None
        if self._context.script:
            self._context.script.cut(turn)
        self._call("stop_playback", turn, turn.trace_id)
        self._tell(ReplyCut(t_us, turn, outcome))
        if outcome == "barged_in":
            self._call("on_barge_in_detected", turn, turn.trace_id)

    def _on_playback(self, event: Playback) -> None:
        if isinstance(event, PlaybackPaused):
            self._gate.halt(event.t_us)
        elif isinstance(event, PlaybackResumed):
            self._gate.resume(event.t_us)
        elif isinstance(event, PlaybackEnded):
            if self.answering == event.turn:
                self.answering = None
            turn, heard_ms, completed = event.turn, event.heard_ms, event.completed
            self._context.loop.call_soon(
                lambda: self._call("on_playback_ended", turn, turn.trace_id, heard_ms, completed)
            )

    def _raise(self, error: Exception) -> None:
        raise error  # the playback port has no errors: whoever made one must hear of it

    def _news(self, source: Observable[Reply]) -> Observable[Reply]:
        """What the graph is told of the orchestrator's values, each of them noted first."""

        def subscribe(
            observer: abc.ObserverBase[Reply], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            def on_next(value: Reply) -> None:
                if self._is_news(value):
                    self._note(value)
                    observer.on_next(value)

            return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

        return DirectObservable(subscribe)

    def _is_news(self, value: Reply) -> bool:
        """False for a first chunk that the node sees after the orchestrator has already told of it."""
        if isinstance(value, TtsFirstChunk):
            known = self._first_chunk_of == value.turn
            self._first_chunk_of = value.turn
            return not known
        return True

    def _stamp(self, event: type[LlmRequestDone] | type[TtsFirstChunk]) -> Callable[..., None]:
        """What the orchestrator calls as `(trace_id, ts)`, from any thread. Stamped on the node's own clock: other
        clocks have lied."""

        def stamp(trace_id: str, ts: float | None = None) -> None:
            if not _runs(self._context.loop):
                self._context.loop.call_soon_threadsafe(stamp, trace_id, ts)
                return
            turn = self.answering
            if turn is not None and turn.trace_id == trace_id:
                told = event(self._context.clock(), turn)
                if self._is_news(told):
                    self._note(told)
                    self._tell(told)

        return stamp

    def _call(self, hook: str, turn: Turn, *args: Any) -> None:
        """Call a method that may be missing, may raise and may be a coroutine."""
        method = getattr(self._orchestrator, hook, None)
        if method is None or turn == self._own:
            return
        try:
            result = method(*args)
        except Exception as error:
            self._failed(hook, turn, error)
            return
        if inspect.isawaitable(result):
            self._context.spawn(self._finish(hook, turn, result))

    async def _finish(self, hook: str, turn: Turn, result: Awaitable[Any]) -> None:
        try:
            await result
        except Exception as error:
            self._failed(hook, turn, error)

    def _failed(self, hook: str, turn: Turn, error: Exception) -> None:
        detail = f"{type(error).__name__}: {error}"

        def tell() -> None:
            failed = HookFailed(self._context.clock(), turn, hook, detail)
            self._note(failed)
            self._tell(failed)

        self._context.loop.call_soon(tell)  # an input of its own, and not in the middle of what the hook was told of

    def _note(self, value: Reply) -> None:
        """For the recording of the call: this came from the orchestrator."""
        if self._context.note:
            self._context.note(OrchestratorOutput(value))


def _runs(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this code runs in the loop, and not in another thread."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
