"""The sink as far as it needs no server. (tests/e2e/test_sink.py has a real room.)"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from livekit import rtc
from loguru import logger

from webapi.voice_node.room import track_sink
from webapi.voice_node.room.track_queue import Ticks
from webapi.voice_node.room.track_sink import MAX_WAITING, TrackSink


def test_pieces_that_the_sink_drops_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> list[int]:
        sink, logged = TrackSink(), list[int]()
        room, hung = SimpleNamespace(local_participant=SimpleNamespace()), asyncio.Event()

        async def publish_track(*_: object) -> object:
            return SimpleNamespace(sid="TR")

        class Source:
            async def capture_frame(self, _: object) -> None:
                await hung.wait()

            async def aclose(self) -> None:
                pass

            def clear_queue(self) -> None:
                pass

        async def ticks(_: object) -> Ticks:
            return Ticks([float(n) / 100 for n in range(10)])

        room.local_participant.publish_track = publish_track
        monkeypatch.setattr(track_sink, "learn_ticks", ticks)
        monkeypatch.setattr(rtc, "AudioSource", lambda *_, **__: Source())
        monkeypatch.setattr(rtc.LocalAudioTrack, "create_audio_track", lambda *_: None)
        sink_id = logger.add(
            lambda m: logged.append(m.record["extra"]["frames"]),
            filter=lambda r: r["extra"].get("event") == "frames_dropped",
        )
        await sink.publish(cast(rtc.Room, room), "bot_out")
        sink.push(bytes(1920 * (MAX_WAITING - 2)))  # cut into pieces of 20 ms, or it would count as one
        for _ in range(7):
            sink.push(bytes(1920))
        assert logged == [1]  # at once; the rest not more than once a second
        await sink.unbind()
        logger.remove(sink_id)
        return logged

    assert asyncio.run(scenario()) == [1, 4]
