"""Names what kept the event loop: a thread that looks at the loop's stack while the loop stands still."""

from __future__ import annotations

import asyncio
import gc
import linecache
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from loguru import logger

LOOK_S = 0.05  # between two looks
LEAST_S = 0.1  # the loop is late by less than this many times a minute on a busy machine
OURS = Path(__file__).resolve().parents[1]
LIBRARIES = tuple(str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "purelib", "platlib"))


@dataclass(frozen=True, slots=True)
class Blocked:
    """The loop stood still for `seconds`."""

    seconds: float
    where: str  # "mybot.py:12 in get_audio_reply: time.sleep(1.5)"; or what else kept the whole process
    code: str  # "orchestrator" (code that is neither ours nor a library's), "node", "garbage collection" or "machine"


class LoopWatch:
    """Watches `loop` from `start`, called in it, until `stop`. `tell` gets each Blocked, in the loop.

    Every LOOK_S the thread asks the loop for a sign. If none comes within LEAST_S, it notes the loop's stack once, and
    reports when the sign comes. If the thread itself was late, the machine (or the garbage collector) stood still.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[Blocked], None]) -> None:
        self._loop = loop
        self._tell = tell
        self._ended = threading.Event()
        self._collecting_s = 0.0  # when the present garbage collection began; 0: none runs
        self._collected_s = 0.0  # how long the last one took
        self._loop_thread = 0
        self._thread = threading.Thread(target=self._run, name="loop-watch", daemon=True)

    def start(self) -> None:
        """Begin. Called in the loop's thread."""
        self._loop_thread = threading.get_ident()
        gc.callbacks.append(self._on_gc)
        self._thread.start()

    def stop(self) -> None:
        """End; the thread is gone within LOOK_S or so, and nothing more is told."""
        self._ended.set()
        gc.callbacks.remove(self._on_gc)

    def _on_gc(self, phase: str, _: dict[str, int]) -> None:
        now_s = time.monotonic()
        if phase == "start":
            self._collecting_s = now_s
        else:
            self._collected_s, self._collecting_s = now_s - self._collecting_s, 0.0

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            sign = threading.Event()
            asked_s = time.monotonic()
            self._collected_s = 0.0
            try:
                self._loop.call_soon_threadsafe(sign.set)
            except RuntimeError:  # the loop is closed
                return
            if sign.wait(LEAST_S):
                continue
            late_s = time.monotonic() - asked_s - LEAST_S
            where, code = self._look(late_s)
            while not sign.wait(LOOK_S):
                if self._ended.is_set():
                    return
            blocked = Blocked(time.monotonic() - asked_s, where, code)
            self._loop.call_soon_threadsafe(self._report, blocked)

    def _report(self, blocked: Blocked) -> None:
        if not self._ended.is_set():
            self._tell(blocked)

    def _look(self, late_s: float) -> tuple[str, str]:
        if self._collecting_s or self._collected_s > LEAST_S / 2:
            return "garbage collection", "garbage collection"
        if late_s > LEAST_S:
            return "the machine gave the whole process no time", "machine"
        frame = sys._current_frames().get(self._loop_thread)
        return ("an unknown place", "node") if frame is None else place_of(frame)


def place_of(frame: FrameType) -> tuple[str, str]:
    """The innermost place that is not a library's, and whose code that is: code of the user before ours."""
    frames = []
    at: FrameType | None = frame
    while at is not None:
        frames.append(at)
        at = at.f_back
    for code, is_theirs in (("orchestrator", _users), ("node", _ours)):
        found = next((each for each in frames if is_theirs(each)), None)
        if found is not None:
            return _text(found), code
    return _text(frame), "node"


def _users(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return not (name.startswith("<") or name.startswith(LIBRARIES) or _ours(frame))


def _ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(str(OURS))


def _text(frame: FrameType) -> str:
    path = frame.f_code.co_filename
    line = linecache.getline(path, frame.f_lineno).strip()
    return f"{Path(path).name}:{frame.f_lineno} in {frame.f_code.co_name}" + (f": {line}" if line else "")


def log_blocked(blocked: Blocked) -> None:
    """A line in the log: what kept the loop, and for how long."""
    bound = logger.bind(event="loop_blocked", seconds=round(blocked.seconds, 3), where=blocked.where, code=blocked.code)
    bound.warning(f"the event loop stood still for {blocked.seconds:.2f} s: {blocked.where}")
