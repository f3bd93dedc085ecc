"""The simulation of a cluster: it agrees with Erlang's formula, and loses what it is told to lose."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.capacity.__main__ import CHECK_WITHIN, check
from bench.capacity.plan import Plan, erlang_b
from bench.capacity.simulation import Simulation

SMALL = Plan(calls=60, per_node=5, spare=0.5, mtbf_h=math.inf, hours=3)


def test_erlangs_formula_has_the_values_of_the_textbooks() -> None:
    assert erlang_b(1, 1) == pytest.approx(0.5)
    assert erlang_b(10, 15) == pytest.approx(0.0365, abs=5e-5)
    assert erlang_b(100, 117) == pytest.approx(0.01, abs=5e-4)


def test_a_small_cluster_refuses_what_the_formula_says() -> None:
    simulated, formula = check()
    assert 0.01 < formula < 0.5
    assert simulated == pytest.approx(formula, rel=CHECK_WITHIN)


def test_with_nodes_to_spare_everybody_is_answered_and_nobody_waits() -> None:
    counted = Simulation(SMALL).run()
    assert counted.arrived > 2000
    assert (counted.given_up, counted.waits_s, counted.cut, counted.rescued) == (0, [], 0, 0)


def test_a_cluster_that_is_too_small_lets_callers_wait_and_give_up() -> None:
    counted = Simulation(replace(SMALL, spare=-0.2)).run()
    assert counted.given_up > 0.1 * counted.arrived
    assert counted.waits_s
    assert max(counted.waits_s) <= SMALL.patience_s + SMALL.retry_s + SMALL.dispatch_s
    assert max(calls for _, calls, _ in counted.over_time) <= 10 * 5


def test_calls_of_nodes_that_die_are_answered_again_by_others() -> None:
    counted = Simulation(replace(SMALL, mtbf_h=1.0)).run()
    assert counted.node_deaths > 10
    assert counted.rescued > counted.node_deaths
    assert counted.lost == 0
    assert Simulation(replace(SMALL, mtbf_h=1.0, rescue_s=math.inf)).run().rescued == 0


def test_an_update_replaces_every_node_once_and_cuts_only_calls_longer_than_the_drain() -> None:
    plan = replace(SMALL, rolling=2, hours=12)
    counted = Simulation(plan).run()
    assert counted.nodes_updated == plan.nodes
    assert counted.cut > 0
    patient = Simulation(replace(plan, drain_timeout_s=math.inf)).run()
    assert (patient.nodes_updated, patient.cut) == (plan.nodes, 0)


def test_the_same_seed_gives_the_same_run() -> None:
    assert Simulation(SMALL, seed=3).run() == Simulation(SMALL, seed=3).run()
    assert Simulation(SMALL, seed=3).run() != Simulation(SMALL, seed=4).run()
