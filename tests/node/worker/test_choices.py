"""What calls are made of, kept for the next ones: read anew when that is asked for, and shared by threads."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict

import pytest

from webapi.voice_node.config import Settings, pinned_settings
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.node.call_options import CallOptions
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.worker import choices as module
from webapi.voice_node.node.worker.choices import Choices, Made

SLOW = CallOptions(settings={"mock_think_ms": 1})


@pytest.fixture
def choices() -> Choices:
    settings = pinned_settings()
    return Choices(settings, SessionFactory(load_and_check("default", settings), settings, lambda _: None))


def test_what_was_made_is_kept_until_it_is_to_be_forgotten(choices: Choices) -> None:
    async def scenario() -> list[Made]:
        made = [await choices.ready(SLOW), await choices.ready(SLOW)]
        choices.forget()
        return [*made, await choices.ready(SLOW)]

    first, second, third = asyncio.run(scenario())
    assert second is first
    assert third is not first


def test_a_graph_that_was_read_before_it_changed_is_not_kept(choices: Choices, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = threading.Event(), threading.Event()
    load = CallOptions.load

    def slow(self: CallOptions, settings: Settings) -> GraphSpec:
        graph = load(self, settings)
        reading.set()
        assert go_on.wait(30)
        return graph

    monkeypatch.setattr(CallOptions, "load", slow)

    async def scenario() -> tuple[Made, Made]:
        making = asyncio.create_task(choices.ready(SLOW))
        await asyncio.to_thread(reading.wait, 30)
        choices.forget()
        go_on.set()
        return await making, await choices.ready(SLOW)

    before, after = asyncio.run(scenario())
    assert after is not before


def test_threads_may_push_each_others_choices_out(choices: Choices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 1)
    asyncio.run(choices.ready(SLOW))

    class Table(OrderedDict[str, Made]):
        """Another thread takes the choice away as soon as this one has seen it, where nothing keeps it from that."""

        def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
            found = super().get(key, default)
            if choices._lock.acquire(blocking=False):
                choices._lock.release()
                self.clear()
            return found

    choices._kept = Table(choices._kept)
    assert asyncio.run(choices.ready(SLOW)).settings.mock_think_ms == 1
