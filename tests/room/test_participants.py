"""Which participant is the caller, and which of their tracks is heard."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from livekit import rtc

from webapi.voice_node.room.participants import ParticipantInfo, choose_caller, choose_microphone


def seen(identity: str, joined_ms: int, *, bot: bool = False, audio: bool = True) -> ParticipantInfo:
    return ParticipantInfo(identity, joined_ms, bot, audio)


def test_the_first_to_join_with_audio_is_the_caller_in_whatever_order_they_are_seen() -> None:
    people = [
        seen("silent observer", 1, audio=False),
        seen("other bot", 2, bot=True),
        seen("alice", 3),
        seen("bob", 4),
    ]
    for order in itertools.permutations(people):
        assert choose_caller(order) == "alice"


def test_a_tie_is_broken_by_name_and_nobody_is_nobody() -> None:
    assert choose_caller([seen("b", 1), seen("a", 1)]) == "a"
    assert choose_caller([seen("bot", 1, bot=True), seen("observer", 2, audio=False)]) is None
    assert choose_caller([]) is None


@dataclass
class Publication:
    sid: str
    kind: int
    source: int


AUDIO, VIDEO = rtc.TrackKind.KIND_AUDIO, rtc.TrackKind.KIND_VIDEO
CAMERA, MICROPHONE = rtc.TrackSource.SOURCE_CAMERA, rtc.TrackSource.SOURCE_MICROPHONE
SCREEN, UNKNOWN = rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO, rtc.TrackSource.SOURCE_UNKNOWN


@pytest.mark.parametrize(
    ("published", "heard"),
    [
        ([("v", VIDEO, CAMERA), ("s", AUDIO, SCREEN), ("u", AUDIO, UNKNOWN), ("m", AUDIO, MICROPHONE)], "m"),
        ([("s", AUDIO, SCREEN), ("u", AUDIO, UNKNOWN)], "u"),
        ([("m1", AUDIO, MICROPHONE), ("m2", AUDIO, MICROPHONE)], "m1"),
        ([("s", AUDIO, SCREEN), ("v", VIDEO, CAMERA)], None),
        ([], None),
    ],
)
def test_a_microphone_is_preferred_and_a_shared_screen_is_not_heard(
    published: list[tuple[str, int, int]], heard: str | None
) -> None:
    found = choose_microphone([Publication(*p) for p in published])  # type: ignore[misc]  # what it reads of a publication
    assert (found.sid if found else None) == heard
