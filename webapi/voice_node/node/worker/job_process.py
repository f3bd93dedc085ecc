"""The process of one call: its own log, metrics and recorder, as the worker's settings say."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from livekit.agents import JobProcess

from webapi.voice_node.config import Settings
from webapi.voice_node.files.node_name import node_name
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.metrics import MetricsFile
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.log_setup import configure
from webapi.voice_node.node.monitoring import observe_in_child
from webapi.voice_node.node.worker.choices import Choices
from webapi.voice_node.node.worker.jobs import CHOICES, ENDING
from webapi.voice_node.node.worker.warm_up import warm_up


def prepare(settings: Settings, hidden: Sequence[str], process: JobProcess) -> None:
    """Load what a call needs, before there is one. Log and metrics are appended to the worker's files, line by line.

    `hidden`: variables to take out of the environment, which programs of the bot's parts would inherit.
    """
    for name in hidden:
        os.environ.pop(name, None)
    ending = process.userdata[ENDING] = AsyncExitStack()
    ending.callback(configure(settings, shared=True))  # the last to be closed
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if type(handler).__name__ == "LogQueueHandler":  # it would have the worker log the same lines again
            root.removeHandler(handler)
    graph = load_and_check(settings.voice_graph, settings)
    metrics = MetricsFile(settings.metrics_file, node_name(settings), shared=True) if settings.metrics_file else None
    if metrics:
        ending.callback(metrics.close)
    write = metrics.write if metrics else _nowhere
    sessions = SessionFactory(graph, settings, write, observe_in_child(settings, ending))
    process.userdata[CHOICES] = Choices(settings, sessions)
    warm_up(graph, settings)


def _nowhere(_: dict[str, Any]) -> None:
    """Write no metrics."""
