"""What comes with the project by name, and what installed packages add to it through an entry point group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from webapi.voice_node.errors import UserError

T = TypeVar("T")


class Plugins(Mapping[str, T]):
    """A table that packages can extend: `table[name]` imports what is asked for, and nothing else.

    `wrong(name, loaded)` says what is the matter with a plug-in, or "". UserError, with package, name and reason, where
    one can't be imported or is wrong, and where two things have one name: what comes with the project is not replaced.
    """

    def __init__(
        self, what: str, group: str, built_in: Mapping[str, T], wrong: Callable[[str, Any], str] = lambda _, __: ""
    ) -> None:
        self._what, self._group = what, group
        self._built_in = built_in
        self._wrong = wrong
        self._loaded: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        points = self._points.get(name, [])
        there = [*(["voice-node itself"] if name in self._built_in else []), *map(_package, points)]
        if len(there) > 1:
            raise UserError(
                f"{self._what} {name!r}: there are {len(there)} of that name, of {' and '.join(there)}. "
                f"Uninstall all but one, or let the package rename its entry point in {self._group}."
            )
        if not points:
            return self._built_in[name]
        if name not in self._loaded:
            self._loaded[name] = self._load(points[0])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._built_in, *self._points}))

    def __len__(self) -> int:
        return len({*self._built_in, *self._points})

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._points

    @cached_property
    def _points(self) -> dict[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=self._group):
            found.setdefault(point.name, []).append(point)
        return found

    def _load(self, point: EntryPoint) -> T:
        try:
            loaded: T = point.load()
            reason = self._wrong(point.name, loaded)
        except Exception as error:  # whatever a package of others may raise
            reason = f"{type(error).__name__}: {error}"
        if reason:
            raise UserError(
                f"{self._what} {point.name!r} of {_package(point)} can't be used: {reason} "
                f"(entry point {point.value} in {self._group})"
            )
        return loaded


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name} {point.dist.version}" if point.dist else "a package without a name"
