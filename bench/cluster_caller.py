"""A caller of `bench.cluster`: says something now and then, and notes what the bot answered and which bot it was."""

from __future__ import annotations

import asyncio
import json
import time
import warnings
from dataclasses import dataclass, field
from datetime import timedelta

from livekit import api, rtc

from tests.e2e.caller import RATE_HZ, TOPIC
from tests.speech import chatter, silence
from webapi.voice_node.room.own_events import new_room, new_source

SPEECH = chatter(0.8) + silence(0.6)
PIECE = RATE_HZ // 100  # a source without a queue takes nothing else
ANSWER_S = 8.0  # for the node to have heard an utterance and played the reply


@dataclass
class Said:
    """Something that the caller said, and how it went. Times are monotonic seconds."""

    at_s: float
    bot: str  # who was there to hear it
    outcome: str = "unheard"


@dataclass
class Caller:
    """One call. The token asks for `agent`, so that the call is dispatched as the room opens."""

    url: str
    room_name: str
    agent: str
    keys: tuple[str, str]
    said: list[Said] = field(default_factory=list)
    bots: list[tuple[float, str]] = field(default_factory=list)  # when each published its track, and which it was
    joined_s: float = 0.0
    lost: bool = False  # the connection, without leaving
    leaving: bool = False

    def __post_init__(self) -> None:
        self.room = new_room()
        self._source = new_source(RATE_HZ, 0)  # without a queue: nothing is encoded while nobody talks
        self._turn = asyncio.Event()
        self._outcome = ""
        self._track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)

    async def join(self) -> None:
        """Join, with a muted microphone."""
        warnings.filterwarnings("ignore", message="The HMAC key is")  # the development secret is short
        token = (
            api.AccessToken(*self.keys)
            .with_identity("caller")
            .with_ttl(timedelta(hours=1))
            .with_grants(api.VideoGrants(room_join=True, room=self.room_name))
            .with_room_config(
                api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=self.agent)], departure_timeout=2)
            )
        )
        self.room.on("data_received", self._on_data)
        self.room.on("track_published", self._on_track)
        self.room.on("disconnected", self._on_gone)
        await self.room.connect(self.url, token.to_jwt(), rtc.RoomOptions(auto_subscribe=False))
        self.joined_s = time.monotonic()
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(self._track, options)
        self._track.mute()

    async def leave(self) -> None:
        """Hang up."""
        self.leaving = True
        await self.room.disconnect()
        await self._source.aclose()

    async def say(self) -> Said:
        """Say something, and wait until the turn is over; ANSWER_S at most."""
        self._turn.clear()
        said = Said(time.monotonic(), self.bot)
        self.said.append(said)
        self._track.unmute()
        due_s = time.monotonic()
        for at in range(0, len(SPEECH), 2 * PIECE):
            piece = SPEECH[at : at + 2 * PIECE].ljust(2 * PIECE, b"\0")
            await self._source.capture_frame(rtc.AudioFrame(piece, RATE_HZ, 1, PIECE))
            due_s = max(due_s + PIECE / RATE_HZ, time.monotonic() - 0.1)
            await asyncio.sleep(due_s - time.monotonic())
        self._track.mute()
        try:
            await asyncio.wait_for(self._turn.wait(), ANSWER_S)
            said.outcome = self._outcome
        except asyncio.TimeoutError:
            pass
        return said

    @property
    def bot(self) -> str:
        """The bot that came last."""
        return self.bots[-1][1] if self.bots else ""

    def back_s(self, since_s: float) -> float | None:
        """How long after `since_s` a bot came; None where none did."""
        return next((at_s - since_s for at_s, _ in self.bots if at_s > since_s), None)

    def _on_data(self, packet: rtc.DataPacket) -> None:
        if packet.topic != TOPIC:
            return
        event = json.loads(packet.data)
        if event.get("event") == "turn":
            self._outcome = str(event["outcome"])
            self._turn.set()

    def _on_track(self, _: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        if participant.sid != self.bot:
            self.bots.append((time.monotonic(), participant.sid))

    def _on_gone(self, _: object) -> None:
        self.lost = not self.leaving
