"""Finds graph files by name, and loads one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.graph.spec import GraphSpec

FOLDERS = (Path("graphs"), Path(__file__).parents[3] / "graphs", Path(__file__).parents[1] / "_graphs")


def find_graphs() -> dict[str, Path]:
    """The path of every graph by its name. Of two with one name, ./graphs wins over the project's own graphs."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.yaml")):
            if path.is_file():
                found.setdefault(path.stem, path)
    return found


def opening_line(path: Path) -> str:
    """The comment in the first line of a graph file, which says what the graph is for; "" where there is none."""
    with path.open(encoding="utf-8", errors="replace") as file:
        line = file.readline()
    return line[1:].strip() if line.startswith("#") else ""


def graphs_at(name: str) -> list[str]:
    """The names to load for `name`: the paths of all graphs of a folder, else `name`. UserError for an empty folder."""
    if name in find_graphs() or not Path(name).is_dir():
        return [name]
    found = [str(path) for path in sorted(Path(name).glob("*.yaml"))]
    if not found:
        raise UserError(f"{name}: a folder without a graph (a file that ends in .yaml)")
    return found


def load_graph(
    name: str, settings: Settings, *, recorded: bool = False, given: Mapping[str, Any] | None = None
) -> GraphSpec:
    """The graph `name`: a graph's name, or a path that ends in .yaml or .yml. UserError with all mistakes in it.

    `recorded`: a recording answers in it, so its orchestrator need not be installed. `given`: as of `read_graph`.
    """
    is_path = name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name
    path = Path(name) if is_path else find_graphs().get(name)
    if (path or Path(name)).is_dir():
        raise UserError(f"graph {name}: a folder. Name a graph in it: a file that ends in .yaml")
    if path is None:
        there = sorted(find_graphs())
        raise UserError(
            f"graph {name!r}: there is none of that name.{nearest(name, there)} "
            f"There are: {', '.join(there) or 'none'}. "
            "A path ending in .yaml works too."
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file: byte {error.start} is not UTF-8") from None
    except OSError as error:
        raise UserError(f"graph {path}: can't be read: {error.strerror}") from None
    return read_graph(text, path, settings, recorded=recorded, given=given)
