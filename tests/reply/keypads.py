"""Orchestrators that are told which keys the caller presses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tests.reply.talkative import Talkative
from webapi.voice_node.orchestrator import Call
from webapi.voice_node.orchestrator_mock import tone


class Keypad(Talkative):
    """Notes each key among the other hooks."""

    def on_dtmf(self, digit: str) -> None:
        self.hooks.append(("on_dtmf", digit))


class SlowKeypad(Talkative):
    """Its hooks take time, so keys and starts of speech wait for those before them."""

    async def on_call_started(self, call: Call) -> None:  # type: ignore[override]  # async here
        super().on_call_started(call)
        await asyncio.sleep(0.3)
        self.hooks.append(("ready",))

    async def on_dtmf(self, digit: str) -> None:
        self.hooks.append(("on_dtmf", digit))
        await asyncio.sleep(0.2)
        self.hooks.append(("done", digit))

    async def on_speech_started(self, trace_id: str, ts: float) -> None:  # type: ignore[override]  # async here
        super().on_speech_started(trace_id, ts)


class ShortMenu(Talkative):
    """Knows two keys."""

    def on_dtmf(self, digit: str) -> None:
        self.hooks.append(({"1": "sales", "2": "support"}[digit],))


class StopsAtAKey(Talkative):
    """Ends its reply of ten seconds when a key is pressed, and answers that key."""

    def on_call_started(self, call: Call) -> None:
        super().on_call_started(call)
        self._pressed = False

    def on_dtmf(self, digit: str) -> None:
        self._pressed = True
        self.call.say(tone(0.3, 8000, 880))

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        for _ in range(500):
            if self._pressed:
                return
            yield tone(0.02, 8000, 440)


class LeavesAtHash(Keypad):
    """Hangs up when the caller presses #."""

    def on_dtmf(self, digit: str) -> None:
        super().on_dtmf(digit)
        if digit == "#":
            self.call.hang_up("the caller pressed #")
