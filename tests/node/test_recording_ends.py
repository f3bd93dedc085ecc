"""The recorder of a call ends with it, also where the close is given up: its thread and files would stay for ever."""

from __future__ import annotations

import asyncio
import threading
import wave
from pathlib import Path

import pytest

from tests.stage import Ear
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.node.live_session import LiveSession, SessionFactory
from webapi.voice_node.pipeline import Session
from webapi.voice_node.room.session_port import SessionRequest


def request() -> SessionRequest:
    return SessionRequest(
        session_id="s", room="demo", caller=CallerInfo("anna"), sink=Ear(VirtualTimeLoop()), clock=lambda: 1,
        since_us=0, tap=lambda _: None, send=lambda _: None, broke=lambda _: None,
    )  # fmt: skip


def writers(before: set[threading.Thread]) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each not in before and each.name == "file-thread"]


def test_the_recording_of_a_call_whose_close_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = pinned_settings(record_dir=tmp_path)
    before = set(threading.enumerate())

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        session = SessionFactory(load_graph("default", settings), settings, lambda _: None)(request())
        assert isinstance(session, LiveSession)
        session.hear(bytes(1920), 1, echo=False)
        assert writers(before)
        monkeypatch.setattr(Session, "close", hang)
        closing = asyncio.create_task(session.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()

    asyncio.run(main())
    for thread in writers(before):
        thread.join(5)
    assert not writers(before)
    with wave.open(str(next(tmp_path.glob("*/caller.wav")))) as caller:
        assert caller.getnframes() == 960


def test_a_close_that_is_cancelled_and_asked_for_again_is_recorded_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where the node leaves in the moment in which its caller has left: the host's task is cancelled meanwhile."""
    settings = pinned_settings(record_dir=tmp_path)
    closed = Session.close

    async def main() -> None:
        session = SessionFactory(load_graph("default", settings), settings, lambda _: None)(request())
        assert isinstance(session, LiveSession)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(self: Session, reason: str = "closed") -> None:
            begun.set()
            await go_on.wait()
            assert isinstance(session, LiveSession)
            assert session._recorder is not None  # what the close causes is still written
            await closed(self, reason)

        monkeypatch.setattr(Session, "close", slowly)
        first = asyncio.create_task(session.close("caller left"))
        await begun.wait()
        first.cancel()
        await asyncio.wait([first])
        second = asyncio.create_task(session.close("the node leaves"))
        await asyncio.sleep(0)
        go_on.set()
        await second

    asyncio.run(main())
    (inputs,) = tmp_path.glob("*/inputs.jsonl")
    assert "closed" in inputs.read_text(encoding="utf-8").splitlines()[-1]
