"""The grid of a sweep: reads `--grid NAME=VALUES` as cells, each with its settings and its graph."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from webapi.voice_node.config import SECRETS, Settings, without_secret
from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.errors.advice import SETTINGS_LIST
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.settings_used import settings_used
from webapi.voice_node.graph.spec import GraphSpec

RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?::(\d+))?")
MAX_CELLS = 10_000
GRAPH = "VOICE_GRAPH"

Load = Callable[[Mapping[str, str]], Settings]  # the settings of the command line, and these on top


@dataclass(frozen=True)
class Cell:
    """One point of the grid."""

    values: dict[str, str]  # by the setting's name, as they were given
    settings: Settings
    graph: GraphSpec

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.values.items())


def cells(given: Sequence[str], fixed: Sequence[str], load: Load) -> list[Cell]:
    """Return every combination; the values of the last grid change fastest.

    `fixed`: settings that the command line sets already. Raises UserError for a grid that can't be read, a value that
    is not allowed, and a setting that none of the graphs uses.
    """
    grids: dict[str, list[str]] = {}
    for text in given:
        name, values = parse(text)
        if name in grids or name in fixed:
            raise UserError(f"--grid {text}: {name} is set twice on this command line; once is enough")
        for value in values:
            load({name: value})  # here, where each is checked once and not in every cell
        grids[name] = values
    count = 1
    for values in grids.values():
        count *= len(values)
    if count > MAX_CELLS:
        raise UserError(f"the grids have {count:,} cells; {MAX_CELLS:,} is the most")
    found = []
    for combination in itertools.product(*grids.values()):
        point = dict(zip(grids, combination, strict=True))
        settings = load(point)
        found.append(Cell(point, settings, load_graph(settings.voice_graph, settings)))
    _check_used(list(grids), found)
    return found


def parse(text: str) -> tuple[str, list[str]]:
    """Return the setting and the values of `NAME=4..10`, `NAME=4..10:2`, `NAME=a,b,c`, or of both kinds: `1,4..6`."""
    name, equals, after = (part.strip() for part in text.partition("="))
    name = name.upper()
    if name.lower() in SECRETS:
        raise UserError(f"--grid {name}: a secret is no setting to compare, and its value would be in the table")
    if not equals or not after:
        raise UserError(
            f"--grid {without_secret(text)}: it is --grid NAME=4..10, NAME=4..10:2 (in steps of 2) or NAME=a,b,c"
        )
    if name.lower() not in Settings.model_fields:
        names = [field.upper() for field in Settings.model_fields]
        raise UserError(f"--grid {name}: there is no setting {name!r}.{nearest(name, names)} See {SETTINGS_LIST}")
    values: dict[str, None] = {}
    for piece in after.split(","):
        span = RANGE.fullmatch(piece.strip())
        if span is None:
            values[piece.strip()] = None
            continue
        first, last, step = int(span[1]), int(span[2]), int(span[3] or 1)
        if last < first or step < 1 or (last - first) // step >= MAX_CELLS:
            raise UserError(
                f"--grid {text}: {piece.strip()}: a range goes up by 1 or more, to {MAX_CELLS:,} values at most"
            )
        values.update(dict.fromkeys(str(value) for value in range(first, last + 1, step)))
    return name, list(values)


def _check_used(names: Sequence[str], cells: Sequence[Cell]) -> None:
    graphs = {cell.graph.name: cell.graph for cell in cells}
    used = {GRAPH}.union(*(settings_used(cell.graph) for cell in cells))
    for name in names:
        if name not in used:
            raise UserError(
                f"--grid {name}: the graph {' or '.join(graphs)} does not use it, so every cell would be the same. "
                f"It uses: {', '.join(sorted(used - {GRAPH})) or 'none'}; and {GRAPH} takes several graphs"
            )
