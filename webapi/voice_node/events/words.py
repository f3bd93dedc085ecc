"""What was said, in words, and what else the orchestrator tells of a turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from webapi.voice_node.events.event import Event

Side: TypeAlias = Literal["caller", "bot"]


@dataclass(frozen=True, slots=True)
class Transcript(Event):
    """Words of the caller, or of the bot's reply, as the orchestrator told them."""

    text: str
    speaker: Side
    final: bool = True  # no other text replaces this one
    at_ms: int | None = None  # of the bot: where in the audio of its reply these words begin


@dataclass(frozen=True, slots=True)
class HeardText(Event):
    """What was heard of the bot's words. Comes once for each reply that has words, behind its PlaybackEnded."""

    text: str


@dataclass(frozen=True, slots=True)
class Mark(Event):
    """The orchestrator has put a stamp."""

    mark: str  # its name


@dataclass(frozen=True, slots=True)
class MessageSent(Event):
    """A message of the orchestrator's to the room's clients."""

    message: Mapping[str, Any]  # JSON
