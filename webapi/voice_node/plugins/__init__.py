"""Tables of what comes with the project, by name, which installed packages extend by an entry point group."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from webapi.voice_node.errors import UserError, describe

T = TypeVar("T")


class LazyTable(Mapping[str, T]):
    """A table of things that are imported when they are first asked for.

    `places` has for each name either the thing itself or its place as `package.module:name`. Access raises UserError
    where the import fails.
    """

    def __init__(self, places: Mapping[str, T | str]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> T:
        place = self._places[name]
        if not isinstance(place, str):
            return place
        module, _, member = place.partition(":")
        try:
            found: T = getattr(importlib.import_module(module), member)
        except (ImportError, AttributeError) as error:
            raise UserError(f"{name!r} can't be used: {describe(error)} ({place})") from error
        return found

    def __contains__(self, name: object) -> bool:  # that of Mapping would import
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Plugins(Mapping[str, T]):
    """A table that packages can extend. `table[name]` imports the plug-in of that name and no other.

    `what` names the entries in messages, `group` is the entry point group. `wrong(name, loaded)` returns what is wrong
    with a plug-in, or "". Access raises KeyError for an unknown name; UserError, with package, name and reason, where a
    plug-in can't be imported or is wrong, and where two entries have one name: none replaces another.
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
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a package of others may raise
            reason = describe(error)
        if reason:
            raise UserError(
                f"{self._what} {point.name!r} of {_package(point)} can't be used: {reason} "
                f"(entry point {point.value} in {self._group})"
            )
        return loaded


def yaml_name(parameter: str) -> str:
    """How a graph spells a parameter of a plug-in: without a trailing underscore, so `with_` is written `with`."""
    return parameter[:-1] if parameter.endswith("_") and len(parameter) > 1 else parameter


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name} {point.dist.version}" if point.dist else "a package without a name"
