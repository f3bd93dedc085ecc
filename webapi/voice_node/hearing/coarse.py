"""Probabilities in steps. Pure."""

from __future__ import annotations

STEPS = 1024


def coarse(probability: float) -> float:
    """The nearest multiple of 1/STEPS: processors differ in the last bits, and no decision should."""
    return round(probability * STEPS) / STEPS
