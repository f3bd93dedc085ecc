"""Metric families as values: without the library's extra series, summed over processes, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


def without_created(families: Iterable[Metric]) -> Iterator[Metric]:
    """The families without `_created` samples, which double the series and which nobody asks for."""
    for family in families:
        kept = Metric(family.name, family.documentation, family.type)
        kept.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        yield kept


def summed(families: Iterable[Metric]) -> list[Metric]:
    """One family for each name, whose samples are the sums of those with the same name and labels."""
    found: dict[str, tuple[Metric, dict[tuple[str, tuple[tuple[str, str], ...]], float]]] = {}
    for family in families:
        empty = Metric(family.name, family.documentation, family.type)
        _, values = found.setdefault(family.name, (empty, {}))
        for sample in family.samples:
            key = sample.name, tuple(sample.labels.items())
            values[key] = values.get(key, 0.0) + sample.value
    for family, values in found.values():
        for (name, labels), value in values.items():
            family.add_sample(name, dict(labels), value)
    return [family for family, _ in found.values()]


def counted(families: Iterable[Metric]) -> list[Metric]:
    """The families whose values stay when their process is gone: all but the gauges."""
    return [family for family in families if family.type != "gauge"]


def as_text(families: Iterable[Metric]) -> bytes:
    """In Prometheus' text format."""
    return generate_latest(_Fixed(families))


def as_json(families: Iterable[Metric]) -> str:
    """For another process, which reads them by `from_json`."""
    return json.dumps(
        [
            [family.name, family.documentation, family.type, [[s.name, s.labels, s.value] for s in family.samples]]
            for family in families
        ]
    )


def from_json(text: str) -> list[Metric]:
    """What `as_json` has written. Raises ValueError for anything else."""
    found = []
    try:
        for name, documentation, kind, samples in json.loads(text):
            family = Metric(name, documentation, kind)
            for sample, labels, value in samples:
                family.add_sample(sample, labels, float(value))
            found.append(family)
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    return found


class _Fixed(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
