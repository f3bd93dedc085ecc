"""Metrics of several processes: real children count, end well or badly, and are summed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.node.monitor.stories import line, shown, value
from webapi.voice_node.node.monitor.families import as_json
from webapi.voice_node.node.monitor.monitor import Monitor, child_monitor
from webapi.voice_node.node.monitor.snapshots import FOLDER, Snapshots, shared_folder

ROOT = Path(__file__).parents[3]
CHILD = """
import sys
from tests.node.monitor.stories import line
from webapi.voice_node.node.monitor.monitor import child_monitor
monitor, stop = child_monitor()
monitor.call_started("sip")
monitor.on_turn(line())
if sys.argv[1] == "ends":
    monitor.call_ended("left")
    stop()
print("counted", flush=True)
sys.stdin.read()
"""
LIMIT_S = 60


def child(how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, how], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def until(monitor: Monitor, name: str, expected: float, **labels: str) -> None:
    """Wait for a series to have that value: a child writes every two seconds."""
    end_s = time.monotonic() + LIMIT_S
    while value(monitor, name, **labels) != expected:
        assert time.monotonic() < end_s, (name, value(monitor, name, **labels))
        time.sleep(0.05)


def test_children_are_summed_and_what_they_counted_outlives_them() -> None:
    with shared_folder() as folder:
        monitor = Monitor(max_calls=5, children=folder)
        monitor.call_started("standard")
        first, second = child("ends"), child("goes on")
        until(monitor, "turns_total", 2, outcome="completed", begun_by="caller")
        until(monitor, "active_calls", 2)  # the parent's own, and the second's
        first.communicate()
        second.kill()  # it says nothing more
        second.communicate()
        until(monitor, "active_calls", 1)
        assert value(monitor, "calls_started_total", kind="sip") == 2
        assert value(monitor, "caller_wait_seconds_count") == 2
        assert value(monitor, "max_calls") == 5
        assert list(folder.iterdir()) == []  # however many calls there were
        assert monitor.calls() == 1
    assert not folder.exists()
    assert FOLDER not in os.environ


def test_a_process_without_a_parent_that_gathers_has_no_monitor_of_a_child() -> None:
    assert child_monitor() is None


def test_a_page_of_several_processes_has_the_same_series_as_that_of_one(tmp_path: Path) -> None:
    alone, other = Monitor(), Monitor()
    for monitor in (alone, other):
        monitor.on_turn(line())
    (tmp_path / f"{os.getpid()}-5.json").write_text(as_json(other.own_families()))
    both = Monitor(children=tmp_path)
    both.on_turn(line())
    assert set(shown(both.text())) == set(shown(alone.text()))
    assert value(both, "caller_wait_seconds_bucket", le="+Inf") == 2


def test_the_number_of_a_process_may_be_used_again(tmp_path: Path) -> None:
    first, second = Monitor(), Monitor()
    first.call_started("sip")
    second.call_started("sip")
    (tmp_path / f"{os.getpid()}-5.json").write_text(as_json(first.own_families()))
    (tmp_path / f"{os.getpid()}-40.json").write_text(as_json(second.own_families()))
    both = Monitor(children=tmp_path)
    assert value(both, "active_calls") == 1
    assert value(both, "calls_started_total", kind="sip") == 2
    assert value(both, "calls_started_total", kind="sip") == 2


def test_a_damaged_file_is_left_out(tmp_path: Path) -> None:
    for content in ("", "{}", "[1]", '[["a", "b", "counter", [["a", {}, "x"]]]]', "[[1,2,3]]"):
        (tmp_path / f"{os.getpid()}-5.json").write_text(content)
        assert Snapshots(tmp_path).families() == []
