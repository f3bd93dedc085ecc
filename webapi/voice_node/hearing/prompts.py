"""Prompts: when the bot begins a turn. Pure.

    frame    0---------------------------------
    speech   ------SSSSSS----------------------
    reply    RRRR--------RRRR------------------
    prompts  g-------------------------------i-      g greeting, i idle prompt: `idle_frames` after the reply

The greeting comes with the first frame. The idle prompt comes once in a silence; the caller must speak, or press a key,
before the next one. It does not come in a frame with which a turn may be beginning. Noise is no such frame: neither
where the probability of a voice is below END (endpoint.py), nor after an utterance that ended as noise, until a pause
has come.
"""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.hearing.turn_rule import TurnRule


class Silence(NamedTuple):
    """The silence of both sides up to now."""

    greeted: bool = False
    since: int | None = None  # its first frame; None: somebody speaks, or no frame of it has come yet
    prompted: bool = False


def frame(s: Silence, busy: bool, voice: bool, number: int, rule: TurnRule) -> tuple[Silence, str]:
    """One frame later, and the prompt that is due with it, or "".

    `busy`: the caller speaks or a reply is pending. `voice`: a turn may be beginning with this frame.
    """
    if rule.greeting and not s.greeted:
        return s._replace(greeted=True, since=None), rule.greeting
    if not rule.idle_prompt or busy or s.prompted:
        return s, ""
    if s.since is None:
        return s._replace(since=number), ""
    if voice or number - s.since < rule.idle_frames:
        return s, ""
    return s._replace(prompted=True, since=None), rule.idle_prompt


def at_onset(s: Silence) -> Silence:
    """The caller begins to talk, or presses a key."""
    return s._replace(since=None, prompted=False)
