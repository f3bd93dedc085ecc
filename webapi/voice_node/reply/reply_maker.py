"""Asks an orchestrator for a reply and makes the stream of it: an answer to an utterance, or a prompt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from functools import partial

import reactivex as rx
from reactivex import Observable
from reactivex import operators as ops

from webapi.voice_node.context import Context
from webapi.voice_node.events import SAY, Prompted, Reply, SpeechEnded, Turn
from webapi.voice_node.orchestrator import Orchestrator
from webapi.voice_node.reactive.async_iterator import from_async_iterator
from webapi.voice_node.reactive.direct import merged
from webapi.voice_node.reply.call import OrchestratorCall, chunks_of
from webapi.voice_node.reply.filler import Filler, FillerRule
from webapi.voice_node.reply.hooks import Hooks
from webapi.voice_node.reply.pacing import Pacing, QueueDepth
from webapi.voice_node.reply.pause_gate import PauseGate
from webapi.voice_node.reply.prompts import single_chunk, sound
from webapi.voice_node.reply.reply_source import ReplySource, answer_of, interruptible
from webapi.voice_node.reply.reply_stream import ReplyStream


class ReplyMaker:
    """Makes the replies of one session, each at `rate` Hz, paced by `depth` and halted by its gate.

    `late` is the filler of every answer, if there is one. No stream has an error: it ends with `ReplyEnded`.
    """

    def __init__(
        self,
        orchestrator: Orchestrator,
        context: Context,
        hooks: Hooks,
        call: OrchestratorCall,
        depth: QueueDepth,
        rate: int,
        late: FillerRule | None,
    ) -> None:
        self._orchestrator = orchestrator
        self._context = context
        self._hooks = hooks
        self._call = call
        self._depth = depth
        self._rate = rate
        self._late = late

    def answer(self, ended: SpeechEnded, gate: PauseGate) -> Observable[Reply]:
        """The reply to an utterance, with a filler before it where it is late."""
        turn = ended.turn
        get = partial(answer_of, self._orchestrator, self._hooks, ended)
        may_interrupt = partial(interruptible, self._orchestrator, turn.trace_id)
        if self._late is None:
            return self._spoken(ReplySource(get, may_interrupt), turn, gate)
        filler = Filler(
            turn,
            self._rate,
            partial(self._sound, self._late.prompt, turn),
            after_s=self._late.after_s,
            clock=self._context.clock,
            depth=self._depth,
            gate=gate,
        )
        reply = self._spoken(ReplySource(get, may_interrupt, filler.over), turn, gate)
        return merged([reply, self._filled(filler, turn)])

    def prompt(self, prompted: Prompted, gate: PauseGate) -> Observable[Reply]:
        """What the bot says of its own accord; an empty reply where the orchestrator has no sound for it."""
        if prompted.prompt == SAY:
            return self._said(prompted.turn, gate)

        async def get() -> AsyncIterator[bytes]:
            await self._hooks.started()
            chunks = await self._sound(prompted.prompt, prompted.turn)
            return single_chunk(b"") if chunks is None else chunks

        return self._spoken(ReplySource(get), prompted.turn, gate)

    def _said(self, turn: Turn, gate: PauseGate) -> Observable[Reply]:
        """What the orchestrator has asked to say."""
        speech, may_interrupt = self._call.take_speech(turn.trace_id)

        async def get() -> AsyncIterator[bytes]:
            return chunks_of(speech)

        async def interruptible() -> bool:
            return may_interrupt

        return self._spoken(ReplySource(get, interruptible), turn, gate)

    def _spoken(self, source: ReplySource, turn: Turn, gate: PauseGate) -> Observable[Reply]:
        """The reply's stream."""
        context, hooks = self._context, self._hooks
        return from_async_iterator(
            lambda: ReplyStream(
                source,
                turn,
                self._rate,
                clock=context.clock,
                timeout_s=context.settings.reply_timeout_ms / 1000,
                pacing=Pacing(self._depth, context.clock, gate),
                cancelled=lambda: context.replies.cancelled,
                failed=lambda hook, error: hooks.report(hook, turn, error),
            ).values(),
            context.replies,
        )

    def _filled(self, filler: Filler, turn: Turn) -> Observable[Reply]:
        """The filler's audio. Where that fails, a HookFailed and nothing more."""
        return filler.audio(self._context.replies).pipe(
            ops.catch(lambda error, _: rx.of(self._hooks.failed("play_filler", turn, error)))
        )

    def _sound(self, prompt: str, turn: Turn) -> Awaitable[AsyncIterator[bytes] | None]:
        return sound(prompt, turn.trace_id, self._orchestrator, self._context.folder, self._rate)
