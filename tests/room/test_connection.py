"""The pauses between two tries to join."""

from __future__ import annotations

import itertools

from webapi.voice_node.room.connection import backoff


def test_pauses_double_up_to_three_seconds_and_keep_nodes_from_coming_back_all_at_once() -> None:
    ceilings = [0.5, 1, 2, 3, 3, 3, 3, 3]
    assert list(itertools.islice(backoff(max), 8)) == ceilings
    assert list(itertools.islice(backoff(min), 8)) == [c / 2 for c in ceilings]
