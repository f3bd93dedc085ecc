"""Whether a voice over a reply is a turn: a table of evidence."""

from __future__ import annotations

import pytest

from webapi.voice_node.hearing.turn_or_not import Evidence, is_turn
from webapi.voice_node.hearing.turn_rule import DuckRule

RULE = DuckRule(
    frames=3, hold_frames=10, longest_frames=50, likely_frames=6, goes_on_frames=20, turn_frames=32, language="en"
)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(31), False),
        (Evidence(32), True),
        (Evidence(20, since=19, likely=19, fallen_db=0), False),
        (Evidence(20, since=20, likely=10, fallen_db=0), True),  # it goes on as loud as it was
        (Evidence(20, since=20, likely=9, fallen_db=0), False),  # it was silent meanwhile: two coughs
        (Evidence(20, since=20, likely=20, fallen_db=4), True),
        (Evidence(20, since=20, likely=20, fallen_db=5), False),  # it dies away, as an "mm-hm" does
        (Evidence(31, since=40, likely=31, fallen_db=30), False),
        (Evidence(20, since=20, likely=20), False),  # levels are not known
        (Evidence(20, since=20, likely=20, fallen_db=0, softer_db=5), True),
        (
            Evidence(32, since=40, likely=40, fallen_db=0, softer_db=6),
            False,
        ),  # who only agrees is softer than who speaks
        (Evidence(47, softer_db=20), False),
        (Evidence(48, softer_db=20), True),
        (Evidence(32, softer_db=-20), True),
        (Evidence(127, since=127, likely=127, fallen_db=0, behind=True), False),
        (Evidence(128, behind=True), True),
        (Evidence(5, behind=True, words="Stop"), True),
        (Evidence(5, words="Stop"), True),
        (Evidence(5, softer_db=20, words="Yeah, well"), True),
        (Evidence(95, since=95, likely=95, fallen_db=0, words="Oh, right. Yeah."), False),
        (Evidence(96, words="Oh, right. Yeah."), True),
    ],
)
def test_what_is_a_turn(evidence: Evidence, expected: bool) -> None:
    assert is_turn(evidence, RULE) is expected
