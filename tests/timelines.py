"""Timelines of frames for the turn reducer, and its decisions as marbles below them."""

from __future__ import annotations

from webapi.voice_node.events import FillerStarted, Playback, PlaybackEnded, PlaybackStarted, Turn
from webapi.voice_node.hearing import turn_reducer
from webapi.voice_node.hearing.decisions import (
    Decision,
    Ducked,
    Ended,
    Halted,
    Interrupted,
    PromptDue,
    Restored,
    Resumed,
    Started,
)
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.turn_state import TurnState

RULE = TurnRule(start_frames=3, end_frames=4, preroll_frames=5, max_frames=1000)
FRAME_US = 20_000
MARKERS = "><!f"
LETTERS = {Started: "S", Ended: "E", Halted: "H", Resumed: "R", Ducked: "V", Restored: "L", PromptDue: "A"}


def run(
    timeline: str, rule: TurnRule = RULE, state: TurnState | None = None, probability: float | None = None
) -> tuple[TurnState, list[tuple[int, Decision]]]:
    """Feed a timeline, one character a frame: 1 voiced, 0 not. Returns the state and (frame index, decision) pairs.

    `probability` is that of a voice in every frame.

    Between frames: >0 the reply to turn 0 begins to play, !0 one that must be heard, f0 a filler before it, <0 it is
    over, g the audio stops.
    """
    state = state or TurnState()
    found: list[tuple[int, Decision]] = []
    index = 0
    chars = iter(timeline)
    for char in chars:
        if char in MARKERS:
            turn = Turn("", int(next(chars)))
            heard: dict[str, Playback] = {
                ">": PlaybackStarted(0, turn),
                "!": PlaybackStarted(0, turn, interruptible=False),
                "f": FillerStarted(0, turn),
                "<": PlaybackEnded(0, turn, 0, completed=True),
            }
            state = turn_reducer.playback(state, heard[char])
        elif char == "g":
            state, decisions = turn_reducer.gap(state, index - 1, "muted", rule)
            found += [(index - 1, d) for d in decisions]
        else:
            t_us = (index + 1) * FRAME_US
            state, decisions = turn_reducer.frame(state, char == "1", index, t_us, rule, probability)
            found += [(index, d) for d in decisions]
            index += 1
    return state, found


def marbles(
    timeline: str, rule: TurnRule = RULE, probability: float | None = None, state: TurnState | None = None
) -> str:
    """The decisions under their frames: those of LETTERS, B (barge-in) and U (superseded)."""
    _, found = run(timeline, rule, state, probability)
    frames = sum(char in "01" for char, before in zip(timeline, " " + timeline, strict=False) if before not in MARKERS)
    line = [""] * frames
    for index, decision in found:
        if isinstance(decision, Interrupted):
            line[index] += "B" if decision.playing else "U"
        else:
            line[index] += LETTERS[type(decision)]
    return "".join(cell or "-" for cell in line)
