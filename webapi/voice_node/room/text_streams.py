"""The words of a call as LiveKit's own transcription streams, which other clients and LiveKit's components show.

Topic and attributes are those of LiveKit Agents (docs.livekit.io, "Text and transcriptions"): a stream replaces the
one before with the same `lk.segment_id`, and `lk.transcription_final` says that no other follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from webapi.voice_node.events import Event, HeardText, Transcript

TOPIC = "lk.transcription"


@dataclass(frozen=True, slots=True)
class TextStream:
    """One stream to send."""

    text: str
    segment: str
    final: bool
    speaker: str | None  # the identity of the caller; None: the bot

    @property
    def attributes(self) -> dict[str, str]:
        """As LiveKit wants them."""
        return {"lk.segment_id": self.segment, "lk.transcription_final": "true" if self.final else "false"}


class TextStreams:
    """Events in, streams out: a segment for each side of a turn, with all of its words so far.

    The bot's words are final when it is known what was heard of them.
    """

    def __init__(self, identity: str) -> None:
        """`identity`: the caller's."""
        self._identity = identity
        self._words: dict[str, tuple[str, str]] = {}  # by speaker: the segment, and its final words

    def of(self, event: Event) -> TextStream | None:
        """The stream that tells of an event; None for an event that has no words."""
        if isinstance(event, HeardText):
            return TextStream(event.text, f"{event.turn.trace_id}-bot", True, None)
        if not isinstance(event, Transcript):
            return None
        segment = f"{event.turn.trace_id}-{event.speaker}"
        before, words = self._words.get(event.speaker, ("", ""))
        text = f"{words} {event.text}".strip() if before == segment else event.text
        if event.final:
            self._words[event.speaker] = segment, text
        bot = event.speaker == "bot"
        return TextStream(text, segment, event.final and not bot, None if bot else self._identity)
