"""A turn of `converse` in real time, with a server of OpenAI's interface: what the wait of the caller went into."""

from __future__ import annotations

import pytest

from bench.converse import PARTS, measured


def test_the_parts_of_a_wait_are_named_in_order_and_are_the_whole_wait() -> None:
    (wait,) = measured(1)
    assert wait.line["outcome"] == "completed"
    parts = wait.line["parts"]
    assert [part["name"] for part in parts if part["name"] in PARTS] == list(PARTS)
    assert sum(part["ms"] for part in parts) == pytest.approx(wait.line["caller_wait_ms"])
    assert set(wait.served) == {"transcriptions", "chat", "speech"}
    # A part can't take less than the server needed for it.
    assert all(wait.part(name) >= ms for name, ms in zip(PARTS, wait.served.values(), strict=True))
