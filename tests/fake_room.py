"""A room in virtual time: the node's Host and real sessions, with callers and a server that tests control."""

from __future__ import annotations

import asyncio
import math
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
from webapi.voice_node.events import BYTES_PER_SAMPLE, ROOM_RATE_HZ
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.room import caller as room_caller
from webapi.voice_node.room import session_keeper
from webapi.voice_node.room.connection import Connection
from webapi.voice_node.room.data_messages import RoomMessages
from webapi.voice_node.room.host import Host
from webapi.voice_node.room.session_port import SessionPort, SessionRequest
from webapi.voice_node.room.text_streams import TextStream
from webapi.voice_node.room.track_reader import NUMBER
from webapi.voice_node.room.track_sink import TrackSink
from webapi.voice_node.room.vacancy import Vacancy

FRAME = ROOM_RATE_HZ // 50 * BYTES_PER_SAMPLE  # 20 ms


class Track:
    """A caller's microphone: a frame every 20 ms, of the audio in `to_say` or of silence."""

    def __init__(self) -> None:
        self.to_say = bytearray()
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[rtc.AudioFrameEvent]:
        number, loop = 0, asyncio.get_running_loop()
        due_s = loop.time()
        while not self.closed.is_set():
            due_s += 0.02
            if due_s > loop.time():  # else the loop stood still, and it has waited
                await asyncio.sleep(due_s - loop.time())
            pcm = bytes(self.to_say[:FRAME]).ljust(FRAME, b"\0")
            del self.to_say[:FRAME]
            yield rtc.AudioFrameEvent(
                rtc.AudioFrame(pcm, ROOM_RATE_HZ, 1, FRAME // BYTES_PER_SAMPLE, userdata={NUMBER: number})
            )
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
    encryption_type: int = rtc.EncryptionType.NONE
    audio_features: tuple[int, ...] = ()
    track: object = None  # while the node is subscribed
    on_subscribed: Callable[[], None] = lambda: None

    def set_subscribed(self, wanted: bool) -> None:
        if wanted:
            self.on_subscribed()
        else:
            self.track = None


@dataclass
class Participant:
    """A caller."""

    identity: str
    track_publications: dict[str, Publication]
    joined_at: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)
    kind: int = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
    name: str = ""
    metadata: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    disconnect_reason: int | None = None


@dataclass
class FakeMessages:
    """In place of RoomMessages: keeps the messages to the room's clients."""

    room: object = None
    sent: list[dict[str, Any]] = field(default_factory=list)
    texts: list[TextStream] = field(default_factory=list)

    def send(self, message: dict[str, Any], *, only: str | None = None) -> None:
        self.sent.append(message)

    def send_text(self, stream: TextStream) -> None:
        self.texts.append(stream)


