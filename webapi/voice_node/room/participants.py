"""Reads the participants of a LiveKit room, as `who_is_heard` needs them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from livekit import rtc
from livekit.protocol.models import AudioTrackFeature

from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.room.who_is_heard import AudioTrack, Person


def people_in(participants: Iterable[rtc.RemoteParticipant], missing: Collection[str] = ()) -> tuple[Person, ...]:
    """The participants and their audio tracks. `missing`: sids of tracks that were asked for and do not come."""
    return tuple(_person(participant, missing) for participant in participants)


def caller_info(participant: rtc.RemoteParticipant) -> CallerInfo:
    """Who a participant is."""
    return CallerInfo(
        participant.identity,
        participant.name or "",
        _name(rtc.ParticipantKind, participant.kind, "PARTICIPANT_KIND_"),
        participant.metadata or "",
        dict(participant.attributes),
    )


def _person(participant: rtc.RemoteParticipant, missing: Collection[str]) -> Person:
    joined = participant.joined_at
    audio = (p for p in participant.track_publications.values() if p.kind == rtc.TrackKind.KIND_AUDIO)
    return Person(
        participant.identity,
        tuple(_track(publication, missing) for publication in audio),
        _name(rtc.ParticipantKind, participant.kind, "PARTICIPANT_KIND_"),
        int(joined.timestamp() * 1000) if joined else 0,
        _call_status(participant),
    )


def _call_status(participant: rtc.RemoteParticipant) -> str:
    """Of a phone: how far its call is, as livekit-sip says it (it may be ""). Other clients can set the attribute too,
    and it means nothing there.
    """
    is_phone = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    return participant.attributes.get("sip.callStatus", "") if is_phone else ""


def _track(publication: rtc.RemoteTrackPublication, missing: Collection[str]) -> AudioTrack:
    source = _name(rtc.TrackSource, publication.source, "SOURCE_")
    encrypted = publication.encryption_type != rtc.EncryptionType.NONE
    return AudioTrack(publication.sid, source, publication.muted, encrypted, publication.sid in missing)


def _name(enum: type[rtc.ParticipantKind] | type[rtc.TrackSource], value: int, prefix: str) -> str:
    """The value's name in lower case; its number where this version of the library has no name for it."""
    try:
        return str(enum.Name(value)).removeprefix(prefix).lower()  # type: ignore[arg-type]  # a value of that enum
    except ValueError:
        return str(int(value))


def cancels_echo(publication: rtc.RemoteTrackPublication) -> bool:
    """Whether the caller's client says that it cancels echo. Browsers do, unless the page turns it off."""
    return int(AudioTrackFeature.TF_ECHO_CANCELLATION) in map(int, publication.audio_features)
