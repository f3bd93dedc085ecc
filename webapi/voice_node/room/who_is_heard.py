"""Decides which participant is heard, and by which of their tracks: one pure function of the room's state."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

CALLERS = frozenset({"standard", "sip", "connector", "bridge"})  # kinds of participants that carry a person's voice
NOT_ANSWERED = frozenset({"dialing", "ringing", "automation", "hangup"})  # statuses of a phone that nobody talks into
SOURCES = ("microphone", "unknown")  # sources of tracks that are heard; the first is preferred
BACK_S = 1.5  # how long the seat is kept for a caller without audio while somebody else publishes a microphone
REJOIN_S = 1.0  # a client that joins again under its name leaves first, in a message of its own
PATIENCE_S = {"left": 0.0, "vanished": REJOIN_S}  # by `Without.why`; without audio, but in the room: no limit


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """An audio track that a participant publishes."""

    sid: str
    source: str = "microphone"  # LiveKit's name, in lower case
    muted: bool = False
    encrypted: bool = False  # end to end: the node has no key
    missing: bool = False  # the node asked for it, and it was refused or has not come


@dataclass(frozen=True, slots=True)
class Person:
    """A participant of the room, other than the node."""

    identity: str
    tracks: tuple[AudioTrack, ...] = ()  # the oldest first
    kind: str = "standard"  # LiveKit's name, in lower case
    joined_ms: int = 0  # Unix time
    call_status: str = ""  # of a phone: dialing, ringing, automation (the line dials on), active, hangup


@dataclass(frozen=True, slots=True)
class Without:
    """Why the caller can't be heard, and since when.

    `left`: they left on purpose. `vanished`: the server says that they are gone, without a reason. `connection_lost`:
    the node lost the room. `no_track`: they are in the room and publish no audio. `encrypted`: all of it is encrypted.
    """

    why: str
    since_s: float


@dataclass(frozen=True, slots=True)
class Seat:
    """The caller, and the track by which they are heard. `why` it is this one: a key of WHY."""

    identity: str
    sid: str | None = None
    why: str = "first"
    without: Without | None = None  # while they can't be heard; `sid` is None then


@dataclass(frozen=True, slots=True)
class RoomState:
    """What `who_is_heard` decides from. Times are seconds of one monotonic clock."""

    people: tuple[Person, ...]
    seat: Seat | None  # as it was decided last
    here_since_s: float | None  # since when the node is connected to the room; None: it is not
    now_s: float
    grace_s: float  # how long the seat is kept over a lost connection


class Decision(NamedTuple):
    """Who is heard from now on, why, and when to decide again even if nothing happens."""

    seat: Seat | None
    why: str  # a key of WHY
    look_at_s: float | None = None


WHY = {
    "first": "of those with a microphone the first",
    "again": "their audio is back",
    "remaining": "their track before is gone",
    "microphone": "a microphone",
    "unmuted": "their track before is muted",
    "newer": "their newest track",
    "node_leaves": "the node leaves",
    "nobody": "nobody publishes audio",
    "left": "caller left",
    "vanished": "caller left",
    "connection_lost": "connection lost",
    "no_track": "caller publishes no audio",
    "missing": "the caller's audio does not come",
    "encrypted": "the audio is encrypted end to end",
}


def who_is_heard(room: RoomState) -> Decision:
    """The caller keeps the seat while they can be heard, and for some time after; then the next one gets it.

    how long the seat is kept    nobody else to hear   somebody else to hear
    left on purpose              not                   not
    gone without a reason        REJOIN_S              REJOIN_S
    the node lost the room       `grace_s`             BACK_S from when the node is back
    no audio, but in the room    for ever              BACK_S
    audio that never comes       for ever              not

    Where the seat is given up, nobody has it, and the next decision, at once, gives it to the next one.
    """
    people = {person.identity: person for person in room.people}
    others = [p for p in room.people if room.seat is None or p.identity != room.seat.identity]
    next_one = first_to_hear(others)
    if room.seat is None:
        return _given_to(next_one, others)
    person = people.get(room.seat.identity)
    track = best_track(person.tracks) if person is not None else None
    if person is not None and track is not None:
        if track.missing and next_one is not None and not _is_missing(next_one):
            return Decision(None, "missing", room.now_s)
        seat = Seat(person.identity, track.sid, _why_this(track, person, room.seat))
        return Decision(seat, seat.why)
    without = _without(person, room)
    until_s = without.since_s + _patience_s(without, person, room)
    if next_one is not None and room.here_since_s is not None:
        until_s = min(until_s, max(without.since_s, room.here_since_s) + BACK_S)
    if room.now_s >= until_s:
        return Decision(None, without.why, room.now_s)
    seat = replace(room.seat, sid=None, without=without)
    return Decision(seat, without.why, until_s if until_s < math.inf else None)


def first_to_hear(people: Iterable[Person]) -> Person | None:
    """Of those whose kind is in CALLERS and who have a track that can be heard, the one that joined first.

    A phone counts from when it is answered: while it rings, nobody would hear a greeting.
    Somebody whose tracks are all missing comes last. At a tie the lesser identity wins. None where there is nobody.
    """
    eligible = [
        person
        for person in people
        if person.kind in CALLERS and person.call_status not in NOT_ANSWERED and best_track(person.tracks) is not None
    ]
    return min(eligible, key=lambda person: (_is_missing(person), person.joined_ms, person.identity), default=None)


def best_track(tracks: Iterable[AudioTrack]) -> AudioTrack | None:
    """A microphone before an unknown source, unmuted before muted, newer before older; none that is encrypted.

    One that is missing comes last, and is asked for where there is no other.
    """
    best = None
    for track in _audible(tracks):
        if not track.encrypted and (best is None or _rank(track) <= _rank(best)):
            best = track
    return best


def only_encrypted(person: Person) -> bool:
    """They could be the caller, but for the end-to-end encryption of all that they publish."""
    return person.kind in CALLERS and any(_audible(person.tracks)) and best_track(person.tracks) is None


def not_heard(people: Iterable[Person], seat: Seat | None) -> dict[str, str]:
    """Of each participant who publishes audio and is not heard: the reason, as text for the log, or `encrypted`."""
    reasons = {}
    for person in people:
        if not any(_audible(person.tracks)):
            continue
        if person.kind not in CALLERS:
            reasons[person.identity] = "a bot" if person.kind == "agent" else f"of kind {person.kind}"
        elif person.call_status in NOT_ANSWERED and (seat is None or person.identity != seat.identity):
            reasons[person.identity] = f"a phone whose call is not answered: {person.call_status}"
        elif only_encrypted(person):
            reasons[person.identity] = "encrypted"
        elif seat is not None and person.identity != seat.identity:
            reasons[person.identity] = f"listening to {seat.identity}"
    return reasons


def _given_to(person: Person | None, people: Iterable[Person]) -> Decision:
    track = best_track(person.tracks) if person is not None else None
    if person is None or track is None:
        return Decision(None, "encrypted" if any(map(only_encrypted, people)) else "nobody")
    return Decision(Seat(person.identity, track.sid), "first")


def _why_this(track: AudioTrack, person: Person, seat: Seat) -> str:
    """Why this track of the caller is heard from now on; the reason before where it is the track before."""
    if track.sid == seat.sid:
        return seat.why
    before = next((other for other in person.tracks if other.sid == seat.sid), None)
    if before is None:
        return "remaining" if seat.without is None else "again"
    if before.missing:
        return "remaining"
    if before.source != track.source:
        return "microphone"
    return "unmuted" if before.muted else "newer"


def _without(person: Person | None, room: RoomState) -> Without:
    """Why the caller can't be heard. The time counts anew where the reason is another one now."""
    before = room.seat.without if room.seat is not None else None
    if person is None:
        absent = before is not None and before.why not in ("no_track", "encrypted")
        return before if before is not None and absent else Without("vanished", room.now_s)
    why = "encrypted" if only_encrypted(person) else "no_track"
    return before if before is not None and before.why == why else Without(why, room.now_s)


def _patience_s(without: Without, person: Person | None, room: RoomState) -> float:
    if person is not None:
        return math.inf
    return room.grace_s if without.why == "connection_lost" else PATIENCE_S[without.why]


def _audible(tracks: Iterable[AudioTrack]) -> list[AudioTrack]:
    return [track for track in tracks if track.source in SOURCES]


def _is_missing(person: Person) -> bool:
    track = best_track(person.tracks)
    return track is not None and track.missing


def _rank(track: AudioTrack) -> tuple[bool, int, bool]:
    return track.missing, SOURCES.index(track.source), track.muted
