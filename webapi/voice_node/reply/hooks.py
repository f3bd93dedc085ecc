"""Calls the orchestrator's hooks: the methods that tell it what happens. No hook can do harm beyond its own turn."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from webapi.voice_node.context import Context
from webapi.voice_node.errors import as_exception, describe
from webapi.voice_node.events import (
    Dtmf,
    HookFailed,
    PartialAudio,
    PlaybackEnded,
    Reply,
    SpeechEnded,
    SpeechStarted,
    Turn,
    seconds,
)
from webapi.voice_node.orchestrator import Call, takes
from webapi.voice_node.reply.hook_queue import Done, HookCall, HookQueue


class Hooks:
    """The hooks of one orchestrator. Each may be missing, may raise anything, and may be a coroutine function.

    A plain hook is called where it is caused. Those that must be awaited run one after another in the order of their
    causes (hook_queue.py). What is told "soon" is told in the loop's next round: the audio path comes first. What a
    hook raises becomes a HookFailed for `tell`: the first of a turn at once, the others of that turn as a count later.
    """

    def __init__(self, orchestrator: Any, context: Context, rate: int, tell: Callable[[Reply], None]) -> None:
        self._orchestrator = orchestrator
        self._context = context
        self._tell = tell
        self._own: Turn | None = None
        self._started: asyncio.Future[None] | None = None
        self._queue = HookQueue(context.hooks, context.settings.reply_timeout_ms / 1000, rate, self.report)
        self._asked: tuple[Any, bool] | None = None  # the last `on_playback_ended`, and whether it takes words
        self._failures: dict[tuple[Turn, str], int] = {}  # of the present turns: how often each hook failed

    def leave_out(self, turn: Turn) -> None:
        """Call no hook for this turn: the node plays a file in it, and the orchestrator has no part."""
        self._own = turn

    def partial_audio(self, event: PartialAudio) -> None:
        """Soon: a piece of an utterance that goes on."""
        if self._method("on_partial_audio"):  # fifty times a second: only where it is wanted
            self._soon("on_partial_audio", event.turn, event.pcm)

    def speech_started(self, event: SpeechStarted) -> None:
        """Soon: if this start is a barge-in, that event comes next, and the reply must be silent first."""
        self._soon("on_speech_started", event.turn, seconds(event.t_us))

    def dtmf(self, event: Dtmf) -> None:
        """Soon, so that it comes behind the start of speech before it: the caller has pressed a key."""
        self._context.loop.call_soon(self._key_pressed, event)

    def call_started(self, call: Call) -> None:
        """Soon, and first of all: the call begins. `started` waits until the hook has returned."""
        method = self._method("on_call_started")
        if method is None:
            return
        turn = self._context.turn(0)
        self._started = self._context.loop.create_future()
        self._context.loop.call_soon(self._run, "on_call_started", turn, method, (call,), self._on_started)

    async def started(self) -> None:
        """Returns when `on_call_started` has, or has failed."""
        if self._started is not None:
            await asyncio.wait([self._started])

    def call_ended(self, reason: str, turn: Turn, on_trouble: Callable[[Exception], None]) -> None:
        """Now, and last of all. `on_trouble` gets what goes wrong: no event can tell of it any more."""

        def done(error: BaseException | None) -> None:
            if error is not None:
                on_trouble(RuntimeError(f"the orchestrator's on_call_ended failed: {describe(error)}"))

        method = self._method("on_call_ended")
        if method is not None:
            self._run("on_call_ended", turn, method, (reason,), done)

    def playback_ended(self, event: PlaybackEnded, heard_text: str | None) -> None:
        """Soon: how much of the reply was heard."""
        told: tuple[Any, ...] = (event.heard_ms, event.completed)
        method = self._method("on_playback_ended")
        if method is not None and self._takes_words(method, event.turn.trace_id, *told, heard_text):
            told = (*told, heard_text)
        self._soon("on_playback_ended", event.turn, *told)

    def _takes_words(self, method: Callable[..., Any], *args: Any) -> bool:
        function = getattr(method, "__func__", method)
        if self._asked is None or self._asked[0] is not function:  # most often it is that of the reply before
            self._asked = function, takes(method, *args)
        return self._asked[1]

    def stop_playback(self, turn: Turn) -> None:
        """Now: the reply is cancelled."""
        self._call("stop_playback", turn)

    def barge_in(self, turn: Turn) -> None:
        """Now: the caller talked over the reply, which is silent."""
        self._call("on_barge_in_detected", turn)

    async def speech_ended(self, ended: SpeechEnded) -> None:
        """Returns when `on_speech_ended` has. Raises what it raises.

        It is called even if nobody waits for it any more, because the caller goes on.
        """
        method = self._method("on_speech_ended")
        if method is None:
            return
        told: asyncio.Future[None] = self._context.loop.create_future()

        def done(error: BaseException | None) -> None:
            if told.done():  # the reply is not wanted any more
                if error is not None:
                    self.report("on_speech_ended", ended.turn, error)
            elif error is None:
                told.set_result(None)
            else:
                told.set_exception(as_exception(error))

        def start() -> Any:
            times = seconds(ended.t_first_byte_us), seconds(ended.t_last_byte_us)
            return method(ended.turn.trace_id, ended.pcm, *times)

        if not is_async(method):
            result = start()
            if not inspect.isawaitable(result):
                return
            self._queue.add(HookCall("on_speech_ended", ended.turn, lambda: result, done))
        else:
            self._queue.add(HookCall("on_speech_ended", ended.turn, start, done))
        await told

    def failed(self, hook: str, turn: Turn, error: BaseException) -> HookFailed:
        """The event that tells of it."""
        return HookFailed(self._context.clock(), turn, hook, describe(error))

    def report(self, hook: str, turn: Turn, error: BaseException) -> None:
        """Tell of an error soon: it is an input of its own, and must not come amid what the hook was told of."""
        count = self._failures[turn, hook] = self._failures.get((turn, hook), 0) + 1
        if count == 1:
            self._tell_soon(hook, turn, describe(error))

    def tell_counts(self, before: Turn | None = None) -> None:
        """Tell how often hooks failed in turns before that one (None: in all of them), beyond the first time."""
        for turn, hook in [key for key in self._failures if before is None or key[0].number < before.number]:
            more = self._failures.pop((turn, hook)) - 1
            if more:
                self._tell_soon(hook, turn, f"{more} more times in this turn")

    def _tell_soon(self, hook: str, turn: Turn, detail: str) -> None:
        context = self._context
        if not context.loop.is_closed():  # a hook that ignored its cancel may end after everything
            context.loop.call_soon(lambda: self._tell(HookFailed(context.clock(), turn, hook, detail)))

    def _method(self, hook: str) -> Callable[..., Any] | None:
        try:
            method = getattr(self._orchestrator, hook, None)
        except KeyboardInterrupt:
            raise
        except BaseException:  # a property of the orchestrator's
            return None
        return method if callable(method) else None

    def _soon(self, hook: str, turn: Turn, *args: Any) -> None:
        self._context.loop.call_soon(self._call, hook, turn, *args)

    def _call(self, hook: str, turn: Turn, *args: Any) -> None:
        method = self._method(hook)
        if method is None or turn == self._own:
            return
        if hook == "on_partial_audio" and is_async(method):
            self._queue.add_partial(hook, turn, lambda pcm: method(turn.trace_id, pcm), *args)
        else:
            self._run(hook, turn, method, (turn.trace_id, *args))

    def _run(
        self, hook: str, turn: Turn, method: Callable[..., Any], args: tuple[Any, ...], done: Done | None = None
    ) -> None:
        """Call a hook, or put it behind the others that are to be awaited. `done` gets its end."""
        if is_async(method):
            self._queue.add(HookCall(hook, turn, lambda: method(*args), done))
            return
        error: BaseException | None = None
        try:
            result = method(*args)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:
            error = raised
        else:
            if inspect.isawaitable(result):
                self._queue.add(HookCall(hook, turn, lambda: result, done))
                return
        if done is not None:
            done(error)
        elif error is not None:
            self.report(hook, turn, error)

    def _key_pressed(self, event: Dtmf) -> None:
        method = self._method("on_dtmf")
        if method is not None:
            self._run("on_dtmf", event.turn, method, (event.digit,))

    def _on_started(self, error: BaseException | None) -> None:
        if error is not None:
            self.report("on_call_started", self._context.turn(0), error)
        if self._started is not None and not self._started.done():
            self._started.set_result(None)


def is_async(method: Callable[..., Any]) -> bool:
    """Whether a call of it only makes a coroutine, so that the call itself can wait for its place in the queue."""
    if inspect.isroutine(method):
        return inspect.iscoroutinefunction(method)
    return any(inspect.iscoroutinefunction(each) for each in (method, type(method).__call__))
