"""Streams without a guard: who hears what, in which order, and until when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactivex import Observable, Subject, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable

from webapi.voice_node.reactive.direct import DirectObservable, DirectSubject, handled_by, merged, shared


def noted(heard: list[Any], name: str) -> tuple[Any, Any, Any]:
    """Three functions that note what they are called with."""
    return (
        lambda value: heard.append((name, value)),
        lambda error: heard.append((name, str(error))),
        lambda: heard.append((name, "|")),
    )


def doubled(source: Observable[int]) -> Observable[int]:
    """An operator as ours are."""

    def subscribe(observer: abc.ObserverBase[int], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        return source.subscribe(
            lambda value: observer.on_next(2 * value), observer.on_error, observer.on_completed, scheduler=scheduler
        )

    return DirectObservable(subscribe)


def test_a_direct_observable_takes_what_an_observable_takes() -> None:
    source: Subject[int] = Subject()
    heard: list[Any] = []
    into: Subject[int] = Subject()
    into.subscribe(*noted(heard, "observer"))
    stream = doubled(source)
    stream.subscribe(*noted(heard, "functions"))
    stream.subscribe(into)
    stream.pipe(ops.take(1)).subscribe(*noted(heard, "piped"))
    source.on_next(1)
    source.on_next(2)
    source.on_completed()
    assert heard == [
        ("functions", 2), ("observer", 2), ("piped", 2), ("piped", "|"),
        ("functions", 4), ("observer", 4), ("functions", "|"), ("observer", "|"),
    ]  # fmt: skip


def test_after_a_dispose_nothing_comes() -> None:
    source: DirectSubject[int] = DirectSubject()
    heard: list[Any] = []
    subscription = doubled(doubled(source)).subscribe(*noted(heard, "a"))
    source.on_next(1)
    subscription.dispose()
    source.on_next(2)
    source.on_completed()
    assert heard == [("a", 4)]


def test_a_direct_subject_tells_all_in_their_order_and_nothing_after_its_end() -> None:
    for error in (None, ValueError("no")):
        port: DirectSubject[int] = DirectSubject()
        heard: list[Any] = []
        port.subscribe(*noted(heard, "a"))
        port.subscribe(*noted(heard, "b"))
        port.on_next(1)
        for _ in range(2):
            if error:
                port.on_error(error)
            else:
                port.on_completed()
        port.on_next(2)
        told = "no" if error else "|"
        assert heard == [("a", 1), ("b", 1), ("a", told), ("b", told)]


def test_what_is_shared_is_subscribed_once_and_disposed_with_the_last() -> None:
    heard: list[Any] = []

    def subscribe(observer: abc.ObserverBase[int], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        heard.append("subscribed")
        return source.subscribe(observer)

    source: DirectSubject[int] = DirectSubject()
    stream = shared(DirectObservable(subscribe))
    a, b = stream.subscribe(*noted(heard, "a")), stream.subscribe(*noted(heard, "b"))
    source.on_next(1)
    a.dispose()
    source.on_next(2)
    b.dispose()
    source.on_next(3)
    assert heard == ["subscribed", ("a", 1), ("b", 1), ("b", 2)]


def test_what_handles_the_values_is_made_for_each_subscription() -> None:
    heard: list[Any] = []

    def begin(observer: abc.ObserverBase[int]) -> Callable[[int], None]:
        seen: list[int] = []

        def on_next(value: int) -> None:
            seen.append(value)
            observer.on_next(sum(seen))

        return on_next

    source: DirectSubject[int] = DirectSubject()
    sums = handled_by(begin)(source)
    a = sums.subscribe(*noted(heard, "a"))
    source.on_next(1)
    sums.subscribe(*noted(heard, "b"))
    source.on_next(2)
    a.dispose()
    source.on_next(3)
    source.on_error(ValueError("no"))
    assert heard == [("a", 1), ("a", 3), ("b", 2), ("b", 5), ("b", "no")]


def test_what_is_shared_is_let_go_with_the_last_and_begun_again_with_the_next() -> None:
    heard: list[Any] = []

    def subscribe(_: abc.ObserverBase[int], __: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        heard.append("subscribed")
        return Disposable(lambda: heard.append("disposed"))

    stream = shared(DirectObservable(subscribe))
    a, b = stream.subscribe(*noted(heard, "a")), stream.subscribe(*noted(heard, "b"))
    a.dispose()
    assert heard == ["subscribed"]
    b.dispose()
    b.dispose()
    assert heard == ["subscribed", "disposed"]
    stream.subscribe(*noted(heard, "c")).dispose()
    assert heard == ["subscribed", "disposed"] * 2


def test_what_is_merged_ends_with_the_last_source() -> None:
    a, b = DirectSubject[int](), DirectSubject[int]()
    heard: list[Any] = []
    merged([a, b]).subscribe(*noted(heard, "m"))
    a.on_next(1)
    a.on_completed()
    b.on_next(2)
    b.on_completed()
    assert heard == [("m", 1), ("m", 2), ("m", "|")]
