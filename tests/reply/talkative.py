"""Orchestrators that use the call object."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, ClassVar

from webapi.voice_node.orchestrator import Call
from webapi.voice_node.orchestrator_mock import tone


class Talkative:
    """Notes every hook, and tells words and stamps with each reply: a tone of two seconds."""

    last: ClassVar[Talkative]

    def __init__(self) -> None:
        self.hooks: list[tuple[Any, ...]] = []
        self.call: Call
        type(self).last = self
        Talkative.last = self

    def on_call_started(self, call: Call) -> None:
        self.call = call
        self.hooks.append(("on_call_started",))

    def on_call_ended(self, reason: str) -> None:
        self.hooks.append(("on_call_ended", reason))

    def on_speech_started(self, trace_id: str, ts: float) -> None:
        self.hooks.append(("on_speech_started", trace_id))

    def on_playback_ended(self, trace_id: str, heard_ms: int, completed: bool, heard_text: str | None) -> None:
        self.hooks.append(("on_playback_ended", trace_id, heard_ms, completed, heard_text))

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        self.hooks.append(("get_audio_reply", trace_id))
        self.call.transcript(trace_id, "good", final=False)
        self.call.transcript(trace_id, "Good morning.")
        self.call.mark(trace_id, "speech_to_text")
        await asyncio.sleep(0.2)
        for at, sentence in enumerate(("Good morning.", "A table for how many people, please?")):
            self.call.transcript(trace_id, sentence, speaker="bot")
            yield tone(0.5 + at, 8000, 440)


class Announces(Talkative):
    """Says something of its own accord half a second after the call began, and when the caller begins to talk."""

    async def on_call_started(self, call: Call) -> None:  # type: ignore[override]  # async here
        super().on_call_started(call)
        asyncio.get_running_loop().call_later(0.5, self._say, "Your table is ready.")

    def on_speech_started(self, trace_id: str, ts: float) -> None:
        super().on_speech_started(trace_id, ts)
        self._say("You have called.")

    def _say(self, text: str) -> None:
        trace_id = self.call.say(tone(0.4, 8000, 440))
        self.hooks.append(("say", trace_id))
        self.call.transcript(trace_id, text, speaker="bot")


class Leaves(Talkative):
    """Hangs up while its first reply is made."""

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        self.call.hang_up("the caller said goodbye")
        async for chunk in super().get_audio_reply(trace_id, user_pcm):
            yield chunk


class FromThreads(Talkative):
    """Does all of it from another thread."""

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        def act() -> None:
            self.call.transcript(trace_id, "hello")
            self.call.mark(trace_id, "looked_up")
            self.call.send({"table": [4, None, {"at": "eight"}]})
            self.call.say([tone(0.1, 8000, 440)], interruptible=False)

        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
        yield tone(0.2, 8000, 440)


class Mistaken(Talkative):
    """Names turns that are not there."""

    def on_call_started(self, call: Call) -> None:
        super().on_call_started(call)
        call.transcript("s-0007", "of a turn to come")
        call.mark("nobody's", "x")


class StampsLate(Talkative):
    """Puts its stamp in the step before the first audio."""

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        await asyncio.sleep(0.2)
        self.call.mark(trace_id, "text_to_speech")
        yield tone(0.2, 8000, 440)


class Confiding(Talkative):
    """Is told a secret number, repeats it, makes every mistake that could show it in an error, and hangs up."""

    def on_dtmf(self, digit: str) -> None:
        raise KeyError(digit)

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        said = "my number is 4711"
        self.call.transcript(trace_id, "my number", final=False)
        self.call.transcript(trace_id, said)
        self.call.send({"card": "4711-0815"})
        self.call.transcript(said, trace_id)
        self.call.transcript("s-9999", said)
        with suppress(ValueError):
            self.call.mark(trace_id, said * 20)
        for at, sentence in enumerate(("Of course, 4711.", "For how many people?")):
            self.call.transcript(trace_id, sentence, speaker="bot")
            yield tone(0.5 + at, 8000, 440)
        self.call.hang_up("the caller said goodbye")
        self.call.transcript(trace_id, said * 1000)


class _Waits(Talkative):
    async def _wait(self) -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            self.hooks.append(("cancelled",))
            raise


class OpensSlowly(_Waits):
    """Is not ready when the call ends."""

    async def on_call_started(self, call: Call) -> None:  # type: ignore[override]  # async here
        super().on_call_started(call)
        await self._wait()


class SlowHook(_Waits):
    """Still hears that somebody speaks when the call ends."""

    async def on_speech_started(self, trace_id: str, ts: float) -> None:  # type: ignore[override]  # async here
        await self._wait()

    async def on_call_ended(self, reason: str) -> None:  # type: ignore[override]  # async here
        super().on_call_ended(reason)


class EndsBadly(Talkative):
    """Its last hook fails."""

    def on_call_ended(self, reason: str) -> None:
        raise RuntimeError("the summary is lost")


class DiesInMidSentence(Talkative):
    """Its voice breaks off after 0.8 s of a sentence."""

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        self.call.transcript(trace_id, "A table for how many people, please?", speaker="bot")
        yield tone(0.8, 8000, 440)
        raise RuntimeError("the voice is gone")


class _Says(Talkative):
    """Says that, as soon as the call begins."""

    speech: ClassVar[Any]

    def on_call_started(self, call: Call) -> None:
        super().on_call_started(call)
        call.say(type(self).speech)


class Unwilling:
    """An async iterator that can't be begun."""

    error: ClassVar[BaseException] = ValueError("no")

    def __aiter__(self) -> Unwilling:
        raise self.error

    async def __anext__(self) -> bytes:
        return b""


