"""What the node does when it gets a signal: it closes, within a bounded time, or reads its graph anew."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from types import FrameType

CLOSE_S = 5.0  # from the signal to the end, whatever hangs
AFTER_S = 1.0  # a shell that ends tells its jobs first, and closes the terminal then


def handle_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, reload: asyncio.Event) -> None:
    """SIGINT and SIGTERM set `stop`, in `loop`, and a second one ends the process at once. SIGHUP sets `reload`.

    But where SIGHUP says that the terminal was closed, it is as SIGTERM: who started the node can't stop it any more.
    (Not so under nohup, which is to outlive its terminal.) Windows has no SIGHUP.
    """
    asked = False  # not stop.is_set(): what blocks the loop keeps it from setting that

    def close() -> None:
        nonlocal asked
        asked = True
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(2, b"Closing; once more ends it at once.\n")  # sys.stderr may be in the middle of a line
        loop.call_soon_threadsafe(stop.set)
        too_late = threading.Timer(CLOSE_S, _give_up)
        too_late.daemon = True
        too_late.start()

    def ask_to_close(_: int, __: FrameType | None) -> None:
        if asked:
            os._exit(130)
        close()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_close)
    if not hasattr(signal, "SIGHUP"):
        return
    outlives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    had_terminal = _has_terminal()

    def hang_up(_: int, __: FrameType | None) -> None:
        if outlives or not had_terminal:
            loop.call_soon_threadsafe(reload.set)
        elif _has_terminal():
            loop.call_soon_threadsafe(reload.set)
            loop.call_soon_threadsafe(loop.call_later, AFTER_S, close_without_terminal)
        else:
            close_without_terminal()

    def close_without_terminal() -> None:
        if not asked and not _has_terminal():  # asked: the system and the shell both send a signal, maybe at once
            close()

    signal.signal(signal.SIGHUP, hang_up)


def _has_terminal() -> bool:
    """Whether a terminal controls this process; none does after it was closed, wherever the output goes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _give_up() -> None:
    """The last resort of a shutdown: an orchestrator that blocks the loop, say, can't be asked any more."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"Something did not end within {CLOSE_S:g} s; leaving it behind.\n")
        sys.stderr.flush()
    os._exit(1)
