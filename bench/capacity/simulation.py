"""Calls that arrive, last and end, on nodes that are drained and die: a simulation of discrete events."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from bench.capacity.node import Node
from bench.capacity.plan import Plan

TRIES = 200  # to find a node by chance, before all of them are looked through
SAMPLE_S = 10.0
BURST_S = (1200.0, 1800.0)  # after the warm-up


@dataclass
class Counted:
    """What happened after the warm-up."""

    arrived: int = 0
    answered: int = 0
    given_up: int = 0  # the caller was not answered in time
    rescued: int = 0  # the node died, and another one answered the call again
    lost: int = 0  # the node died, and nobody answered the call again in time
    cut: int = 0  # by the end of a drain
    node_deaths: int = 0
    nodes_updated: int = 0
    waits_s: list[float] = field(default_factory=list)  # until answered, of those who had to wait for a free node
    over_time: list[tuple[float, int, int]] = field(
        default_factory=list
    )  # time, calls, nodes that take calls or are full


class Simulation:
    """One run of a plan. The same seed gives the same run."""

    def __init__(self, plan: Plan, seed: int = 1) -> None:
        self.plan = plan
        self.counted = Counted()
        self.nodes = [Node(plan.per_node) for _ in range(plan.nodes)]
        self._random = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self._now_s = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._ends: dict[int, float] = {}  # when each call in progress ends
        self._updated: list[Node] = []  # nodes that are still to be updated

    def run(self) -> Counted:
        """Simulate the whole time."""
        plan = self.plan
        end_s = plan.warm_up_s + plan.hours * 3600
        self._after(0, self._arrive)
        self._after(SAMPLE_S, self._sample)
        for node in self.nodes:
            self._plan_death(node)
        if plan.rolling:
            self._after(plan.warm_up_s, self._begin_update)
        while self._events and self._events[0][0] <= end_s:
            self._now_s, _, happen = heapq.heappop(self._events)
            happen()
        return self.counted

    # ------------------------------------------------------------ calls

    def _arrive(self) -> None:
        plan = self.plan
        bursts = BURST_S[0] <= self._now_s - plan.warm_up_s < BURST_S[1]
        rate = plan.per_second * (1 + plan.burst if bursts else 1)
        self._after(self._random.expovariate(rate), self._arrive)
        self._count("arrived")
        call = self._next_number()
        length_s = self._length_s()
        self._after(self.plan.dispatch_s, partial(self._dispatch, call, length_s, self._now_s, "given_up", "answered"))

    def _dispatch(self, call: int, left_s: float, since_s: float, failed: str, done: str) -> None:
        """Give a call to a node; where there is none, again after a moment, until the caller gives up.

        `failed` and `done`: the fields of Counted for the two.
        """
        node = self._pick()
        if node is not None:
            node.calls.add(call)
            self._count(done)
            if self._now_s - since_s > self.plan.dispatch_s + 1e-6 and self._counts:
                self.counted.waits_s.append(self._now_s - since_s)
            self._after(left_s, partial(self._end, call, node, node.life))
            self._ends[call] = self._now_s + left_s
        elif self._now_s - since_s >= self.plan.patience_s:
            self._count(failed)
        else:
            self._after(self.plan.retry_s, partial(self._dispatch, call, left_s, since_s, failed, done))

    def _end(self, call: int, node: Node, life: int) -> None:
        if node.life == life and call in node.calls:
            node.calls.remove(call)
            self._ends.pop(call, None)
            if node.draining and not node.calls:
                self._start_again(node)

    def _pick(self) -> Node | None:
        """A node by chance, as livekit-server picks one: with a probability that is proportional to 1 - load."""
        for _ in range(TRIES):
            node = self._random.choice(self.nodes)
            if node.takes and self._random.random() < 1 - node.load:
                return node
        free = [node for node in self.nodes if node.takes]
        return self._random.choices(free, [1 - node.load for node in free])[0] if free else None

    # ------------------------------------------------------------ nodes

    def _plan_death(self, node: Node) -> None:
        if math.isfinite(self.plan.mtbf_h):
            after_s = self._random.expovariate(1 / (self.plan.mtbf_h * 3600))
            self._after(after_s, partial(self._die, node, node.life))

    def _die(self, node: Node, life: int) -> None:
        if node.life != life:
            return
        self._count("node_deaths")
        for call in sorted(node.calls):
            left_s = self._ends.pop(call) - self._now_s - self.plan.rescue_s
            if math.isinf(self.plan.rescue_s):
                self._count("lost")
            elif left_s > 0:  # else the caller has left meanwhile
                asked = partial(self._dispatch, call, left_s, self._now_s + self.plan.rescue_s, "lost", "rescued")
                self._after(self.plan.rescue_s, asked)
        self._start_again(node)

    def _start_again(self, node: Node) -> None:
        was_update = node.draining
        node.replace()
        self._after(self.plan.boot_s, partial(self._up, node, node.life, was_update))
        self._plan_death(node)

    def _up(self, node: Node, life: int, was_update: bool) -> None:
        if node.life == life:
            node.up = True
        if was_update:
            self._count("nodes_updated")
            self._drain_next()

    def _begin_update(self) -> None:
        self._updated = list(self.nodes)
        for _ in range(self.plan.rolling):
            self._drain_next()

    def _drain_next(self) -> None:
        if not self._updated:
            return
        node = self._updated.pop()
        node.draining = True
        if node.calls:
            self._after(self.plan.drain_timeout_s, partial(self._cut, node, node.life))
        else:
            self._start_again(node)

    def _cut(self, node: Node, life: int) -> None:
        if node.life == life and node.draining:
            self._count("cut", len(node.calls))
            for call in node.calls:
                self._ends.pop(call, None)
            self._start_again(node)

    # ------------------------------------------------------------ time and counts

    @property
    def _counts(self) -> bool:
        return self._now_s >= self.plan.warm_up_s

    def _count(self, what: str, number: int = 1) -> None:
        if self._counts:
            setattr(self.counted, what, getattr(self.counted, what) + number)

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now_s + seconds, self._next_number(), happen))

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _length_s(self) -> float:
        """A call's length: log-normal, with the plan's mean."""
        sigma = self.plan.call_sigma
        return self._random.lognormvariate(math.log(self.plan.call_s) - sigma * sigma / 2, sigma)

    def _sample(self) -> None:
        self._after(SAMPLE_S, self._sample)
        if self._counts:
            calls = sum(len(node.calls) for node in self.nodes)
            serving = sum(node.up and not node.draining for node in self.nodes)
            self.counted.over_time.append((self._now_s - self.plan.warm_up_s, calls, serving))
