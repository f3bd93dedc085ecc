"""Notices when this process stood still, so that a timing measured across it can be thrown away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

NAP_S = 0.004
STALL_S = 0.040  # a nap that took longer than this

Gap = tuple[float, float]  # from, to: monotonic seconds, the same clock in every process of a machine


class StallMeter:
    """`with StallMeter(tell):` a thread naps 4 ms at a time, and itself tells of each nap that took over 40 ms.

    What it finds is the machine's doing, as long as nothing in the process holds the interpreter's lock that long.
    """

    def __init__(self, tell: Callable[[Gap], None]) -> None:
        self._tell = tell
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._nap, name="stall-meter", daemon=True)

    def __enter__(self) -> StallMeter:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _nap(self) -> None:
        before_s = time.monotonic()
        while not self._ending.is_set():
            time.sleep(NAP_S)
            now_s = time.monotonic()
            if now_s - before_s > STALL_S:
                self._tell((before_s, now_s))
            before_s = now_s


def touched(gaps: Iterable[Gap], from_s: float, to_s: float) -> bool:
    """Whether the machine stood still at any time in that stretch."""
    return any(start <= to_s and end >= from_s for start, end in gaps)
