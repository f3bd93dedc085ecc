"""What a Monitor is told in its tests, and what it shows."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from webapi.voice_node.node.monitor.monitor import Monitor

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def line(**changes: Any) -> dict[str, Any]:
    """A line of metrics.jsonl of a turn that went well."""
    return {
        "trace_id": "s-0001",
        "session_id": "s",
        "room": "support-ada",
        "outcome": "completed",
        "barge_in": False,
        "caller_wait_ms": 905.0,
        "barge_in_stop_ms": None,
        "vad_speech_ms": 1400,
        "parts": [
            {"name": "endpointing", "ms": 200.0, "owner": "node", "setting": None},
            {"name": "node", "ms": 2.0, "owner": "node", "setting": None},
            {"name": "orchestrator", "ms": 700.0, "owner": "orchestrator", "setting": None},
            {"name": "node", "ms": 3.0, "owner": "node", "setting": None},
        ],
        **changes,
    }


def shown(text: bytes) -> Series:
    """Every series of a page, by name and labels."""
    families = text_string_to_metric_families(text.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def value(monitor: Monitor, name: str, **labels: str) -> float:
    """The value of a series, `voice_node_` left out of its name."""
    return shown(monitor.text())[f"voice_node_{name}", tuple(sorted(labels.items()))]
