"""Collects the mistakes in a graph file, and checks the shape of its maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.graph.variable_names import IN_YAML, as_written
from webapi.voice_node.graph.yaml_parser import Marked, Place


class Problems:
    """The mistakes found so far, in the order in which they were found, each one once."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[str, ...]] = {}  # with what this machine lacks, where the file is right

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, place: Place, text: str, needs: tuple[str, ...] = ()) -> None:
        """Note a mistake, at a place in the file. `needs`: as of a UserError."""
        self._lines[as_written(f"{place}: {text}")] = needs

    def raise_any(self) -> None:
        """Raise UserError with one line for each mistake; do nothing where there is none."""
        if self._lines:
            each_needs = self._lines.values()
            needs = [need for needs in each_needs for need in needs] if all(each_needs) else []
            raise UserError("\n".join(self._lines), needs)

    def read_pairs(self, marked: Marked, what: str) -> Iterator[tuple[Marked, Marked]]:
        """Keys and values of a map, without wrong and repeated keys. `what` names the map in a mistake's text."""
        if not marked.is_map:
            self.add(marked.place, f"{what}: a map (key: value) is needed here")
        seen: set[Any] = set()
        for key, value in marked.pairs:
            if isinstance(key.value, list):
                self.add(key.place, f"{what}: a key is a word")
            elif IN_YAML.search(str(key.value)):
                self.add(key.place, f"{what}: {key.value!r}: a variable can't be part of a key")
            elif key.value in seen:
                self.add(key.place, f"{what}: {key.value!r} stands here twice")
            else:
                seen.add(key.value)
                yield key, value

    def read_map(
        self, marked: Marked, what: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> dict[str, Marked]:
        """The values of a map by key, for the allowed keys that it has."""
        allowed = (*required, *optional)
        found: dict[str, Marked] = {}
        for key, value in self.read_pairs(marked, what):
            if key.value in allowed:
                found[str(key.value)] = value
            else:
                hint = nearest(str(key.value), allowed)
                self.add(key.place, f"{what}: {key.value!r} is unknown.{hint} Allowed: {', '.join(allowed)}")
        for name in required:
            if marked.is_map and name not in found:
                self.add(marked.place, f"{what}: {name!r} is missing")
        return found
