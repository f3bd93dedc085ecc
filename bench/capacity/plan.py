"""What is simulated: the traffic, the nodes, and what happens to them.

Each default is an assumption; docs/capacity.md gives the reasons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Times are seconds."""

    calls: float = 10_000  # in progress at the same time, on the average
    call_s: float = 180.0  # the mean length of a call
    call_sigma: float = 1.0  # of its logarithm: many are short, some are long
    per_node: int = 10  # MAX_CALLS
    spare: float = 0.2  # nodes beyond those that the average needs, as a share of them
    burst: float = 0.0  # so much more calls begin, as a share, for ten minutes
    hours: float = 1.0
    warm_up_s: float = 1200.0  # not counted: the cluster begins empty
    dispatch_s: float = 0.5  # from the caller's arrival until a worker has the call
    retry_s: float = 1.0  # a call that found no worker asks again after this time
    patience_s: float = 10.0  # a caller who is not answered gives up
    mtbf_h: float = 720.0  # of a node: it dies once in so many hours, with its calls
    rescue_s: float = 8.0  # from a node's death until its calls are given to others
    boot_s: float = 30.0  # until a node that replaces one takes calls
    rolling: int = 0  # how many nodes are drained at a time in an update of all of them; 0: there is no update
    drain_timeout_s: float = 600.0  # DRAIN_TIMEOUT_S: calls that are longer are cut

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return math.ceil(self.calls * (1 + self.spare) / self.per_node)

    @property
    def per_second(self) -> float:
        """How many calls begin in a second (Little's law: calls in progress = arrivals x length)."""
        return self.calls / self.call_s


def erlang_b(offered: float, servers: int) -> float:
    """The share of calls that find all servers busy, where none waits (Erlang's B formula).

    `offered`: calls in progress that the traffic would make. Recursion: B(0) = 1, B(n) = a B(n-1) / (n + a B(n-1)).
    """
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked
