"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CheckResult:
    """What was checked, its state, what was found, and what to do about it. `warn`: the node runs, with less."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""
