"""Chooses the caller among the participants, and the caller's microphone among their tracks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from livekit import rtc
from livekit.protocol.models import AudioTrackFeature


@dataclass(frozen=True, slots=True)
class ParticipantInfo:
    """What `choose_caller` knows about a participant."""

    identity: str
    joined_ms: int  # Unix time
    bot: bool  # the server says that it is an agent
    audio: bool  # it publishes a track that `choose_microphone` takes


def choose_caller(seen: Iterable[ParticipantInfo]) -> str | None:
    """The identity of the caller; None where there is none.

    It is the participant with audio, and no bot, that joined first. At a tie the lesser identity wins.
    """
    eligible = [participant for participant in seen if participant.audio and not participant.bot]
    return min(eligible, key=lambda p: (p.joined_ms, p.identity)).identity if eligible else None


def participant_info(participant: rtc.RemoteParticipant) -> ParticipantInfo:
    """What `choose_caller` needs to know about a participant."""
    joined = participant.joined_at
    return ParticipantInfo(
        participant.identity,
        int(joined.timestamp() * 1000) if joined else 0,
        participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT,
        choose_microphone(participant.track_publications.values()) is not None,
    )


def choose_microphone(publications: Iterable[rtc.RemoteTrackPublication]) -> rtc.RemoteTrackPublication | None:
    """The track to hear: a microphone, else audio of an unknown source; never the audio of a shared screen."""
    audio = [publication for publication in publications if publication.kind == rtc.TrackKind.KIND_AUDIO]
    for source in (rtc.TrackSource.SOURCE_MICROPHONE, rtc.TrackSource.SOURCE_UNKNOWN):
        for publication in audio:
            if publication.source == source:
                return publication
    return None


def cancels_echo(publication: rtc.RemoteTrackPublication) -> bool:
    """Whether the caller's client says that it cancels echo. Browsers do, unless the page turns it off."""
    return int(AudioTrackFeature.TF_ECHO_CANCELLATION) in map(int, publication.audio_features)
