"""How long the node waits for a caller who has left."""

from __future__ import annotations

from webapi.voice_node.room.caller import patience_s


def test_a_caller_who_was_seen_to_leave_is_not_waited_for() -> None:
    assert patience_s(said_why=True, up=True, grace_s=30) == 0
    assert patience_s(said_why=True, up=False, grace_s=30) == 0


def test_a_caller_who_vanished_with_the_connection_is_waited_for_longest() -> None:
    assert 0 < patience_s(said_why=False, up=True, grace_s=30) < patience_s(said_why=False, up=False, grace_s=30) == 30
