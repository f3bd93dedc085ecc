"""What `run` puts together, as far as it needs no server."""

from __future__ import annotations

import asyncio

import pytest

from webapi.voice_node.config import load_settings
from webapi.voice_node.node import done_before, joinable
from webapi.voice_node.virtual_time import run_virtual


def test_a_stop_while_a_server_is_being_got_ends_that() -> None:
    ended: list[str] = []

    async def build() -> str:
        try:
            await asyncio.sleep(180)
        finally:
            ended.append("cleaned up")
        return "built"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.call_later(2, stop.set)
        assert await done_before(stop, build()) is False
        assert loop.time() == 2
        assert ended == ["cleaned up"]
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_what_was_got_in_time_counts_and_its_error_is_told() -> None:
    async def fail() -> None:
        raise OSError("no disk")

    async def main() -> None:
        stop = asyncio.Event()
        assert await done_before(stop, asyncio.sleep(1)) is True
        with pytest.raises(OSError, match="no disk"):
            await done_before(stop, fail())
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_the_pages_address_has_a_token_behind_the_hash_on_loopback_only() -> None:
    url = joinable("http://localhost:8080", load_settings(None))
    assert url.startswith("http://localhost:8080/#url=ws%3A%2F%2Flocalhost%3A7880&room=demo&token=ey")
    assert joinable("http://x:8080", load_settings(None, web_host="0.0.0.0")) == "http://x:8080"  # noqa: S104 - the case
