"""A room in virtual time: the node's edge and real sessions, with a caller and a server that tests play."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc

from tests.speech import vowel
from tests.stage import Ear
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop
from webapi.voice_node.config import Settings
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.node.live_session import Sessions
from webapi.voice_node.room import caller as livekit_call
from webapi.voice_node.room import host as livekit_host
from webapi.voice_node.room.connection import Connection
from webapi.voice_node.room.data_messages import RoomEvents
from webapi.voice_node.room.host import Host
from webapi.voice_node.room.session_port import Call, SessionPort
from webapi.voice_node.room.track_reader import NUMBER
from webapi.voice_node.room.track_sink import LiveKitSink

FRAME = 960  # bytes: 10 ms at 48 kHz


class Track:
    """What a caller's microphone gives: silence, and what was put into `says`, a frame each 10 ms."""

    def __init__(self) -> None:
        self.says = bytearray()
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[rtc.AudioFrameEvent]:
        number = 0
        while not self.closed.is_set():
            await asyncio.sleep(0.01)
            pcm = bytes(self.says[:FRAME]).ljust(FRAME, b"\0")
            del self.says[:FRAME]
            yield rtc.AudioFrameEvent(rtc.AudioFrame(pcm, 48_000, 1, 480, userdata={NUMBER: number}))
            number += 1

    async def aclose(self) -> None:
        self.closed.set()


@dataclass
class Publication:
    """A microphone that the caller publishes."""

    sid: str
    muted: bool = False
    kind: int = rtc.TrackKind.KIND_AUDIO
    source: int = rtc.TrackSource.SOURCE_MICROPHONE
    audio_features: tuple[int, ...] = ()
    on_subscribed: Callable[[], None] = lambda: None

    def set_subscribed(self, _: bool) -> None:
        self.on_subscribed()


@dataclass
class Participant:
    """A caller."""

    identity: str
    track_publications: dict[str, Publication]
    joined_at: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)
    kind: int = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
    disconnect_reason: int | None = None


@dataclass
class Told:
    """What the room's clients were told."""

    room: object = None
    events: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, message: dict[str, Any], *, only: str | None = None) -> None:
        self.events.append(message)


class Room:
    """`async with Room(graph, settings, monkeypatch) as room: room.join("alice"); await room.say(1.0)`."""

    def __init__(self, graph: GraphSpec, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.lines: list[dict[str, Any]] = []  # of metrics.jsonl
        self.told = Told()
        self.ear = Ear(loop)
        self.sessions = Sessions(graph, settings, self.lines.append)
        self.calls: list[Call] = []
        self.tries_s: list[float] = []  # when a session was asked for
        self.fails: Exception | None = None  # what comes of it then
        self.tracks: list[Track] = []
        self._handlers: dict[str, Callable[..., None]] = {}
        self._people: dict[str, Participant] = {}
        self._link = SimpleNamespace(up=True, room=SimpleNamespace(on=self._on, remote_participants=self._people))
        monkeypatch.setattr(livekit_host, "clock_us", loop.clock_us)
        monkeypatch.setattr(livekit_call, "frames_of", lambda track: track)
        self.host = Host("demo", self._make, cast(LiveKitSink, self.ear), cast(RoomEvents, self.told), 30.0)

    async def __aenter__(self) -> Room:
        self._tending = asyncio.create_task(self.host.tend())
        self.host.attend(cast(Connection, self._link))
        self.host.enter(cast(Connection, self._link))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tending.cancel()
        await asyncio.wait([self._tending])
        await self.host.close()

    # ------------------------------------------------------------ what happens in it

    def join(self, identity: str) -> None:
        """A caller comes, with a microphone."""
        publication = Publication(f"TR_{identity}")
        publication.on_subscribed = lambda: self.subscribed(identity)
        self._people[identity] = Participant(identity, {publication.sid: publication})
        self.says("participant_connected", self._people[identity])

    def leave(self, identity: str) -> None:
        """The server says that they are gone."""
        gone = self._people.pop(identity)
        gone.disconnect_reason = rtc.DisconnectReason.CLIENT_INITIATED
        self.says("participant_disconnected", gone)

    def subscribed(self, identity: str) -> None:
        """Their track has come."""
        self.tracks.append(Track())
        caller = self._people[identity]
        (publication,) = caller.track_publications.values()
        self.loop.call_soon(self._handlers["track_subscribed"], self.tracks[-1], publication, caller)

    def says(self, name: str, *arguments: object) -> None:
        """The room's own message of that name."""
        self._handlers[name](*arguments)

    async def say(self, seconds: float, *, wait_s: float = 0.0) -> None:
        """The caller talks, and is then silent for so long."""
        self.tracks[-1].says += vowel(seconds)
        await asyncio.sleep(seconds + wait_s)

    async def until(self, event: str, **fields: object) -> dict[str, Any]:
        """The first message of that name with those fields, once it is told; within a minute of virtual time."""
        for _ in range(6000):
            for message in self.told.events:
                if message.get("event") == event and all(message.get(key) == value for key, value in fields.items()):
                    return message
            await asyncio.sleep(0.01)
        raise AssertionError(f"no {event} {fields}; told: {[e['event'] for e in self.told.events]}")

    def _on(self, name: str, handler: Callable[..., None]) -> None:
        self._handlers[name] = handler

    def _make(self, call: Call) -> SessionPort:
        self.tries_s.append(self.loop.time())
        if self.fails is not None:
            raise self.fails
        self.calls.append(call)
        return self.sessions(call)
