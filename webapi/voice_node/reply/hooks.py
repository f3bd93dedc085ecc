"""Calls the orchestrator's hooks: the methods that tell it what happens. An exception becomes a HookFailed event."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from webapi.voice_node.context import Context
from webapi.voice_node.events import HookFailed, PartialAudio, PlaybackEnded, Reply, SpeechStarted, Turn, seconds
from webapi.voice_node.orchestrator import Orchestrator


class Hooks:
    """The hooks of one orchestrator. Each may be missing, may raise and may be a coroutine function.

    What is told "soon" is told in the loop's next round: the audio path comes first.
    """

    def __init__(self, orchestrator: Orchestrator, context: Context, tell: Callable[[Reply], None]) -> None:
        self._orchestrator = orchestrator
        self._context = context
        self._tell = tell
        self._own: Turn | None = None

    def leave_out(self, turn: Turn) -> None:
        """Call no hook for this turn: the node plays a file in it, and the orchestrator has no part."""
        self._own = turn

    def partial_audio(self, event: PartialAudio) -> None:
        """Soon: a piece of an utterance that goes on."""
        if getattr(self._orchestrator, "on_partial_audio", None):  # fifty times a second: only where it is wanted
            self._soon("on_partial_audio", event.turn, event.pcm)

    def speech_started(self, event: SpeechStarted) -> None:
        """Soon: if this start is a barge-in, that event comes next, and the reply must be silent first."""
        self._soon("on_speech_started", event.turn, seconds(event.t_us))

    def playback_ended(self, event: PlaybackEnded) -> None:
        """Soon: how much of the reply was heard."""
        self._soon("on_playback_ended", event.turn, event.heard_ms, event.completed)

    def stop_playback(self, turn: Turn) -> None:
        """Now: the reply is cancelled."""
        self._call("stop_playback", turn)

    def barge_in(self, turn: Turn) -> None:
        """Now: the caller talked over the reply, which is silent."""
        self._call("on_barge_in_detected", turn)

    def failed(self, hook: str, turn: Turn, error: Exception) -> HookFailed:
        """The event that tells of it."""
        return HookFailed(self._context.clock(), turn, hook, f"{type(error).__name__}: {error}")

    def _soon(self, hook: str, turn: Turn, *args: Any) -> None:
        self._context.loop.call_soon(self._call, hook, turn, *args)

    def _call(self, hook: str, turn: Turn, *args: Any) -> None:
        method = getattr(self._orchestrator, hook, None)
        if method is None or turn == self._own:
            return
        try:
            result = method(turn.trace_id, *args)
        except Exception as error:
            self._report(hook, turn, error)
            return
        if inspect.isawaitable(result):
            self._context.spawn(self._finish(hook, turn, result))

    async def _finish(self, hook: str, turn: Turn, result: Awaitable[Any]) -> None:
        try:
            await result
        except Exception as error:
            self._report(hook, turn, error)

    def _report(self, hook: str, turn: Turn, error: Exception) -> None:
        """Tell of the error soon: it is an input of its own, and must not come amid what the hook was told of."""
        self._context.loop.call_soon(lambda: self._tell(self.failed(hook, turn, error)))
