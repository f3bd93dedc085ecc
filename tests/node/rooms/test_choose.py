"""Which rooms a process with many rooms joins next."""

from __future__ import annotations

import pytest

from webapi.voice_node.node.rooms.choose import Choice, Failed, after_failure, choose, example
from webapi.voice_node.room.pause import MAX_PAUSE_S
from webapi.voice_node.room.room_list import OpenRoom

NOW_S = 1000.0


def names(choice: Choice) -> tuple[list[str], list[str]]:
    return [room.name for room in choice.join], [room.name for room in choice.waiting]


def opened(*rooms: str, people: int = 1) -> list[OpenRoom]:
    return [OpenRoom(name, f"RM_{name}", people) for name in rooms]


@pytest.mark.parametrize(
    ("pattern", "joined"),
    [
        ("*", ["support-1", "support-2", "Support-3", "sales", "a*b"]),
        ("support-*", ["support-1", "support-2"]),
        ("support-?", ["support-1", "support-2"]),
        ("[sS]upport-[13]", ["support-1", "Support-3"]),
        ("sales", ["sales"]),
        ("a[*]b", ["a*b"]),
        ("nothing-*", []),
    ],
)
def test_rooms_whose_name_matches_are_joined(pattern: str, joined: list[str]) -> None:
    rooms = opened("support-1", "support-2", "Support-3", "sales", "a*b")
    assert names(choose(rooms, pattern, (), {}, 10, NOW_S)) == (joined, [])


def test_only_where_somebody_is_and_nobody_serves() -> None:
    rooms = [*opened("served", "waits"), *opened("empty", people=0)]
    assert names(choose(rooms, "*", {"served"}, {}, 10, NOW_S)) == (["waits"], [])


@pytest.mark.parametrize("free", [2, 1, 0, -1])
def test_those_beyond_the_limit_wait_in_their_order(free: int) -> None:
    chosen = choose(opened("a", "b", "c"), "*", (), {}, free, NOW_S)
    assert names(chosen) == (["a", "b", "c"][: max(0, free)], ["a", "b", "c"][max(0, free) :])


def test_a_room_whose_call_failed_is_joined_again_after_a_pause_and_at_once_where_it_is_a_new_room() -> None:
    failed = {"a": Failed("RM_a", 4.0, NOW_S + 1)}
    assert names(choose(opened("a"), "*", (), failed, 10, NOW_S)) == ([], [])
    assert names(choose(opened("a"), "*", (), failed, 10, NOW_S + 1)) == (["a"], [])
    assert names(choose([OpenRoom("a", "RM_other", 1)], "*", (), failed, 10, NOW_S)) == (["a"], [])


def test_the_pause_doubles_with_each_failure_in_a_row_up_to_a_minute() -> None:
    failed, pauses = None, []
    for _ in range(8):
        failed = after_failure(failed, "RM_a", NOW_S)
        pauses.append(failed.pause_s)
        assert failed.not_before_s == NOW_S + failed.pause_s
    assert pauses == [1, 2, 4, 8, 16, 32, MAX_PAUSE_S, MAX_PAUSE_S]
    assert after_failure(failed, "RM_other", NOW_S).pause_s == 1


@pytest.mark.parametrize(
    ("pattern", "room"),
    [("*", "demo"), ("support-*", "support-1"), ("de?o", "demo"), ("line-??", "line-11"), ("[ab]-*", "demo")],
)
def test_the_page_gets_a_room_that_matches_where_one_can_be_told(pattern: str, room: str) -> None:
    assert example(pattern, "demo") == room
