"""A caller for tests: a real participant that talks in real time, and keeps what it hears and every message."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from livekit import rtc

RATE_HZ = 48_000
TOPIC = "voice_node.events"
WAIT_S = 20.0  # for anything to happen; the machine may be busy
LOUD = 500.0  # RMS of int16; a bot's beep or tone has thousands
QUIET = 50.0

T = TypeVar("T")


@dataclass(frozen=True)
class Heard:
    """10 ms of the bot's audio, and the time when they came (monotonic seconds)."""

    at_s: float
    pcm: bytes

    @property
    def rms(self) -> float:
        samples = np.frombuffer(self.pcm, "<i2").astype(float)
        return float(np.sqrt(np.mean(samples * samples))) if len(samples) else 0.0


class Caller:
    """`async with Caller(url, token) as caller: await caller.say(vowel(1))`.

    Its microphone is published at once (`mic=False`: only by `publish`), and is silent while nothing is said. It hears
    the participant `bot`, or everybody where that is None.
    """

    def __init__(self, url: str, token: str, *, bot: str | None = None, mic: bool = True, piece_ms: int = 20) -> None:
        self._url, self._token, self._bot, self._mic_wanted, self._piece_ms = url, token, bot, mic, piece_ms
        self.room = rtc.Room()
        self.heard: list[Heard] = []
        self.events: list[dict[str, Any]] = []  # of the data topic, in order
        self._news = asyncio.Event()
        self._to_say = bytearray()
        self.loudspeaker: float | None = None  # gain at which what is heard comes back into the microphone
        self._echo = bytearray()
        self._said = asyncio.Event()
        self._source: rtc.AudioSource | None = None
        self._track: rtc.LocalAudioTrack | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._listening: dict[str, asyncio.Task[None]] = {}
        self.room.on("data_received", self._on_data)
        self.room.on("track_subscribed", self._on_track)
        self.room.on("track_unsubscribed", self._on_track_gone)
        self.room.on("disconnected", lambda _: self._news.set())

    async def __aenter__(self) -> Caller:
        await asyncio.wait_for(self.room.connect(self._url, self._token), WAIT_S)
        if self._mic_wanted:
            await self.publish()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    # ------------------------------------------------------------ doing

    async def publish(self, *, muted: bool = False) -> None:
        """Publish the microphone: from now on it gives what is said, and silence."""
        self._source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=100)
        self._track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        if muted:
            self._track.mute()
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(self._track, options)
        self._speaking = asyncio.create_task(self._speak(self._source))

    async def unpublish(self) -> None:
        """Unpublish the microphone."""
        track, self._track = self._track, None
        if track is not None:
            await self.room.local_participant.unpublish_track(track.sid)
        await self._close_microphone()

    def mute(self) -> None:
        assert self._track is not None
        self._track.mute()

    def unmute(self) -> None:
        assert self._track is not None
        self._track.unmute()

    async def say(self, pcm: bytes, *, wait: bool = True) -> None:
        """Say 48 kHz mono PCM, in real time, after what is being said; with `wait`, until all is said."""
        self._to_say += pcm
        self._said.clear()
        if wait:
            await asyncio.wait_for(self._said.wait(), WAIT_S + len(pcm) / (2 * RATE_HZ))

    async def say_wav(self, path: Path, *, wait: bool = True) -> None:
        """Say a 48 kHz mono 16-bit WAV."""
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE_HZ, 1, 2)
            await self.say(file.readframes(file.getnframes()), wait=wait)

    def stop_talking(self) -> None:
        """Drop what was to be said."""
        self._to_say.clear()

    async def leave(self) -> None:
        """Leave the room; no task is left."""
        await self._close_microphone()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.room.disconnect(), 5)
        for task in self._listening.values():
            task.cancel()
        if self._listening:
            await asyncio.wait(self._listening.values())

    # ------------------------------------------------------------ waiting

    async def wait_for(self, look: Callable[[], T], what: str, timeout_s: float = WAIT_S) -> T:
        """Call `look` after every 10 ms of audio and every message until it returns something true; return that."""
        until_s = time.monotonic() + timeout_s
        while not (found := look()):
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                told = [e.get("event") for e in self.events]
                raise AssertionError(f"{what}: not within {timeout_s:g} s; told: {told}")
            self._news.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), min(left_s, 0.25))
        return found

    async def wait_for_event(self, name: str, *, after: int = 0, **fields: object) -> dict[str, Any]:
        """The first event of that name, with those fields, after the first `after` events of any name."""

        def look() -> dict[str, Any] | None:
            fits = (e for e in self.events[after:] if e.get("event") == name)
            return next((e for e in fits if all(e.get(key) == value for key, value in fields.items())), None)

        found = await self.wait_for(look, f"event {name} {fields or ''}".strip())
        assert found is not None
        return found

    async def wait_for_sound(self, min_rms: float = LOUD, *, since_s: float | None = None) -> float:
        """Wait until the bot is heard, from now on or since `since_s`. Returns the time when it was."""
        since_s = time.monotonic() if since_s is None else since_s
        return await self.wait_for(
            lambda: next((h.at_s for h in self.heard if h.at_s >= since_s and h.rms >= min_rms), 0.0),
            "sound of the bot",
        )

    async def wait_for_silence(self, seconds: float = 0.5, *, max_rms: float = QUIET) -> float:
        """Wait until so many seconds of silence were heard on end, from now on. Returns the time when they began."""
        since_s, frames = time.monotonic(), round(seconds * 100)

        def look() -> float:
            recent = [h for h in self.heard[-frames:] if h.at_s >= since_s]
            return recent[0].at_s if len(recent) == frames and all(h.rms <= max_rms for h in recent) else 0.0

        return await self.wait_for(look, "silence of the bot")

    def heard_between(self, from_s: float, to_s: float) -> bytes:
        """The bot's audio between two times."""
        return b"".join(h.pcm for h in self.heard if from_s <= h.at_s < to_s)

    # ------------------------------------------------------------ microphone and handlers

    async def _speak(self, source: rtc.AudioSource) -> None:
        size = RATE_HZ * self._piece_ms // 1000 * 2
        due_s = time.monotonic()
        while True:
            piece = bytes(self._to_say[:size])
            del self._to_say[:size]
            piece = self._with_echo(piece.ljust(size, b"\0"))
            await source.capture_frame(rtc.AudioFrame(piece, RATE_HZ, 1, size // 2))
            if not self._to_say:
                self._said.set()
            # After a stall of the machine the caller goes on at the same speed, and does not catch up.
            due_s = max(due_s + self._piece_ms / 1000, time.monotonic() - 0.1)
            await asyncio.sleep(due_s - time.monotonic())

    def _with_echo(self, piece: bytes) -> bytes:
        """The microphone's audio: with a loudspeaker, the bot's audio is in it too."""
        if self.loudspeaker is None:
            return piece
        echo = bytes(self._echo[: len(piece)]).ljust(len(piece), b"\0")
        del self._echo[: len(piece)]
        mixed = np.frombuffer(piece, "<i2") + np.frombuffer(echo, "<i2") * self.loudspeaker
        return np.clip(mixed, -32768, 32767).astype("<i2").tobytes()

    async def _close_microphone(self) -> None:
        task, self._speaking = self._speaking, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        source, self._source = self._source, None
        if source is not None:
            await source.aclose()

    def _on_track(self, track: rtc.Track, _: rtc.TrackPublication, participant: rtc.RemoteParticipant) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO and self._bot in (None, participant.identity):
            self._listening[track.sid] = asyncio.create_task(self._listen(track))

    def _on_track_gone(self, track: rtc.Track) -> None:
        if track.sid in self._listening:  # or its silence would go on for ever beside the next track's sound
            self._listening[track.sid].cancel()

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE_HZ, num_channels=1, frame_size_ms=10)
        try:
            async for event in stream:
                self.heard.append(Heard(time.monotonic(), bytes(event.frame.data)))
                if self.loudspeaker is not None:
                    self._echo += event.frame.data
                self._news.set()
        finally:
            await stream.aclose()

    def _on_data(self, packet: rtc.DataPacket) -> None:
        if packet.topic == TOPIC:
            self.events.append(json.loads(packet.data))
            self._news.set()
