"""Handles signals: the node closes, within a bounded time, or reads its graph again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType

CLOSE_S = 5.0  # from the signal to the end of the process, whatever hangs
SAME_S = 1.0  # systemd and make signal every process of a group, and a shell or make passes its own signal on as well
AFTER_S = 1.0  # a shell that ends sends SIGHUP to its jobs first, and closes the terminal afterwards


def handle_signals(
    loop: asyncio.AbstractEventLoop, stop: asyncio.Event, reload: asyncio.Event, drain: asyncio.Event | None = None
) -> None:
    """SIGINT and SIGTERM set `stop`, in `loop`. SIGHUP sets `reload`.

    With `drain`, the first request sets that, and the second one `stop`. All signals within SAME_S of the first are one
    request; one after `stop` ends the process at once.
    A SIGHUP because the terminal was closed is handled as SIGTERM, as the user can't stop the node any more; but not
    under nohup, with which a process outlives its terminal. Windows has no SIGHUP.
    """
    handler = _Handler(loop, stop, reload, drain)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler.on_stop)
    if hasattr(signal, "SIGHUP"):
        handler.outlives_terminal = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN or not _has_terminal()
        signal.signal(signal.SIGHUP, handler.on_hang_up)


class _Handler:
    """What is done at each signal, and whether the node is closing already."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        stop: asyncio.Event,
        reload: asyncio.Event,
        drain: asyncio.Event | None = None,
    ) -> None:
        self._loop = loop
        self._stop = stop
        self._reload = reload
        self._drain = drain
        self._draining_since_s: float | None = None
        self._closing_since_s: float | None = None  # not stop.is_set(): a blocked loop would not set it
        self.outlives_terminal = False

    def on_stop(self, _: int, __: FrameType | None) -> None:
        """SIGINT or SIGTERM."""
        if self._closing_since_s is None:
            self._drain_or_close()
        elif time.monotonic() - self._closing_since_s > SAME_S:
            os._exit(130)

    def on_hang_up(self, _: int, __: FrameType | None) -> None:
        """SIGHUP."""
        if self._closing_since_s is not None:
            return
        if self.outlives_terminal:
            self._loop.call_soon_threadsafe(self._reload.set)
        elif _has_terminal():
            self._loop.call_soon_threadsafe(self._reload.set)
            self._loop.call_soon_threadsafe(self._loop.call_later, AFTER_S, self._close_without_terminal)
        else:
            self._close_without_terminal()

    def _close_without_terminal(self) -> None:
        if (
            self._closing_since_s is None and not _has_terminal()
        ):  # the system and the shell may both have sent a signal
            self._drain_or_close()

    def _drain_or_close(self) -> None:
        now_s = time.monotonic()
        if self._drain is None or (self._draining_since_s is not None and now_s - self._draining_since_s > SAME_S):
            self._close()
        elif self._draining_since_s is None:
            self._draining_since_s = now_s
            with contextlib.suppress(OSError):
                os.write(2, b"Taking no new calls; those in progress go on. Once more closes them.\n")
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._drain.set)

    def _close(self) -> None:
        self._closing_since_s = time.monotonic()
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(2, b"Closing; once more ends it at once.\n")  # sys.stderr may be in the middle of a line
        with contextlib.suppress(RuntimeError):  # the loop is closed: the node has ended
            self._loop.call_soon_threadsafe(self._stop.set)
        too_late = threading.Timer(CLOSE_S, _give_up)
        too_late.daemon = True
        too_late.start()


def _has_terminal() -> bool:
    """Whether a terminal controls this process. After it was closed none does, wherever the output goes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _give_up() -> None:
    """End the process where closing hangs, for example because an orchestrator blocks the loop."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"Something did not end within {CLOSE_S:g} s; leaving it behind.\n")
        sys.stderr.flush()
    os._exit(1)
