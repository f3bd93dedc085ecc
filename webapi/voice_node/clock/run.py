"""Runs an event loop to its end within a limit, and waits for events with a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

CLOSE_S = 2.0  # for cancelled tasks to end


async def wait_set(event: asyncio.Event, timeout_s: float | None) -> None:
    """Return when the event is set, or after `timeout_s` seconds; None: only when it is set."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([waiting], timeout=timeout_s)
    finally:
        waiting.cancel()


async def done_before(stops: Collection[asyncio.Event], work: Coroutine[Any, Any, object]) -> bool:
    """Whether `work` was done before one of `stops` was set. If not, it is cancelled. An error of `work` is raised."""
    task, *stopped = (asyncio.ensure_future(each) for each in (work, *(stop.wait() for stop in stops)))
    try:
        await asyncio.wait([task, *stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in (task, *stopped):
            each.cancel()
        await asyncio.wait([task, *stopped])
    if task.cancelled():
        return False
    task.result()
    return True


def run_in(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, T]) -> T:
    """Return the result of `main` in `loop`, and close the loop.

    Tasks that are left are cancelled; those that ignore that for CLOSE_S are left behind. (asyncio.run would wait for
    them for ever.)
    """
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=CLOSE_S))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
