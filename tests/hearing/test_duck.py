"""Duck: a table of what makes a reply soft, and what makes it loud again."""

from __future__ import annotations

import pytest

from webapi.voice_node.hearing import duck
from webapi.voice_node.hearing.duck import Duck, Sound, falls
from webapi.voice_node.hearing.onset import Onset
from webapi.voice_node.hearing.turn_rule import DuckRule

RULE = DuckRule(frames=2, hold_frames=4, longest_frames=8, likely_frames=3, goes_on_frames=12, turn_frames=6)
SOUND = Sound(
    number=20, voice=True, run=1, outstanding=0, first_frame=20, first_us=420_000,
    probability=None, echo_left=None, level=50,
)  # fmt: skip


@pytest.mark.parametrize(
    ("run", "outstanding", "probability", "echo_left", "expected"),
    [
        (1, 0, None, None, False),
        (2, 0, None, None, True),
        (1, 0, 1.0, None, False),
        (2, 0, 0.59, None, False),
        (2, 0, 0.6, None, True),
        (2, 0, 0.6, 0.0, True),  # an echo canceller works, and leaves nothing
        (2, 0, 0.7, 0.5, False),
        (3, 0, 0.8, 0.5, False),
        (4, 0, 0.7, 0.5, False),
        (4, 0, 0.8, 0.5, True),
        (6, 0, 0.99, 1.0, False),
        (6, 0, 1.0, 1.0, True),
        (0, 2, 0.0, None, False),
        (0, 3, 0.0, None, True),  # a sound that stands out, whatever it is
        (0, 3, None, 0.0, True),
        (0, 9, 0.0, 0.1, False),  # it may be the bot's own voice
        (99, 99, 1.0, 2.0, False),  # it is the bot's own voice
        (99, 99, None, 2.0, False),
    ],
)
def test_what_makes_a_reply_soft(
    run: int, outstanding: int, probability: float | None, echo_left: float | None, expected: bool
) -> None:
    sound = SOUND._replace(run=run, outstanding=outstanding, probability=probability, echo_left=echo_left)
    assert falls(sound, RULE) is expected


FALLEN = Duck(first_frame=19, first_us=400_000, loudest_db=41)
VOICE, SILENCE = SOUND, SOUND._replace(voice=False, level=5)


@pytest.mark.parametrize(
    ("before", "sound", "speaking", "after"),
    [
        ({}, VOICE, False, {"frames": 1, "likely": 1, "loudest_db": 50}),
        ({"frames": 1}, SILENCE, False, {"frames": 2, "quiet": 1}),
        ({"frames": 2, "quiet": 2}, VOICE, False, {"frames": 3, "likely": 1, "loudest_db": 50}),
        ({"frames": 2, "quiet": 2}, SILENCE, False, {"frames": 3, "quiet": 3}),
        ({"frames": 2, "quiet": 2}, SILENCE._replace(outstanding=1), False, {"frames": 3}),
        ({"frames": 2, "quiet": 3}, SILENCE, False, None),  # the voice is over
        ({"frames": 2, "quiet": 3}, SILENCE, True, None),
        ({"frames": 7}, VOICE, False, {"frames": 8, "likely": 1, "loudest_db": 50, "loud": True}),  # it was no voice
        ({"frames": 7}, VOICE, True, {"likely": 1, "loudest_db": 50}),  # an utterance has begun in it
        ({"frames": 8, "loud": True}, VOICE, True, {"likely": 1, "loudest_db": 50, "loud": True}),
        ({"frames": 8, "quiet": 3, "loud": True}, SILENCE, False, None),
        ({"likely": 9}, VOICE._replace(level=51), True, {"first_frame": 20, "likely": 1, "loudest_db": 51}),  # another
        ({}, VOICE._replace(level=None), False, {"frames": 1, "likely": 1}),
        ({}, VOICE._replace(probability=0.59), False, {"frames": 1, "loudest_db": 50}),
        ({}, SILENCE._replace(probability=0.6), False, {"frames": 1, "quiet": 1, "likely": 1}),
    ],
)
def test_how_long_it_is_soft(
    before: dict[str, int], sound: Sound, speaking: bool, after: dict[str, int] | None
) -> None:
    expected = None if after is None else FALLEN._replace(**after)  # type: ignore[arg-type]  # the fields of a Duck
    assert duck.frame(FALLEN._replace(**before), sound, speaking, RULE) == expected  # type: ignore[arg-type]


def test_it_begins_with_the_first_frame_of_the_sound() -> None:
    sound = SOUND._replace(number=22, run=3, first_frame=20, first_us=420_000)
    begun = duck.begin(sound)
    assert begun == Duck(20, 420_000, likely=3, loudest_db=50)
    assert duck.begin(sound._replace(probability=0.6)) == begun._replace(likely=1)  # of the others it is not known
    assert not duck.is_voice(begun._replace(likely=2), 24, RULE)
    assert not duck.is_voice(begun._replace(likely=3), 23, RULE)  # perhaps somebody behind the caller
    assert duck.is_voice(begun._replace(likely=3), 24, RULE)
    assert duck.onset(begun, 25) == Onset(run=6, first_us=420_000, first_frame=20)
