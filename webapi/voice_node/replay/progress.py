"""How far a batch is: a bar on stderr where that is a terminal, and nothing of it anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from rich import progress as bars
from rich.console import Console


class Progress:
    """`with Progress(lengths, "files") as progress:` shows the seconds of audio that are done, and how fast.

    `lengths_s`: of each item, in seconds of audio; 0 where it is not known. Other output goes into `with
    progress.aside():`, during which there is no bar.
    """

    def __init__(self, lengths_s: Sequence[float], what: str) -> None:
        self._lengths_s = lengths_s
        self._what = what
        self._finished = 0
        self._finished_s = 0.0
        self._began = time.monotonic()
        self._bar: bars.Progress | None = None
        if sys.stderr.isatty():
            self._bar = bars.Progress(
                bars.BarColumn(),
                bars.TextColumn("{task.fields[state]}"),
                bars.TimeRemainingColumn(compact=True),
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=False,  # it may be a pipe, which rich would then write to the terminal
                redirect_stderr=False,
            )
            self._task = self._bar.add_task("", total=sum(lengths_s) or None, state=self._state(0.0))

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def finished(self, index: int) -> None:
        """One item is done, or has failed."""
        self._finished += 1
        self._finished_s += self._lengths_s[index]
        self._show(0.0)

    def running_one(self, index: int, done_s: float) -> None:
        """How many seconds are done of the only one that runs now."""
        self.running([(index, done_s)])

    def running(self, items: Iterable[tuple[int, float]]) -> None:
        """How many seconds are done of those that run now."""
        if self._bar:
            self._show(sum(min(done_s, self._lengths_s[index]) for index, done_s in items))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """No bar meanwhile, so that lines can be written to the same terminal."""
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
