"""Which participant is heard, and which of their tracks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from livekit import rtc
from livekit.protocol.models import AudioTrackFeature


@dataclass(frozen=True, slots=True)
class ParticipantInfo:
    """A participant as the rule sees them."""

    identity: str
    joined_ms: int
    bot: bool  # the server says that it is an agent
    audio: bool  # they publish a track that `choose_microphone` takes


def choose_caller(seen: Iterable[ParticipantInfo]) -> str | None:
    """Who is listened to: of those with audio who are no bots, who joined first (the lesser identity at a tie)."""
    eligible = [p for p in seen if p.audio and not p.bot]
    return min(eligible, key=lambda p: (p.joined_ms, p.identity)).identity if eligible else None


def participant_info(participant: rtc.RemoteParticipant) -> ParticipantInfo:
    """What the rule needs to know of a participant."""
    joined = participant.joined_at
    return ParticipantInfo(
        participant.identity,
        int(joined.timestamp() * 1000) if joined else 0,
        participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT,
        choose_microphone(participant.track_publications.values()) is not None,
    )


def choose_microphone(publications: Iterable[rtc.RemoteTrackPublication]) -> rtc.RemoteTrackPublication | None:
    """The track to listen to: a microphone, else audio of no said source; never the sound of a shared screen."""
    audio = [p for p in publications if p.kind == rtc.TrackKind.KIND_AUDIO]
    for source in (rtc.TrackSource.SOURCE_MICROPHONE, rtc.TrackSource.SOURCE_UNKNOWN):
        for publication in audio:
            if publication.source == source:
                return publication
    return None


def cancels_echo(publication: rtc.RemoteTrackPublication) -> bool:
    """Whether the caller's client says that it takes the bot's voice out: browsers do, unless told not to."""
    return int(AudioTrackFeature.TF_ECHO_CANCELLATION) in map(int, publication.audio_features)
