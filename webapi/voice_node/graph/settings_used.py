"""Which settings and VAD backends a graph uses. A change of any other setting does not change what it does."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from webapi.voice_node.config import Settings
from webapi.voice_node.graph.spec import GraphSpec, StepSpec
from webapi.voice_node.graph.variable_names import VARIABLE
from webapi.voice_node.reply.given_arguments import GivenArguments

OF_THE_ORCHESTRATOR = ("ORCHESTRATOR", "MOCK_REPLY", "MOCK_THINK_MS")
COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)
OF_THE_MOCKS = {  # what `with` can take the place of
    "mock": {"reply": "MOCK_REPLY", "think_ms": "MOCK_THINK_MS"},
    "echo": {"think_ms": "MOCK_THINK_MS"},
}


def _variables(text: str) -> Counter[str]:
    """The settings that stand as variables in the text, and how often."""
    settings = {name.upper() for name in Settings.model_fields}
    return Counter(name for name in VARIABLE.findall(text) if name in settings)


def settings_of_orchestrators(graph: GraphSpec) -> set[str]:
    """The names of the settings that only orchestrators get: by `with`, or as those of the mock."""
    within: Counter[str] = Counter()
    for step in (step for stream in graph.streams for step in stream.steps):
        within += _variables(json.dumps(_given(step)))
    everywhere = _variables(COMMENT.sub("", graph.text))
    return {*OF_THE_ORCHESTRATOR, *(name for name in within if everywhere[name] <= within[name])}


def settings_used(graph: GraphSpec) -> set[str]:
    """The names of the settings that can change what this graph does: its variables, and those its operators read."""
    names = set(_variables(COMMENT.sub("", graph.text)))
    for step in (step for stream in graph.streams for step in stream.steps):
        if step.operator == "reply":
            names.add("REPLY_TIMEOUT_MS")
            of_the_mock = OF_THE_MOCKS.get(str(step.arguments.get("orchestrator")), {})
            names.update(setting for argument, setting in of_the_mock.items() if argument not in _given(step))
    return names


def vad_backends(graph: GraphSpec) -> list[str]:
    """The backends that its `vad` operators name, each once."""
    steps = (step for stream in graph.streams for step in stream.steps)
    return list(dict.fromkeys(str(step.arguments.get("backend", "webrtc")) for step in steps if step.operator == "vad"))


def _given(step: StepSpec) -> dict[str, Any]:
    """What a graph gives to the constructor of the orchestrator, as it is written."""
    given = step.arguments.get("with")
    return dict(given.written) if isinstance(given, GivenArguments) else {}
