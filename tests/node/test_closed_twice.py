"""A session whose close was given up is closed once more: what counts calls hears of one end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.stage import Ear
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.events import Event
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.room.session_port import SessionRequest


class Ends:
    """Notes the ends of a call."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def on_event(self, event: Event) -> None:
        pass

    def on_turn(self, line: Mapping[str, Any]) -> None:
        pass

    def ended(self, reason: str) -> None:
        self.reasons.append(reason)


def test_a_call_ends_once() -> None:
    ends = Ends()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        request = SessionRequest(
            session_id="s", room="demo", caller=CallerInfo("anna"), sink=Ear(loop), clock=loop.clock_us,
            since_us=loop.now_us, tap=lambda _: None, send=lambda _: None, broke=lambda _: None,
        )  # fmt: skip
        settings = pinned_settings()
        make = SessionFactory(load_graph("default", settings), settings, lambda _: None, [lambda *_: ends])
        session = make(request)
        await session.close("first")
        await session.close("second")

    run_virtual(main())
    assert ends.reasons == ["first"]
