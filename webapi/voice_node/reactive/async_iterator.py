"""The bridge that reactivex lacks: an async iterator as an observable that a dispose really closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import Disposable

T = TypeVar("T")
Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


def from_async_iterator(make: Callable[[], AsyncGenerator[T, None]], spawn: Spawn) -> Observable[T]:
    """What the async generator of `make` yields, made anew for each subscriber and run as a task of `spawn`.

    Dispose cancels the task; the generator's `finally` blocks run and it is closed (`aclose`) before the task ends.
    An error of the generator is the observable's error. Back-pressure is natural: the next value is asked for when
    the observers are done with the last one.
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
                # Nobody cancelled us: something that the generator awaited was cancelled under its hands.
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
