"""The bridge that reactivex lacks: an async generator as an observable that a dispose really closes; and the close."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from webapi.voice_node.errors import as_exception
from webapi.voice_node.reactive.tasks import Tasks

T = TypeVar("T")


def from_async_iterator(make: Callable[[], AsyncGenerator[T, None]], tasks: Tasks) -> Observable[T]:
    """What the async generator of `make` yields, made anew for each subscriber and run as a task of `tasks`.

    Dispose cancels the task; the generator's `finally` blocks run and it is closed (`aclose`) before the task ends. A
    generator that ignores the cancel is closed at its next value, which is dropped. An error of the generator, of any
    class, is the observable's error (KeyboardInterrupt ends the program as ever). Back-pressure is natural: the next
    value is asked for when the observers are done with the last one.
    """

    def subscribe(observer: abc.ObserverBase[T], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        async def pump() -> None:
            values = make()
            try:
                async for value in values:
                    if tasks.cancelled:
                        break
                    observer.on_next(value)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                if tasks.cancelled:
                    if isinstance(error, asyncio.CancelledError):
                        raise
                    return  # nobody listens any more
                observer.on_error(as_exception(error))
            else:
                observer.on_completed()
            finally:
                await values.aclose()

        def dispose() -> None:
            if task is not _current():
                tasks.cancel(task)

        task = tasks.spawn(pump())
        return Disposable(dispose)

    return Observable(subscribe)


async def close(source: object) -> None:
    """Close an async iterator of others' code. Its `aclose` may be missing or a plain function."""
    method = getattr(source, "aclose", None)
    result = method() if callable(method) else None
    if inspect.isawaitable(result):
        await result


def _current() -> asyncio.Task[Any] | None:
    """The running task. The observable's own completion disposes it from inside, which must not cancel the clean-up."""
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs: disposed from outside
        return None
