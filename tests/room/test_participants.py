"""What is read of LiveKit's participants."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, cast

from livekit import rtc
from livekit.protocol.models import AudioTrackFeature

from tests.fake_room import Participant, Publication
from webapi.voice_node.room.participants import cancels_echo, people_in
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


def test_the_status_of_a_call_counts_for_phones_alone_as_any_client_can_set_that_attribute() -> None:
    sip, ringing = rtc.ParticipantKind.PARTICIPANT_KIND_SIP, {"sip.callStatus": "ringing"}
    assert read(kind=sip, attributes=ringing).call_status == "ringing"
    assert read(kind=sip).call_status == ""
    assert read(attributes=ringing).call_status == ""


def test_a_phone_does_not_say_that_it_cancels_echo() -> None:
    """So `cancel_echo: {when: needed}` is on for it: livekit-sip publishes its track without that feature."""
    browser = Publication("b", audio_features=(AudioTrackFeature.TF_ECHO_CANCELLATION,))
    phone = Publication("p", source=UNKNOWN)
    told = [cancels_echo(cast(rtc.RemoteTrackPublication, each)) for each in (browser, phone)]
    assert told == [True, False]
