"""A caller with a voice and ears: says sentences of the offline voice, and recognises what the bot says."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soxr
from livekit import rtc

from tests.e2e.caller import QUIET, RATE_HZ, Caller
from webapi.voice_node.converse.offline.recogniser import Recogniser
from webapi.voice_node.converse.offline.voice import Voice

HEARING_RATE = 16_000
PAUSE_S = 0.4  # of silence that the caller waits for before they speak
AROUND_S = 0.2  # of what is quiet around the bot's words
CUT_AFTER_S = 1.5  # of a reply's sound, where the caller interrupts it
MOST_ANSWERS = 10
GREETED_S = (
    60.0  # for the models to be loaded, on a machine that is busy and has not read them before, and the greeting
)


async def voiced(sentences: Sequence[str]) -> dict[str, bytes]:
    """Each sentence as 48 kHz PCM, spoken by the offline voice."""
    voice = Voice(keep_s=0)
    try:
        return {each: await _spoken(voice, each) for each in sentences}
    finally:
        await voice.aclose()


async def _spoken(voice: Voice, sentence: str) -> bytes:
    pcm = b"".join([piece async for piece in voice.speak(sentence)])
    return bytes(soxr.resample(np.frombuffer(pcm, "<i2"), voice.rate, RATE_HZ).astype("<i2").tobytes())


async def recognised(recordings: Sequence[bytes]) -> list[str]:
    """The words in each piece of 48 kHz PCM, as the offline recogniser understands them without a hint."""
    recogniser = Recogniser(keep_s=0)
    try:
        return [await _understood(recogniser, pcm) for pcm in recordings]
    finally:
        await recogniser.aclose()


async def _understood(recogniser: Recogniser, pcm: bytes) -> str:
    heard = soxr.resample(np.frombuffer(pcm, "<i2"), RATE_HZ, HEARING_RATE).astype("<i2").tobytes()

    async def audio() -> AsyncIterator[bytes]:
        yield bytes(heard)

    return " ".join([each.text async for each in recogniser.listen(audio(), HEARING_RATE) if each.final])


@dataclass
class Talk:
    """What a caller who answers a bot's questions said and heard.

    `answers` has for each question, of which the key is a part, what the caller says; the bot hangs up after saying
    `farewell`. While the bot says `interrupts[0]` the caller says `interrupts[1]`, once.
    """

    answers: dict[str, str]
    interrupts: tuple[str, str]
    farewell: str
    said: list[str] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)  # the bot's audio, a piece for each reply
    events: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False  # the bot hung up, and the caller was removed

    async def hold(self, alice: Caller) -> None:
        """Answer until the bot has hung up."""
        self.events = alice.events
        voices = await voiced([*self.answers.values(), self.interrupts[1]])
        await alice.wait_for_event("listening_to", identity="alice")
        await alice.wait_for(lambda: self.of("turn"), "the end of the greeting", GREETED_S)
        since_s = await self._note(alice, 0.0)
        for _ in range(MOST_ANSWERS):
            question = self.texts("bot")[-1]
            answer = next(answer for part, answer in self.answers.items() if part in question)
            started = await self._say(alice, voices, answer, "playback_started")
            if self.interrupts[0] in self.texts("bot")[-1] and self.interrupts[1] not in self.said:
                told = len(self.events)
                since_s = await self._interrupt(alice, voices, since_s)
                started = await alice.wait_for_event("playback_started", after=told)
            await alice.wait_for_event("turn", trace_id=started["trace_id"])
            if self.farewell in self.texts("bot")[-1]:
                break
            since_s = await self._note(alice, since_s)
        gone = rtc.ConnectionState.CONN_DISCONNECTED
        self.ended = await alice.wait_for(lambda: alice.room.connection_state == gone, "the caller is removed")
        self._keep(alice, since_s, time.monotonic())

    async def _interrupt(self, alice: Caller, voices: dict[str, bytes], since_s: float) -> float:
        """Talk over the bot when some of its words were heard. Returns the time of the pause that follows."""
        began_s = await alice.wait_for_sound(since_s=since_s)
        await alice.wait_for(lambda: alice.heard[-1].at_s > began_s + CUT_AFTER_S, "more of the bot's words")
        await self._say(alice, voices, self.interrupts[1], "barge_in")
        return await self._note(alice, since_s)

    async def _say(self, alice: Caller, voices: dict[str, bytes], sentence: str, then: str) -> dict[str, Any]:
        """Say the sentence, and wait for an event that follows."""
        told = len(self.events)
        self.said.append(sentence)
        await alice.say(voices[sentence])
        return await alice.wait_for_event(then, after=told)

    async def _note(self, alice: Caller, since_s: float) -> float:
        """Wait for a pause, and keep what was heard until then. Returns the time of the pause."""
        until_s = await alice.wait_for_silence(PAUSE_S)
        self._keep(alice, since_s, until_s)
        return until_s

    def _keep(self, alice: Caller, since_s: float, until_s: float) -> None:
        """The bot's words between two times, without the silence around them."""
        sounds = [each.at_s for each in alice.heard if since_s <= each.at_s < until_s and each.rms > QUIET]
        self.heard.append(alice.heard_between(sounds[0] - AROUND_S, sounds[-1] + AROUND_S))

    def of(self, event: str) -> list[dict[str, Any]]:
        """The events of that name."""
        return [each for each in self.events if each["event"] == event]

    def texts(self, speaker: str) -> list[str]:
        """The final transcripts of that speaker so far."""
        return [each["text"] for each in self.of("transcript") if each["speaker"] == speaker and each["final"]]