class FakeRoom:
    """`async with FakeRoom(graph, settings, monkeypatch) as room: room.join("alice"); await room.say(1.0)`."""

    def __init__(
        self, graph: GraphSpec, settings: Settings, monkeypatch: pytest.MonkeyPatch, stay_s: float = math.inf
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.lines: list[dict[str, Any]] = []  # of metrics.jsonl
        self.messages = FakeMessages()
        self.sessions = SessionFactory(graph, settings, self.lines.append)
        self.calls: list[SessionRequest] = []
        self.made_at_s: list[float] = []  # when a session was asked for
        self.make_error: Exception | None = None  # raised then
        self.tracks: list[Track] = []
        self.removed: list[str] = []  # whom the node took out, or tried to
        self.removes = True  # the server does it
        self._handlers: dict[str, Callable[..., None]] = {}
        self.people: dict[str, Participant] = {}
        self._connection = SimpleNamespace(up=True, room=SimpleNamespace(on=self._on, remote_participants=self.people))
        monkeypatch.setattr(session_keeper, "clock_us", loop.clock_us)
        monkeypatch.setattr(room_caller, "clock_us", loop.clock_us)
        monkeypatch.setattr(room_caller, "frames_of", lambda track, _: track)
        messages, ears = cast(RoomMessages, self.messages), cast(TrackSink, Ear(loop))
        self.vacancy = Vacancy(loop.time, stay_s)
        self.host = Host("demo", self._make, ears, messages, 30.0, self._remove, self.vacancy)

    async def __aenter__(self) -> FakeRoom:
        self._running = asyncio.create_task(self.host.run())
        self.host.register_handlers(cast(Connection, self._connection))
        self.enter()
        return self

    def stop(self) -> None:
        """The node looks at the room no more."""
        self._running.cancel()

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        await asyncio.wait([self._running])
        await self.host.close()

    async def _remove(self, identity: str) -> bool:
        """The node takes a participant out."""
        self.removed.append(identity)
        if not self.removes:
            return False
        if identity in self.people:
            self.leave(identity, rtc.DisconnectReason.PARTICIPANT_REMOVED)
        return True

    # ------------------------------------------------------------ what happens in it

    def join(
        self, identity: str, *, mic: bool = True, kind: int = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
    ) -> None:
        """A participant joins, in most cases with a microphone."""
        self.people[identity] = Participant(identity, {}, kind=kind)
        self.emit("participant_connected", self.people[identity])
        if mic:
            self.publish(identity, f"TR_{identity}")

    def publish(self, identity: str, sid: str, **of_publication: Any) -> Publication:
        """A participant publishes a track. The node gets it when it has subscribed to it."""
        person, publication = self.people[identity], Publication(sid, **of_publication)
        publication.on_subscribed = lambda: self.subscribed(identity, sid)
        person.track_publications[sid] = publication
        self.emit("track_published", publication, person)
        return publication

    def unpublish(self, identity: str, sid: str) -> None:
        """A participant takes a track away, and the server says so."""
        gone = self.people[identity].track_publications.pop(sid)
        if gone.track is not None:
            gone.track = None
            self.emit("track_unsubscribed", None, gone)
        self.emit("track_unpublished", gone, self.people[identity])

    def mute(self, identity: str, sid: str, muted: bool = True) -> None:
        """A participant mutes a track, or unmutes it."""
        publication = self.people[identity].track_publications[sid]
        publication.muted = muted
        self.emit("track_muted" if muted else "track_unmuted", self.people[identity], publication)

    def leave(self, identity: str, reason: int = rtc.DisconnectReason.CLIENT_INITIATED) -> None:
        """The caller leaves, and the server says so."""
        gone = self.people.pop(identity)
        gone.disconnect_reason = reason
        self.emit("participant_disconnected", gone)

    def lose(self) -> None:
        """The server is gone, and with it all participants."""
        self.people.clear()
        self.host.lose(for_good=False)

    def enter(self) -> None:
        """The node is in the room again; nobody else is yet."""
        self.host.enter(cast(Connection, self._connection))

    def subscribed(self, identity: str, sid: str = "") -> None:
        """Their track has come."""
        self.tracks.append(Track())
        caller = self.people[identity]
        publication = caller.track_publications[sid or f"TR_{identity}"]
        publication.track = self.tracks[-1]
        self.loop.call_soon(self._handlers["track_subscribed"], self.tracks[-1], publication, caller)

    def emit(self, name: str, *arguments: object) -> None:
        """SessionRequest the node's handler for LiveKit's message of that name."""
        self._handlers[name](*arguments)

    async def say(self, seconds: float, *, wait_s: float = 0.0, stall_s: float = 0.0) -> None:
        """The caller talks, and then is silent for `wait_s`. The loop stands still for `stall_s` as they begin."""
        self.tracks[-1].to_say += vowel(seconds)
        self.loop.now_us += round(stall_s * 1_000_000)
        await asyncio.sleep(seconds + wait_s)

    async def until(self, event: str, **fields: object) -> dict[str, Any]:
        """The first message of that event with those fields, once it is sent; within a minute of virtual time."""
        for _ in range(6000):
            for message in self.messages.sent:
                if message.get("event") == event and all(message.get(key) == value for key, value in fields.items()):
                    return message
            await asyncio.sleep(0.01)
        raise AssertionError(f"no {event} {fields}; sent: {[e['event'] for e in self.messages.sent]}")

    def _on(self, name: str, handler: Callable[..., None]) -> None:
        self._handlers[name] = handler

    def _make(self, call: SessionRequest) -> SessionPort:
        self.made_at_s.append(self.loop.time())
        if self.make_error is not None:
            raise self.make_error
        self.calls.append(call)
        return self.sessions(call)
