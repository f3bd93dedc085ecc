"""Prompts: timelines of silence, and when the bot begins a turn. An idle prompt is due after 4 frames.

What counts as a voice there, with a probability and without, is in test_turn_reducer_prompts.py.
"""

from __future__ import annotations

import pytest

from webapi.voice_node.hearing import prompts
from webapi.voice_node.hearing.prompts import Silence
from webapi.voice_node.hearing.turn_rule import TurnRule

RULE = TurnRule(start_frames=3, end_frames=4, preroll_frames=0, max_frames=1000)
IDLE = RULE._replace(idle_prompt="hm", idle_frames=4)
BOTH = IDLE._replace(greeting="hello")


def due(frames: str, rule: TurnRule) -> str:
    """g greeting, i idle prompt. Frames: - nobody, v voiced but no utterance, b busy, S the caller begins to talk."""
    state, found = Silence(), ""
    for number, char in enumerate(frames):
        if char == "S":
            state = prompts.at_onset(state)
        state, prompt = prompts.frame(state, char in "bS", char == "v", number, rule)
        found += {"": "-", "hello": "g", "hm": "i"}[prompt]
    return found


@pytest.mark.parametrize(
    ("rule", "frames", "expected"),
    [
        (RULE, "----------", "----------"),
        (BOTH, "----------", "g----i----"),  # the silence begins after the greeting's frame
        (BOTH, "Sbbb------", "g-------i-"),
        (IDLE, "----------", "----i-----"),  # once
        (IDLE, "bbb-------", "-------i--"),
        (IDLE, "----vv----", "------i---"),  # not in a voiced frame
        (IDLE, "-----Sbb-------", "----i-------i--"),  # the caller has spoken: once more
    ],
)
def test_when_a_prompt_is_due(rule: TurnRule, frames: str, expected: str) -> None:
    assert due(frames, rule) == expected
