"""How long the silence is at least, where the orchestrator has said what it expects the caller to say. Pure.

Whoever says a phone number pauses after each group of its digits, and whoever spells an address after each part: each
group sounds as if it were the last. So the bounds of the hold (endpoint.py) are not lower than these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from webapi.voice_node.events import Expected


class HoldBounds(NamedTuple):
    """The silence, in ms, that ends an utterance."""

    least: int  # where the caller is surely done
    usual: int  # where nothing is known
    longest: int  # where they surely are not


BOUNDS: Mapping[Expected, HoldBounds] = {
    "": HoldBounds(0, 0, 0),
    "digits": HoldBounds(800, 1200, 2400),
    "email": HoldBounds(800, 1600, 3200),
}
