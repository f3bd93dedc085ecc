"""The monitor beside real calls, in a room of virtual time: what calls and turns count, and when it is there at all."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.fake_room import FakeRoom
from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import load_settings, pinned_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.monitor.monitor import Monitor
from webapi.voice_node.node.monitor.monitored_call import MonitoredCall
from webapi.voice_node.node.monitoring import Monitoring, is_wanted
from webapi.voice_node.node.traces.call_trace import Traces
from webapi.voice_node.node.traces.traced_call import TracedCall


def test_it_is_there_only_where_one_of_its_variables_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MONITOR_HOST", "MONITOR_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert not is_wanted(load_settings(None))
    assert is_wanted(load_settings(None, monitor_port=9090))
    monkeypatch.setenv("MONITOR_HOST", "127.0.0.1")
    assert is_wanted(load_settings(None))


def test_without_one_nothing_happens() -> None:
    nothing = Monitoring()
    nothing.state("draining")
    assert list(nothing.observe) == []


def value(monitor: Monitor, sample: str) -> float:
    """The value of a line of the page; 0 where it has none."""
    lines = monitor.text().decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.rsplit(" ", 1)[0] == sample), 0.0)


def test_a_call_and_its_turns_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = Monitor(max_calls=5)
    settings = pinned_settings(vad_backend="webrtc", mock_reply="tone:5")

    async def main() -> None:
        graph = load_graph("default", settings)
        async with FakeRoom(graph, settings, monkeypatch) as room:
            room.sessions = SessionFactory(graph, settings, room.lines.append, [partial(MonitoredCall, monitor)])
            room.join("alice")
            await asyncio.sleep(0.5)
            await room.say(0.5, wait_s=1.5)
            assert value(monitor, "voice_node_active_calls") == 1
            assert value(monitor, "voice_node_loop_lag_seconds_count") > 10  # of the loop of the call
            await room.say(0.5, wait_s=7)  # over the reply
            room.leave("alice")
            await asyncio.sleep(1)
            assert value(monitor, "voice_node_active_calls") == 0
            measured = value(monitor, "voice_node_loop_lag_seconds_count")
            await asyncio.sleep(1)
            assert value(monitor, "voice_node_loop_lag_seconds_count") == measured

    run_virtual(main())
    assert value(monitor, 'voice_node_calls_started_total{kind="standard"}') == 1
    assert value(monitor, 'voice_node_calls_ended_total{reason="left"}') == 1
    assert value(monitor, 'voice_node_turns_total{begun_by="caller",outcome="barged_in"}') == 1
    assert value(monitor, 'voice_node_turns_total{begun_by="caller",outcome="completed"}') == 1
    assert value(monitor, "voice_node_barge_ins_total") == 1
    assert value(monitor, "voice_node_caller_wait_seconds_count") == 2


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("caller left", "left"),
        ("the bot hung up: goodbye", "hung_up"),
        ("connection lost", "lost"),
        ("the node leaves", "closed"),
        ("the session broke", "failed"),
        ("the graph was changed", "over"),
        ("anything with an identity: alice", "over"),
    ],
)
def test_the_reason_of_an_end_is_one_of_a_few(reason: str, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = Monitor()
    settings = pinned_settings(vad_backend="webrtc")

    async def main() -> None:
        async with FakeRoom(load_graph("default", settings), settings, monkeypatch) as room:
            room.join("alice")
            await asyncio.sleep(0.5)
            MonitoredCall(monitor, room.calls[0], "default").ended(reason)

    run_virtual(main())
    assert value(monitor, f'voice_node_calls_ended_total{{reason="{label}"}}') == 1
    assert "alice" not in monitor.text().decode()


def test_a_call_is_traced_from_its_begin_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(SimpleSpanProcessor(exporter), "node-1")
    settings = pinned_settings(vad_backend="webrtc")

    async def main() -> None:
        graph = load_graph("default", settings)
        async with FakeRoom(graph, settings, monkeypatch) as room:
            room.sessions = SessionFactory(graph, settings, room.lines.append, [partial(TracedCall, traces, False)])
            room.join("alice")
            await asyncio.sleep(0.5)
            await room.say(0.5, wait_s=2)
            assert not any(span.name == "call" for span in exporter.get_finished_spans())
            room.leave("alice")
            await asyncio.sleep(1)

    run_virtual(main())
    spans = exporter.get_finished_spans()
    (call,) = [span for span in spans if span.name == "call"]
    (turn,) = [span for span in spans if span.name == "turn"]
    assert turn.parent is not None
    assert turn.parent.span_id == call.context.span_id
    assert (call.attributes or {})["voice_node.graph"] == "default"
    assert "alice" not in str([span.to_json() for span in spans])
