"""The progress of a batch: a bar on stderr where that is a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

OnProgress: TypeAlias = Callable[[float], None]
"""Takes how many seconds of a recording have been replayed. Called every PROGRESS_CHUNKS chunks."""

PROGRESS_CHUNKS = 100  # a second of audio


class BatchProgress:
    """`with BatchProgress(lengths_s, "files") as progress:` shows how many seconds of audio are done, and how fast.

    `lengths_s`: of each item, in seconds of audio; 0 where it is not known. Other output goes into `with
    progress.hidden():`, during which there is no bar.
    """

    def __init__(self, lengths_s: Sequence[float], what: str) -> None:
        self._lengths_s = lengths_s
        self._what = what
        self._finished = 0
        self._finished_s = 0.0
        self._began = time.monotonic()
        self._bar: Bar | None = None
        if sys.stderr.isatty():
            self._bar = _new_bar()
            self._task = self._bar.add_task("", total=sum(lengths_s) or None, state=self._state(0.0))

    def __enter__(self) -> BatchProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def finished(self, index: int) -> None:
        """Count an item that is done, or has failed."""
        self._finished += 1
        self._finished_s += self._lengths_s[index]
        self._show(0.0)

    def running_one(self, index: int, done_s: float) -> None:
        """Show how many seconds are done of the only item that runs now."""
        self.running([(index, done_s)])

    def running(self, items: Iterable[tuple[int, float]]) -> None:
        """Show how many seconds are done of the items that run now, given as (index, seconds)."""
        if self._bar:
            self._show(sum(min(done_s, self._lengths_s[index]) for index, done_s in items))

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the bar meanwhile, so that lines can be written to the same terminal."""
        if self._bar:
            self._bar.stop()
        yield
        if self._bar:
            self._bar.start()

    def _show(self, running_s: float) -> None:
        if self._bar:
            done_s = self._finished_s + running_s
            self._bar.update(self._task, completed=done_s, state=self._state(done_s))

    def _state(self, done_s: float) -> str:
        speed = done_s / max(time.monotonic() - self._began, 0.001)
        items = f"{self._finished} of {len(self._lengths_s)} {self._what}, " if len(self._lengths_s) > 1 else ""
        return f"{items}{speed:.0f} × real time"


def _new_bar() -> Bar:
    from rich import progress as bars  # here: without a terminal, rich is not needed, and takes time to import
    from rich.console import Console

    return bars.Progress(
        bars.BarColumn(),
        bars.TextColumn("{task.fields[state]}"),
        bars.TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # it may be a pipe, which rich would then write to the terminal
        redirect_stderr=False,
    )
