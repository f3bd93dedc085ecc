"""What an operator is built with in a test of its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from webapi.voice_node.context import Context
from webapi.voice_node.operators.kinds import BuildInfo, Kind


def info(
    gives: Kind, following: Kind | None = None, context: Context | None = None, *, unheard: bool = False
) -> BuildInfo:
    """As the graph would pass it. Without a context, for operators that use no more of it than where a tap writes, and
    whether replies are `unheard`."""
    bare = SimpleNamespace(tap_file=Path, unheard=unheard)
    return BuildInfo(cast(Context, context or bare), gives, following or gives)
