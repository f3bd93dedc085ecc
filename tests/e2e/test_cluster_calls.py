"""Calls over two LiveKit nodes and three workers: one worker is killed and one drained while they talk.

`python -m bench.cluster` does the same with thirty calls, and has goals for the times.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.cluster import Outcome, Times, run, told, wrong
from tests.e2e.process import json_lines, run_node
from tests.e2e.rooms import run as run_scenario

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a cluster needs Linux")
CALLS = 6


def test_calls_survive_a_killed_worker_and_a_drained_one(tmp_path: Path) -> None:
    seen: list[Outcome] = []

    async def scenario() -> None:
        seen.append(await run(CALLS, tmp_path, Times(pause_s=4, talk_s=6), print))

    run_scenario(scenario(), timeout_s=240)
    print(told(seen[0]))
    assert wrong(seen[0]) == []
    assert sum(seen[0].spread.values()) == CALLS
    # The workers' files can be told apart, and merged.
    files = sorted(tmp_path.glob("worker-*/metrics.jsonl"))
    nodes = [{line["node"] for line in json_lines(path)} for path in files]
    assert all(len(each) == 1 for each in nodes)
    assert len(set.union(*nodes)) == len(files)
    report = run_node("report", *files, cwd=tmp_path)
    assert report.code == 0
    assert all(node in report.out for each in nodes for node in each)
