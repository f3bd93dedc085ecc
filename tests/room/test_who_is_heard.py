"""Who is heard, and by which track: a table of cases."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from webapi.voice_node.room.who_is_heard import (
    BACK_S,
    REJOIN_S,
    WHY,
    AudioTrack,
    Decision,
    Person,
    RoomState,
    Seat,
    Without,
    best_track,
    not_heard,
    who_is_heard,
)

GRACE_S = 30.0


def person(identity: str, *tracks: AudioTrack, kind: str = "standard", joined_ms: int = 0) -> Person:
    return Person(identity, tracks, kind, joined_ms)


def mic(sid: str, **of_track: Any) -> AudioTrack:
    return AudioTrack(sid, **of_track)


def decide(
    people: list[Person], seat: Seat | None = None, *, now_s: float = 100.0, here_s: float | None = 0
) -> Decision:
    return who_is_heard(RoomState(tuple(people), seat, here_s, now_s, GRACE_S))


# ---------------------------------------------------------------- which participant


def test_the_first_to_join_of_those_who_can_be_heard_in_whatever_order_they_are_seen() -> None:
    people = [
        person("silent observer", joined_ms=1),
        person("screen", mic("s", source="screenshare_audio"), joined_ms=2),
        person("another bot", mic("b"), kind="agent", joined_ms=3),
        person("encrypted", mic("e", encrypted=True), joined_ms=4),
        person("alice", mic("a", muted=True), joined_ms=5),
        person("bob", mic("m"), joined_ms=6),
    ]
    for order in itertools.permutations(people):
        assert decide(list(order)) == Decision(Seat("alice", "a"), "first")


def test_a_tie_is_broken_by_name() -> None:
    assert decide([person("b", mic("1")), person("a", mic("2"))]).seat == Seat("a", "2")


@pytest.mark.parametrize(
    ("kind", "is_caller"),
    [
        ("standard", True), ("sip", True), ("connector", True), ("bridge", True),
        ("agent", False), ("egress", False), ("ingress", False), ("77", False),
    ],
)  # fmt: skip
def test_only_kinds_that_carry_a_persons_voice_are_callers(kind: str, is_caller: bool) -> None:
    decision = decide([person("it", mic("m"), kind=kind)])
    assert decision.seat == (Seat("it", "m") if is_caller else None)


@pytest.mark.parametrize(
    ("people", "why"),
    [
        ([], "nobody"),
        ([person("observer")], "nobody"),
        ([person("alice", mic("m", encrypted=True))], "encrypted"),
        ([person("recorder", mic("m", encrypted=True), kind="egress")], "nobody"),
        ([person("alice", mic("s", source="screenshare_audio", encrypted=True))], "nobody"),
    ],
)
def test_why_nobody_is_heard(people: list[Person], why: str) -> None:
    assert decide(people) == Decision(None, why)


def test_who_joined_before_the_caller_and_gets_a_microphone_later_does_not_take_the_seat() -> None:
    people = [person("early", mic("e"), joined_ms=1), person("alice", mic("a"), joined_ms=2)]
    assert decide(people, Seat("alice", "a")).seat == Seat("alice", "a")


# ---------------------------------------------------------------- which track


@pytest.mark.parametrize(
    ("tracks", "heard"),
    [
        ([], None),
        ([mic("s", source="screenshare_audio")], None),
        ([mic("u", source="unknown"), mic("m")], "m"),
        ([mic("m"), mic("u", source="unknown")], "m"),
        ([mic("s", source="screenshare_audio"), mic("u", source="unknown")], "u"),
        ([mic("m", muted=True), mic("u", source="unknown")], "m"),
        ([mic("old"), mic("new")], "new"),
        ([mic("old"), mic("new", muted=True)], "old"),
        ([mic("old", muted=True), mic("new", muted=True)], "new"),
        ([mic("clear"), mic("new", encrypted=True)], "clear"),
        ([mic("e", encrypted=True), mic("u", source="unknown")], "u"),
        ([mic("e", encrypted=True)], None),
        ([mic("m"), mic("new", missing=True)], "m"),
        ([mic("u", source="unknown", muted=True), mic("m", missing=True)], "u"),
        ([mic("m", missing=True)], "m"),
    ],
)
def test_a_microphone_before_an_unknown_source_unmuted_before_muted_newer_before_older(
    tracks: list[AudioTrack], heard: str | None
) -> None:
    found = best_track(tracks)
    assert (found.sid if found else None) == heard


@pytest.mark.parametrize(
    ("before", "tracks", "seat"),
    [
        ("m", [mic("m")], Seat("alice", "m")),
        ("m", [mic("m", muted=True)], Seat("alice", "m")),  # a mute of the only track chooses no other
        ("m", [mic("m"), mic("n")], Seat("alice", "n", "newer")),
        ("m", [mic("m"), mic("n", muted=True)], Seat("alice", "m")),
        ("m", [mic("m", muted=True), mic("n")], Seat("alice", "n", "unmuted")),
        ("n", [mic("m"), mic("n", muted=True)], Seat("alice", "m", "unmuted")),
        ("u", [mic("u", source="unknown"), mic("m")], Seat("alice", "m", "microphone")),
        ("gone", [mic("m")], Seat("alice", "m", "remaining")),
        ("m", [mic("m"), mic("n", encrypted=True)], Seat("alice", "m")),
        ("n", [mic("m"), mic("n", missing=True)], Seat("alice", "m", "remaining")),
        ("m", [mic("m", missing=True)], Seat("alice", "m")),
    ],
)
def test_the_callers_track_is_chosen_again_at_each_change(before: str, tracks: list[AudioTrack], seat: Seat) -> None:
    decision = decide([person("alice", *tracks)], Seat("alice", before))
    assert decision == Decision(seat, seat.why)


def test_the_reason_stays_as_long_as_the_track() -> None:
    seat = Seat("alice", "n", "newer")
    assert decide([person("alice", mic("n"))], seat) == Decision(seat, "newer")


# ---------------------------------------------------------------- how long the seat is kept

BOB = person("bob", mic("b"))
ALICE_SILENT = person("alice")
ALICE_ENCRYPTED = person("alice", mic("e", encrypted=True))


@pytest.mark.parametrize(
    ("why", "since_s", "people", "here_s", "until_s"),
    [
        ("left", 100, [], 0, 100),
        ("left", 100, [BOB], 0, 100),
        ("vanished", 100, [], 0, 100 + REJOIN_S),
        ("vanished", 100, [BOB], 0, 100 + REJOIN_S),
        ("connection_lost", 100, [], None, 100 + GRACE_S),  # no server: nobody can be seen
        ("connection_lost", 100, [BOB], None, 100 + GRACE_S),  # reconnecting: what is seen is old
        ("connection_lost", 100, [], 120, 100 + GRACE_S),
        ("connection_lost", 100, [BOB], 120, 120 + BACK_S),  # the absent one may be back a moment after the node
        ("connection_lost", 100, [person("bot", mic("b"), kind="agent")], 120, 100 + GRACE_S),
        ("connection_lost", 100, [person("eve", mic("e", encrypted=True))], 120, 100 + GRACE_S),
        ("no_track", 100, [ALICE_SILENT], 0, None),
        ("no_track", 100, [ALICE_SILENT, BOB], 0, 100 + BACK_S),
        ("encrypted", 100, [ALICE_ENCRYPTED], 0, None),
        ("encrypted", 100, [ALICE_ENCRYPTED, BOB], 0, 100 + BACK_S),
    ],
)
def test_how_long_the_seat_is_kept_for_a_caller_who_cannot_be_heard(
    why: str, since_s: float, people: list[Person], here_s: float | None, until_s: float | None
) -> None:
    seat = Seat("alice", None, "first", Without(why, since_s))
    if until_s is None or until_s > since_s:
        before_s = since_s if until_s is None else until_s - 0.01
        assert decide(people, seat, now_s=before_s, here_s=here_s) == Decision(seat, why, until_s)
    if until_s is not None:
        assert decide(people, seat, now_s=until_s, here_s=here_s) == Decision(None, why, until_s)


def test_a_caller_whose_audio_does_not_come_gives_the_seat_to_somebody_whose_does() -> None:
    alice, bob = person("alice", mic("a", missing=True), joined_ms=1), person("bob", mic("b"), joined_ms=2)
    seat = Seat("alice", "a")
    assert decide([alice], seat).seat == seat
    assert decide([alice, person("bob", mic("b", missing=True))], seat).seat == seat
    assert decide([alice, bob], seat) == Decision(None, "missing", 100.0)
    assert decide([alice, bob]).seat == Seat("bob", "b")
    assert decide([alice]).seat == seat


def test_a_seat_that_is_given_up_goes_to_the_next_in_the_next_decision() -> None:
    given_up = decide([BOB], Seat("alice", None, "first", Without("left", 99.0)))
    assert given_up == Decision(None, "left", 100.0)
    assert decide([BOB], given_up.seat).seat == Seat("bob", "b")


def test_the_time_counts_from_when_the_audio_stopped_and_anew_when_the_reason_changes() -> None:
    seat = decide([ALICE_SILENT], Seat("alice", "m"), now_s=10).seat
    assert seat == Seat("alice", None, "first", Without("no_track", 10))
    assert decide([ALICE_SILENT], seat, now_s=11).seat == seat
    seat = decide([ALICE_ENCRYPTED], seat, now_s=12).seat
    assert seat is not None
    assert seat.without == Without("encrypted", 12)
    seat = decide([], seat, now_s=13).seat
    assert seat is not None
    assert seat.without == Without("vanished", 13)
    assert decide([person("alice", mic("m"))], seat, now_s=13.5).seat == Seat("alice", "m", "again")


def test_a_caller_who_is_back_without_audio_is_not_taken_for_absent() -> None:
    seat = Seat("alice", None, "first", Without("connection_lost", 50))
    assert decide([ALICE_SILENT], seat, now_s=79).seat == Seat("alice", None, "first", Without("no_track", 79))


# ---------------------------------------------------------------- who is not heard


def test_of_all_others_with_audio_the_reason_is_told() -> None:
    people = [
        person("alice", mic("a")),
        BOB,
        person("observer"),
        person("eve", mic("e", encrypted=True)),
        person("half", mic("h", encrypted=True), mic("c")),
        person("bot", mic("t"), kind="agent"),
        person("recorder", mic("r", encrypted=True), kind="egress"),
    ]
    assert not_heard(people, Seat("alice", "a")) == {
        "bob": "listening to alice",
        "eve": "encrypted",
        "half": "listening to alice",
        "bot": "a bot",
        "recorder": "of kind egress",
    }
    assert not_heard([person("half", mic("h", encrypted=True), mic("c"))], Seat("half", "c")) == {}


def test_every_reason_has_a_text() -> None:
    reasons = {"first", "again", "remaining", "microphone", "unmuted", "newer", "nobody"}
    assert set(WHY) == reasons | {
        "left",
        "vanished",
        "connection_lost",
        "no_track",
        "missing",
        "encrypted",
        "node_leaves",
    }


# ---------------------------------------------------------------- phones


@pytest.mark.parametrize("status", ["dialing", "ringing", "automation", "hangup"])
def test_a_phone_is_no_caller_before_it_is_answered(status: str) -> None:
    rings = Person("phone", (mic("p"),), "sip", call_status=status)
    assert decide([rings]) == Decision(None, "nobody")
    assert not_heard([rings], None) == {"phone": f"a phone whose call is not answered: {status}"}
    assert decide([rings, person("bob", mic("b"), joined_ms=9)]).seat == Seat("bob", "b")


@pytest.mark.parametrize("status", ["active", "", "a status of later versions"])
def test_a_phone_that_is_answered_is_a_caller_like_any_other(status: str) -> None:
    phone = Person("phone", (mic("p"),), "sip", call_status=status)
    assert decide([phone, person("bob", mic("b"), joined_ms=9)]).seat == Seat("phone", "p")
    assert not_heard([phone], Seat("phone", "p")) == {}


def test_the_caller_keeps_the_seat_until_their_phone_has_left() -> None:
    phone = Person("phone", (mic("p"),), "sip", call_status="hangup")
    assert decide([phone], Seat("phone", "p")).seat == Seat("phone", "p")
    assert not_heard([phone], Seat("phone", "p")) == {}
