"""Which settings and VAD backends a graph uses. A change of any other setting does not change what it does."""

from __future__ import annotations

import re

from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.graph.variables import VARIABLE

COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)
OF_THE_MOCKS = {"mock": ("MOCK_REPLY", "MOCK_THINK_MS"), "echo": ("MOCK_THINK_MS",)}


def settings_used(graph: GraphSpec) -> set[str]:
    """The names of the settings that can change what this graph does: its variables, and those its operators read."""
    names = set(VARIABLE.findall(COMMENT.sub("", graph.text)))
    for step in (step for stream in graph.streams for step in stream.steps):
        if step.operator == "reply":
            names.add("REPLY_TIMEOUT_MS")
            names.update(OF_THE_MOCKS.get(str(step.arguments.get("orchestrator")), ()))
    return names


def vad_backends(graph: GraphSpec) -> list[str]:
    """The backends that its `vad` operators name, each once."""
    steps = (step for stream in graph.streams for step in stream.steps)
    return list(dict.fromkeys(str(step.arguments.get("backend", "webrtc")) for step in steps if step.operator == "vad"))
