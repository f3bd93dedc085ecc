"""Puts what one call gives over what a graph's file has under `reply: with`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.variable_names import IN_YAML
from webapi.voice_node.graph.yaml_parser import Marked, Place

STEP, ARGUMENTS = "reply", "with"
DEEPEST = 8  # maps and lists in one another


def with_call_arguments(graph: Marked, arguments: Mapping[str, Any], where: str) -> Marked:
    """The document of a graph's file, with `arguments` (JSON values) over those under `reply: with`.

    Maps are merged, key by key; any other value takes the place of the file's. No `${VARIABLE}` in `arguments` is
    filled in: it stays text. `where` names their source in the errors of the graph's reader. Raises UserError for a
    graph without `reply`, and for values that are nested too deep or have the reader's own mark of a variable in them.
    """
    given, found = _marked(dict(arguments), Place(where, 1, 1), 0), []

    def at_step(step: Marked) -> Marked:
        if step.value == STEP and not step.is_map:
            step = Marked([(step, Marked([], step.place, is_map=True))], step.place, is_map=True)
        if [key.value for key, _ in step.pairs] != [STEP]:
            return step
        found.append(step)
        key, body = step.pairs[0]
        if not body.is_map and body.value is not None:
            return step  # a mistake, which the reader tells
        over = Marked([(Marked(ARGUMENTS, given.place), given)], body.place, is_map=True)
        return Marked([(key, _merged(body, over))], step.place, is_map=True)

    def at_stream(stream: Marked) -> Marked:
        return _changed(stream, "through", lambda steps: Marked([*map(at_step, steps.items)], steps.place))

    def at_streams(streams: Marked) -> Marked:
        return Marked([(key, at_stream(each)) for key, each in streams.pairs], streams.place, streams.is_map)

    changed = _changed(graph, "streams", at_streams)
    if not found:
        raise UserError(f"{where}: {ARGUMENTS}: this graph has no operator `{STEP}`, which could take arguments")
    return changed


def _changed(marked: Marked, name: str, change: Any) -> Marked:
    """The map with `change` applied to the value of `name`, where that is a list or map."""
    if not marked.is_map:
        return marked
    pairs = [
        (key, change(value) if key.value == name and isinstance(value.value, list) else value)
        for key, value in marked.pairs
    ]
    return Marked(pairs, marked.place, is_map=True)


def _merged(below: Marked, above: Marked) -> Marked:
    """The map `below` with the pairs of `above` over it; `above` alone where one of them is no map."""
    if not (above.is_map and (below.is_map or below.value is None)):
        return above
    upper = {key.value: value for key, value in above.pairs}
    pairs = [(key, _merged(value, upper[key.value]) if key.value in upper else value) for key, value in below.pairs]
    there = {key.value for key, _ in below.pairs}
    pairs += [(key, value) for key, value in above.pairs if key.value not in there]
    return Marked(pairs, below.place, is_map=True)


def _marked(value: Any, place: Place, depth: int) -> Marked:
    """JSON values as the YAML parser gives values, all of them at one place."""
    if depth > DEEPEST:
        raise UserError(f"{place.file}: {ARGUMENTS}: more than {DEEPEST} maps and lists in one another")
    if isinstance(value, str) and IN_YAML.search(value):
        raise UserError(f"{place.file}: {ARGUMENTS}: {value[:40]!r} has characters that no value may have")
    if isinstance(value, Mapping):
        pairs = [(_marked(key, place, depth), _marked(each, place, depth + 1)) for key, each in value.items()]
        return Marked(pairs, place, is_map=True)
    if isinstance(value, list):
        return Marked([_marked(each, place, depth + 1) for each in value], place)
    return Marked(value, place)
