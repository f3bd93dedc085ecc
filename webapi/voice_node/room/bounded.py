"""Runs a coroutine for a limited time, so that leaving a room never hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from loguru import logger


async def bounded(work: Coroutine[Any, Any, Any], timeout_s: float, what: str) -> None:
    """Run `work` for `timeout_s` seconds at most; then cancel it and do not wait for it.

    Raises nothing: a timeout and an error of `work` are logged. `what` names the work in the log.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=timeout_s)
    finally:
        hanging = task.cancel()
    if hanging:
        await asyncio.sleep(0)
        logger.bind(event="hanging").warning(f"{what} took longer than {timeout_s:.1f} s and was given up")
    elif not task.cancelled() and (error := task.exception()) is not None:
        logger.bind(event="edge_failed").opt(exception=error).error(f"{what} failed")
