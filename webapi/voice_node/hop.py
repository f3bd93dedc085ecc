"""A stream between two operators, without the guard that reactivex puts around every observer.

That guard keeps late values out after a dispose, and costs a call for each value of each operator. Where values come
about by themselves (a port, a task, an orchestrator's call) it is needed, and where something is to be given back when
the source ends: there, make an `Observable`. An operator that only speaks while its source does can be a `Hop`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, cast

from reactivex import Observable, abc
from reactivex.internal import default_error, noop

T = TypeVar("T")


class Hop(Observable[T]):
    """An Observable whose observers are called directly. After a dispose nothing comes, as its source is disposed."""

    def subscribe(
        self,
        on_next: abc.ObserverBase[T] | abc.OnNext[T] | None = None,
        on_error: abc.OnError | None = None,
        on_completed: abc.OnCompleted | None = None,
        *,
        scheduler: abc.SchedulerBase | None = None,
    ) -> abc.DisposableBase:
        """An observer, or up to three functions."""
        if hasattr(on_next, "on_next"):
            return self._subscribe_core(cast(abc.ObserverBase[T], on_next), scheduler)
        functions = _Functions(on_next or noop, on_error or default_error, on_completed or noop)
        return self._subscribe_core(cast(abc.ObserverBase[T], functions), scheduler)


class _Functions(NamedTuple):
    """Three functions as an observer: what is called is the function itself."""

    on_next: Any
    on_error: abc.OnError
    on_completed: abc.OnCompleted
