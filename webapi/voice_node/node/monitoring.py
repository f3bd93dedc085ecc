"""Starts what is seen of a process from outside, where MONITOR_HOST or MONITOR_PORT asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from webapi.voice_node.config import Settings
from webapi.voice_node.node.call_observer import Observe
from webapi.voice_node.node.loop_watch import Blocked, log_blocked

if TYPE_CHECKING:
    from webapi.voice_node.node.monitor.monitor import Monitor

State = Literal["starting", "server_unreachable", "draining"]


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

    def blocked(self, blocked: Blocked) -> None:
        """The loop stood still: log it, and count it."""
        log_blocked(blocked)
        if self._monitor is not None:
            self._monitor.on_blocked(blocked)


def is_wanted(settings: Settings, *, by_default: bool = False) -> bool:
    """Whether the environment or the command line sets one of the two variables.

    `by_default`: monitoring is wanted without them too, where its package is installed.
    """
    asked_for = not {"monitor_host", "monitor_port"}.isdisjoint(settings.model_fields_set)
    return asked_for or (by_default and find_spec("prometheus_client") is not None)


async def start_monitoring(settings: Settings, max_calls: int, ending: AsyncExitStack) -> Monitoring:
    """Serve /metrics, /healthz and /readyz until `ending` ends. UserError where the address is taken, or for a package.

    Called after the log was set up.
    """
    from webapi.voice_node.node.monitor.monitor import Monitor
    from webapi.voice_node.node.monitor.monitored_call import MonitoredCall
    from webapi.voice_node.node.monitor.server import MonitorServer

    monitor = Monitor(max_calls=max_calls)
    server = MonitorServer(settings, monitor)
    await server.start()
    ending.push_async_callback(server.stop)
    stop_watching: list[Callable[[], None]] = [monitor.watch_log(), monitor.watch_loop(asyncio.get_running_loop())]
    for stop in stop_watching:
        ending.callback(stop)
    return Monitoring(monitor, [partial(MonitoredCall, monitor)])
