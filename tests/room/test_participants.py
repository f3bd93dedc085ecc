"""What is read of LiveKit's participants."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, cast

from livekit import rtc

from tests.fake_room import Participant, Publication
from webapi.voice_node.room.participants import people_in
from webapi.voice_node.room.who_is_heard import AudioTrack, Person

VIDEO = rtc.TrackKind.KIND_VIDEO
SCREEN, UNKNOWN = rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO, rtc.TrackSource.SOURCE_UNKNOWN


def read(**of_participant: Any) -> Person:
    participant = Participant("alice", **{"track_publications": {}, **of_participant})
    (person,) = people_in([cast(rtc.RemoteParticipant, participant)])
    return person


def test_each_audio_track_with_its_source_mute_and_encryption_and_no_video() -> None:
    tracks = [
        Publication("m", muted=True),
        Publication("v", kind=VIDEO, source=rtc.TrackSource.SOURCE_CAMERA),
        Publication("s", source=SCREEN),
        Publication("e", source=UNKNOWN, encryption_type=rtc.EncryptionType.GCM),
    ]
    assert read(track_publications={track.sid: track for track in tracks}).tracks == (
        AudioTrack("m", "microphone", muted=True),
        AudioTrack("s", "screenshare_audio"),
        AudioTrack("e", "unknown", encrypted=True),
    )


def test_the_time_of_joining_in_milliseconds_as_the_server_says() -> None:
    assert read(joined_at=datetime(1970, 1, 1, 0, 0, 2, 500_000, timezone.utc)).joined_ms == 2500


def test_every_kind_that_the_library_knows_has_a_name_and_one_that_it_does_not_know_its_number() -> None:
    kinds = {read(kind=kind).kind for kind in rtc.ParticipantKind.values()}
    assert {"standard", "sip", "agent", "egress", "ingress"} <= kinds
    assert read(kind=77).kind == "77"
