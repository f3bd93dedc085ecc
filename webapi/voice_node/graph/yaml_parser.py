"""YAML as values with their place in the file, for errors with file:line:column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from webapi.voice_node.errors import UserError

TAGS = ("map", "seq", "str", "int", "float", "bool", "null")
MAX_LENGTH = 256 * 1024  # characters; a graph has a page or two


@dataclass(frozen=True)
class Place:
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Marked:
    """A value and its place: a str, int, float, bool or None, a list of Marked, or the pairs of a map."""

    value: Any
    place: Place
    is_map: bool = False

    @property
    def pairs(self) -> list[tuple[Marked, Marked]]:
        """Keys and values of a map, in the file's order; [] where this is no map."""
        return self.value if self.is_map else []

    @property
    def items(self) -> list[Marked]:
        """The items of a list; [] where this is no list."""
        return self.value if isinstance(self.value, list) and not self.is_map else []

    def plain(self) -> Any:
        """The value without places: str, int, float, bool, None, list or dict."""
        if self.is_map:
            return {key.plain(): value.plain() for key, value in self.pairs}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


class _Loader(yaml.SafeLoader):
    """A safe loader that reads `on`, `off`, `yes`, `no` and dates as strings, as YAML 1.2 does."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, regexp)
        for tag, regexp in resolvers
        if not tag.endswith(":timestamp") and not (tag.endswith(":bool") and first not in "tTfF")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str, file: str) -> Marked:
    """The document in `text`. UserError, with the place, for invalid YAML, anchors (`&`, `*`) and custom tags.

    `file` is the name that errors show.
    """
    if len(text) > MAX_LENGTH:
        raise UserError(f"{file}: {len(text):,} characters; a graph file has at most {MAX_LENGTH:,}")
    try:
        for token in yaml.scan(text, Loader=_Loader):
            if isinstance(token, (yaml.AnchorToken, yaml.AliasToken)):
                raise UserError(
                    f"{_place(file, token.start_mark)}: anchors and aliases (&, *) have no place in a graph"
                )
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            raise UserError(f"{file}:1:1: the file is empty")
        return _mark(node, file, _Loader(""))
    except RecursionError:
        raise UserError(f"{file}: nested too deep") from None
    except yaml.MarkedYAMLError as error:
        at = _place(file, error.problem_mark or error.context_mark)
        context = f" {error.context}" if error.context else ""
        raise UserError(f"{at}: this is not YAML: {error.problem}{context}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file}: this is not YAML: {error}") from None


def _mark(node: yaml.Node, file: str, loader: _Loader) -> Marked:
    place = _place(file, node.start_mark)
    if node.tag.removeprefix("tag:yaml.org,2002:") not in TAGS:
        raise UserError(f"{place}: the tag {node.tag!r} has no place in a graph")
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise UserError(f"{_place(file, key.start_mark)}: a key is a list or a map; a text is needed")
        pairs = [(_mark(key, file, loader), _mark(value, file, loader)) for key, value in node.value]
        return Marked(pairs, place, is_map=True)
    if isinstance(node, yaml.SequenceNode):
        return Marked([_mark(item, file, loader) for item in node.value], place)
    try:
        return Marked(loader.construct_object(node), place)
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{place}: {node.value!r} can't be read: {error}") from None


def _place(file: str, mark: Any) -> Place:
    return Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
