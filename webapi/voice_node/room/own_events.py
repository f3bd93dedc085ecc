"""Keeps from an object of the SDK the events that are not for it.

The SDK puts every event of its native side into the queue of each room, each stream and each frame that is pushed, and
they look at it afterwards. With N calls in a process that is N wake-ups of the loop for each frame of each call. The
SDK hands each event to `call_soon_threadsafe` of the loop that the object was given: here that is a stand-in for the
loop, which drops what the object would throw away. An event that it does not know is passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from livekit import rtc

from webapi.voice_node.room.native_log import keep_native_log_out

# Answers to requests, each of which waits for its own answer in a queue of its own, and not in the room's.
NOT_THE_ROOMS = ("capture_audio_frame", "get_stats", "audio_stream_event", "video_stream_event")
ROOM_EVENT, STREAM_EVENT, CAPTURED = "room_event", "audio_stream_event", "capture_audio_frame"

Wanted = Callable[[Any, str], bool]  # an FfiEvent, and which message it has


class _OwnEvents:
    """A stand-in for the loop: what it is asked to call is called only where `wanted` says so of the event."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._loop = asyncio.get_running_loop()

    def call_soon_threadsafe(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Pass an event on, if it is wanted. It is called in a thread of the SDK."""
        if len(arguments) == 1:
            which = getattr(arguments[0], "WhichOneof", None)
            if which is not None and not self._wanted(arguments[0], which("message")):
                return
        self._loop.call_soon_threadsafe(callback, *arguments)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the loop's."""
        return getattr(self._loop, name)


def _loop(wanted: Wanted) -> asyncio.AbstractEventLoop:
    return cast(asyncio.AbstractEventLoop, _OwnEvents(wanted))


def _handle(of: object) -> int | None:
    """The number by which events name the object; None where it has none yet, or this SDK keeps it elsewhere."""
    handle: int | None = getattr(getattr(of, "_ffi_handle", None), "handle", None)
    return handle


def new_room() -> rtc.Room:
    """A room that gets its own events."""

    def wanted(event: Any, which: str) -> bool:
        if which == ROOM_EVENT:
            return _handle(room) in (None, event.room_event.room_handle)
        return which not in NOT_THE_ROOMS

    keep_native_log_out()
    room = rtc.Room(_loop(wanted))
    return room


def new_source(rate: int, queue_ms: int) -> rtc.AudioSource:
    """A source of mono audio that gets only the answers to pushed frames."""
    keep_native_log_out()
    return rtc.AudioSource(rate, 1, queue_size_ms=queue_ms, loop=_loop(lambda _, which: which == CAPTURED))


def new_stream(track: rtc.Track, **arguments: Any) -> rtc.AudioStream:
    """A stream that gets its own frames. `arguments`: see rtc.AudioStream."""
    made: list[rtc.AudioStream] = []

    def wanted(event: Any, which: str) -> bool:
        if which != STREAM_EVENT or not made:
            return True
        return _handle(made[0]) in (None, event.audio_stream_event.stream_handle)

    stream = rtc.AudioStream(track, loop=_loop(wanted), **arguments)
    made.append(stream)
    return stream
