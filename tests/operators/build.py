"""What an operator is built with in a test of its own."""

from __future__ import annotations

from typing import cast

from webapi.voice_node.context import Context
from webapi.voice_node.operators.kinds import BuildInfo, Kind


def info(gives: Kind, following: Kind | None = None, context: Context | None = None) -> BuildInfo:
    """As the graph would pass it. Without a context, for operators that use none."""
    return BuildInfo(cast(Context, context), gives, following or gives)
