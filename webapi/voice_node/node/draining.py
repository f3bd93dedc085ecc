"""Waits until the calls in progress are over, for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from loguru import logger


async def wait_for_calls(
    calls: Callable[[], int], ended: Coroutine[Any, Any, None], stop: asyncio.Event, timeout_s: float
) -> None:
    """Return when `ended` does, when `stop` is set, or after `timeout_s`. The log says what goes on and what is cut.

    `calls`: how many are left.
    """
    log = logger.bind(event="draining", calls=calls(), timeout_s=timeout_s)
    log.info(f"draining: {calls()} calls go on, for {timeout_s:g} s at most")
    waiting = [asyncio.ensure_future(each) for each in (ended, stop.wait())]
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
    left = calls()
    if left:
        why = "as asked" if stop.is_set() else f"as DRAIN_TIMEOUT_S={timeout_s:g} is over"
        logger.bind(event="drain_cut", calls=left).warning(f"closing {left} calls, {why}")
