"""Starts what is seen of a process from outside, where MONITOR_HOST or MONITOR_PORT asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from webapi.voice_node.config import Settings
from webapi.voice_node.errors.advice import can_import
from webapi.voice_node.files.node_name import node_name
from webapi.voice_node.node.call_observer import Observe
from webapi.voice_node.node.traces.setup import open_traces

if TYPE_CHECKING:
    from webapi.voice_node.node.monitor.monitor import Monitor

State: TypeAlias = Literal["starting", "server_unreachable", "draining"]  # why a process takes no call
Report: TypeAlias = Callable[[State | None], None]  # None: it takes calls


class Monitoring:
    """The monitor of a process, if it has one. Without one, every method does nothing."""

    def __init__(self, monitor: Monitor | None = None, observe: Sequence[Observe] = ()) -> None:
        """`observe`: what makes an observer of each call."""
        self._monitor = monitor
        self.observe = observe

    def state(self, why_not: State | None) -> None:
        """Why the process takes no call from now on; None: it does."""
        if self._monitor is not None:
            self._monitor.not_ready(why_not)


def is_wanted(settings: Settings, *, by_default: bool = False) -> bool:
    """Whether the environment or the command line sets one of the two variables.

    `by_default`: monitoring is wanted without them too, where its package is installed.
    """
    asked_for = not {"monitor_host", "monitor_port"}.isdisjoint(settings.model_fields_set)
    return asked_for or (by_default and can_import("prometheus_client"))


async def start_monitoring(
    settings: Settings, max_calls: int, ending: AsyncExitStack, *, by_default: bool = False
) -> Monitoring:
    """Serve /metrics, /healthz and /readyz, and send traces, where each is wanted, until `ending` ends.

    Called after the log was set up. `by_default`: see `is_wanted`. UserError where the address is taken, or a package
    is missing.
    """
    observe = observe_traces(settings, ending)
    if not is_wanted(settings, by_default=by_default):
        return Monitoring(None, observe)
    from webapi.voice_node.node.monitor.monitor import Monitor
    from webapi.voice_node.node.monitor.monitored_call import MonitoredCall
    from webapi.voice_node.node.monitor.server import MonitorServer
    from webapi.voice_node.node.monitor.snapshots import shared_folder

    in_processes = settings.job_executor == "process"
    monitor = Monitor(max_calls=max_calls, children=ending.enter_context(shared_folder()) if in_processes else None)
    server = MonitorServer(settings, monitor)
    await server.start()
    ending.push_async_callback(server.stop)
    stop_watching: list[Callable[[], None]] = [monitor.watch_log(), monitor.watch_loop(asyncio.get_running_loop())]
    for stop in stop_watching:
        ending.callback(stop)
    return Monitoring(monitor, [partial(MonitoredCall, monitor), *observe])


def observe_in_child(settings: Settings, ending: AsyncExitStack) -> list[Observe]:
    """The same observers in a process that a worker has started for a call."""
    observe = observe_traces(settings, ending)
    if not can_import("prometheus_client"):
        return observe
    from webapi.voice_node.node.monitor.monitor import child_monitor
    from webapi.voice_node.node.monitor.monitored_call import MonitoredCall

    found = child_monitor()
    if found is None:
        return observe
    monitor, stop = found
    ending.callback(stop)
    ending.callback(monitor.watch_log())
    return [partial(MonitoredCall, monitor), *observe]


def observe_traces(settings: Settings, ending: AsyncExitStack) -> list[Observe]:
    """What traces each call; nothing where the environment names no place to send traces to."""
    traces = open_traces(node_name(settings))
    if traces is None:
        return []
    from webapi.voice_node.node.traces.traced_call import TracedCall

    ending.push_async_callback(traces.close)
    return [partial(TracedCall, traces, settings.log_transcripts)]
