"""Keeps what others' code raises from ending more than its own work."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType


class contained:  # noqa: N801 - used as a statement, like contextlib.suppress
    """`with contained(failed):` passes whatever is raised inside to `failed`, and goes on behind the block.

    Code of others raises CancelledError, SystemExit or classes of its own that are no Exception. Only KeyboardInterrupt
    is raised on: it ends the program.
    """

    def __init__(self, failed: Callable[[BaseException], object] = lambda _: None) -> None:
        self._failed = failed

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or isinstance(error, KeyboardInterrupt):
            return False
        self._failed(error)
        return True