class Exiting(Unwilling):
    error = SystemExit(3)


class NeverClosing:
    """An async iterator that exits when it is closed."""

    def __aiter__(self) -> NeverClosing:
        return self

    async def __anext__(self) -> bytes:
        return tone(0.1, 8000, 440)

    async def aclose(self) -> None:
        raise SystemExit(4)


class SaysWhatRaises(_Says):
    speech = Unwilling()


class SaysWhatExits(_Says):
    speech = Exiting()


class LeavesUnsaid(_Says):
    """What waits at the end exits when it is closed."""

    speech = NeverClosing()

    def on_call_started(self, call: Call) -> None:
        call.say(tone(9, 8000, 440))
        super().on_call_started(call)


class LeavesOften(Talkative):
    """Hangs up, and again."""

    def on_speech_started(self, trace_id: str, ts: float) -> None:
        for _ in range(5):
            self.call.hang_up("now")


class SaysThenNames(_Says):
    """Names the turn that would have had the number of what it says."""

    speech = tone(0.2, 8000, 440)

    def on_playback_ended(self, trace_id: str, heard_ms: int, completed: bool, heard_text: str | None) -> None:
        self.call.mark("s-0000", "nobody's")


class AsksForDigits(Talkative):
    """Expects digits until its first reply is made."""

    def on_call_started(self, call: Call) -> None:
        super().on_call_started(call)
        call.expects("digits")

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        self.call.expects("")
        async for chunk in super().get_audio_reply(trace_id, user_pcm):
            yield chunk


class Understands(Talkative):
    """Tells words while the caller speaks: `TOLD` has seconds after the start of speech, and what is told then."""

    TOLD: ClassVar[tuple[tuple[float, str, bool], ...]] = ((0.2, "a table", False), (0.4, "a table for", False))

    def on_speech_started(self, trace_id: str, ts: float) -> None:
        super().on_speech_started(trace_id, ts)
        for after_s, text, final in self.TOLD:
            asyncio.get_running_loop().call_later(after_s, self.call.transcript, trace_id, text, "caller", final)


class UnderstandsLate(Understands):
    """Tells the rest of the sentence when the caller has paused for a while."""

    TOLD = ((0.3, "a table for", False), (1.4, "a table for four, please.", True))


class UnderstandsAtOnce(Understands):
    """Tells its final words while the caller still speaks."""

    TOLD = ((0.4, "Yes.", True),)


class Listens(Understands):
    """Tells nothing but what it understands while the caller speaks."""

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        yield tone(0.5, 8000, 440)


class KeepsTelling(Listens):
    """Understands something long after the start, too."""

    TOLD = ((0.2, "a table", False), (1.6, "a table for four", False))


class HearsWords(Understands):
    """Understands words of the second turn soon after its start."""

    TOLD = ((0.06, "no, wait", False),)

    def on_speech_started(self, trace_id: str, ts: float) -> None:
        if not trace_id.endswith("-0000"):
            super().on_speech_started(trace_id, ts)


class HearsMmHm(HearsWords):
    """The words are a backchannel."""

    TOLD = ((0.06, "mm-hm", False),)
