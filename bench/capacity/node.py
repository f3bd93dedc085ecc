"""A node of the simulation: it takes calls up to its limit, unless it drains or is down."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Node:
    """One process. `calls`: the numbers of those in progress."""

    limit: int
    calls: set[int] = field(default_factory=set)
    draining: bool = False
    up: bool = True
    life: int = 0  # grows each time that it is replaced: what was planned for the life before does not happen

    @property
    def takes(self) -> bool:
        """It takes a call now."""
        return self.up and not self.draining and len(self.calls) < self.limit

    @property
    def load(self) -> float:
        """What it reports to LiveKit."""
        return len(self.calls) / self.limit

    def replace(self) -> None:
        """Begin a new life: empty, and down until it has started."""
        self.calls.clear()
        self.draining, self.up = False, False
        self.life += 1
