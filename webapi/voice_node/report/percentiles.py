"""Percentiles of a list of numbers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

POINTS = (50, 90, 95, 99)


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """Return p50, p90, p95 and p99, linearly interpolated and rounded to 3 digits; {} where there are no values."""
    numbers = list(values)
    if not numbers:
        return {}
    return {f"p{p}": round(float(x), 3) for p, x in zip(POINTS, np.percentile(numbers, POINTS), strict=True)}
