"""Ctrl-C in a program with worker processes: raised where it does no harm, and never in a worker that is starting."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], None]]:
    """Yield a function that raises KeyboardInterrupt where Ctrl-C was pressed before; a second Ctrl-C raises at once.

    Raised anywhere else, it might leave a lock of a process pool locked, and the program waiting for ever.
    """
    if threading.current_thread() is not threading.main_thread():  # Ctrl-C is never raised here
        yield lambda: None
        return
    pressed = False

    def on_interrupt(_: int, __: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    def raise_if_pressed() -> None:
        if pressed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield raise_if_pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupt_blocked() -> Iterator[None]:
    """Block SIGINT; a process that is started meanwhile inherits that, because it can't handle one while it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
