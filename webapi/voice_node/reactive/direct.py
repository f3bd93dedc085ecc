"""Observables and subjects without the guard that reactivex puts around every observer.

The guard keeps late values out after a dispose, and costs a call for each value of each operator. It is needed where
values come from a task, a timer or a call from outside, and where something must be released when the source ends:
use reactivex's `Observable` there. An operator that emits only while its source does can be a `DirectObservable`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable, SerialDisposable
from reactivex.internal import default_error, noop

T = TypeVar("T")
R = TypeVar("R")


class DirectObservable(Observable[T]):
    """An Observable that calls its observers directly. After a dispose nothing comes, as its source is disposed."""

    def subscribe(
        self,
        on_next: abc.ObserverBase[T] | abc.OnNext[T] | None = None,
        on_error: abc.OnError | None = None,
        on_completed: abc.OnCompleted | None = None,
        *,
        scheduler: abc.SchedulerBase | None = None,
    ) -> abc.DisposableBase:
        """Subscribe an observer, or up to three functions."""
        if hasattr(on_next, "on_next"):
            return self._subscribe_core(cast(abc.ObserverBase[T], on_next), scheduler)
        functions = _FunctionObserver(on_next or noop, on_error or default_error, on_completed or noop)
        return self._subscribe_core(cast(abc.ObserverBase[T], functions), scheduler)


class _FunctionObserver(NamedTuple):
    """Three functions as an observer. Its attributes are the functions, so a call costs nothing more."""

    on_next: Any
    on_error: abc.OnError
    on_completed: abc.OnCompleted


class DirectSubject(DirectObservable[T], abc.ObserverBase[T]):
    """A Subject that calls its observers directly, in the order in which they subscribed.

    (reactivex's Subject takes its lock twice and copies its list for each value.)
    """

    def __init__(self) -> None:
        super().__init__()
        self._observers: tuple[abc.ObserverBase[T], ...] = ()

    def on_next(self, value: T) -> None:
        """Pass a value to all observers."""
        for observer in self._observers:
            observer.on_next(value)

    def on_error(self, error: Exception) -> None:
        """Pass the error to all observers, and remove them."""
        observers, self._observers = self._observers, ()
        for observer in observers:
            observer.on_error(error)

    def on_completed(self) -> None:
        """Tell all observers of the end, and remove them."""
        observers, self._observers = self._observers, ()
        for observer in observers:
            observer.on_completed()

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        self._observers += (observer,)

        def leave() -> None:
            self._observers = tuple(each for each in self._observers if each is not observer)

        return Disposable(leave)


def shared(source: Observable[T]) -> Observable[T]:
    """The source for several observers: subscribed with the first of them, disposed with the last. As `ops.share`."""
    port: DirectSubject[T] = DirectSubject()
    connection = SerialDisposable()
    count = 0

    def subscribe(observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        nonlocal count
        count += 1
        listening = port.subscribe(observer)
        if count == 1:
            connection.disposable = source.subscribe(port, scheduler=scheduler)

        def leave() -> None:
            nonlocal count
            listening.dispose()
            count -= 1
            if count == 0:
                connection.disposable = Disposable()

        return Disposable(leave)

    return DirectObservable(subscribe)


def merged(sources: Sequence[Observable[T]]) -> Observable[T]:
    """Several streams as one. (`rx.merge` would subscribe by the scheduler, one round of the loop later.)"""
    if len(sources) == 1:
        return sources[0]

    def subscribe(observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        left = len(sources)

        def on_completed() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                observer.on_completed()

        return CompositeDisposable(
            *(s.subscribe(observer.on_next, observer.on_error, on_completed, scheduler=scheduler) for s in sources)
        )

    return DirectObservable(subscribe)


def handled_by(
    begin: Callable[[abc.ObserverBase[R]], Callable[[T], None]],
) -> Callable[[Observable[T]], Observable[R]]:
    """An operator whose state is made at subscribe.

    `begin(observer)` makes the state and returns the function that handles each value; what that gives, it passes to
    `observer.on_next`. An error of the source and its end are passed on.
    """

    def apply(source: Observable[T]) -> Observable[R]:
        def subscribe(observer: abc.ObserverBase[R], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            return source.subscribe(begin(observer), observer.on_error, observer.on_completed, scheduler=scheduler)

        return DirectObservable(subscribe)

    return apply
