"""Writes plots with matplotlib. That is an extra and slow to import, so only modules that draw import this one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webapi.voice_node.errors import UserError, why_unwritable
from webapi.voice_node.errors.advice import install

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ImportError:
    raise UserError(f"Pictures need matplotlib, which is not installed. Do: {install('report')}") from None

__all__ = [
    "Figure",
    "MaxNLocator",
    "save",
    "style",
]  # two are matplotlib's: only here is said how to install it
STYLE: Any = {  # Any: matplotlib's type for it is the list of its 300 names
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "voice-node",
    "font.size": 10,
    "text.parse_math": False,  # a `$` in a name is no formula
}


def style() -> Any:
    """Return a context manager: plots are drawn and saved `with style():`."""
    return mpl.rc_context(STYLE)


def save(figures: Mapping[str, Figure], out: Path) -> list[Path]:
    """Write each figure into `out` by its name, as PNG and SVG, and return the paths. Raises UserError on failure."""
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            for kind, metadata in (("png", {}), ("svg", {"Date": None})):  # no date: same numbers, same bytes
                path = out / f"{name}.{kind}"
                figure.savefig(path, dpi=150, metadata=metadata)
                written.append(path)
    except OSError as error:
        raise UserError(f"{out}: pictures can't be written: {why_unwritable(error)}") from None
    return written
