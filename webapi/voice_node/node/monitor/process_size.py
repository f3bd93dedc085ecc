"""The memory and the processor time of a process, as metrics that can be summed over the processes of a worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

STATM = Path("/proc/self/statm")


class ProcessSize(Collector):
    """Reads both when they are asked for. Where there is no /proc, the memory is left out."""

    def collect(self) -> Iterator[Metric]:
        """The two families, with their present values."""
        times = os.times()
        yield CounterMetricFamily(
            "voice_node_cpu_seconds", "Processor time of all processes of the node.", value=times.user + times.system
        )
        resident = _resident_bytes()
        if resident is not None:
            yield GaugeMetricFamily(
                "voice_node_memory_bytes", "Resident memory of all processes of the node.", value=resident
            )


def _resident_bytes() -> int | None:
    try:
        return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
