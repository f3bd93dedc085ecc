"""An async iterator as an observable; a dispose cancels and closes it. (reactivex has no such bridge.)"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import Disposable

T = TypeVar("T")
Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


def from_async_iterator(make: Callable[[], AsyncGenerator[T, None]], spawn: Spawn) -> Observable[T]:
    """The values of the async generator that `make` returns: one for each subscriber, run in a task made by `spawn`.

    Dispose cancels the task; the generator's `finally` blocks run and it is closed (`aclose`) before the task ends.
    An error of the generator is the observable's error. The next value is asked for when the observers have handled
    the last one, so a slow observer slows the generator down.
    """

    def subscribe(observer: abc.ObserverBase[T], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        disposed = False

        async def pump() -> None:
            values = make()
            try:
                async for value in values:
                    observer.on_next(value)
            except asyncio.CancelledError as error:
                if disposed:
                    raise
                # The task was not cancelled: something that the generator awaited was.
                observer.on_error(RuntimeError(f"cancelled from inside: {error}"))
            except Exception as error:
                observer.on_error(error)
            else:
                observer.on_completed()
            finally:
                await values.aclose()

        def dispose() -> None:
            nonlocal disposed
            disposed = True
            if task is not _current():
                task.cancel()

        task = spawn(pump())
        return Disposable(dispose)

    return Observable(subscribe)


def _current() -> asyncio.Task[Any] | None:
    """The running task. The observable's own completion disposes it from inside, which must not cancel the clean-up."""
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs: disposed from outside
        return None
