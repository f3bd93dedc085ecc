"""The bot's words of the present reply, and how much of them was heard."""

from __future__ import annotations

from webapi.voice_node.events import (
    US_PER_MS,
    FillerAudio,
    PlaybackEnded,
    Reply,
    ReplyAudio,
    ReplyEnded,
    ReplyStarted,
    Transcript,
    Turn,
    length_us,
)
from webapi.voice_node.reply.heard_words import USUAL_PACE, Piece, heard_words


class SpokenWords:
    """Takes what comes of the replies of a call, one reply at a time. It learns the pace of the voice from them."""

    def __init__(self) -> None:
        self._turn: Turn | None = None
        self._pieces: list[Piece] = []
        self._made_us = 0
        self._complete = False
        self._spoken = (0, 0)  # characters and ms of the replies whose words and audio are known whole

    def made_ms(self, trace_id: str) -> int:
        """How much audio of that reply has come so far."""
        return self._made_us // US_PER_MS if self._turn is not None and self._turn.trace_id == trace_id else 0

    def take(self, value: Reply) -> None:
        """Take the next value of a reply."""
        if isinstance(value, ReplyAudio):
            if value.turn == self._turn and not isinstance(value, FillerAudio):
                self._made_us += length_us(value.pcm, value.rate)
        elif isinstance(value, ReplyStarted):
            self._begin(value.turn)
        elif isinstance(value, ReplyEnded):
            if value.turn == self._turn and value.outcome == "completed":
                self._complete = True
                self._learn()
        elif isinstance(value, Transcript) and value.speaker == "bot" and value.final:
            self._begin(value.turn)  # it may be told before the reply starts
            if value.turn == self._turn:
                self._pieces.append(Piece(value.at_ms or 0, value.text))

    def heard(self, ended: PlaybackEnded) -> str | None:
        """The words of the reply that were heard; None where it has none."""
        if ended.turn != self._turn or not self._pieces:
            return None
        characters, ms = self._spoken
        pace = characters / ms * 1000 if ms else USUAL_PACE
        return heard_words(self._pieces, self._made_us // US_PER_MS, ended.heard_ms, self._complete, pace)

    def _begin(self, turn: Turn) -> None:
        if self._turn is None or turn.number > self._turn.number:
            self._turn, self._pieces, self._made_us, self._complete = turn, [], 0, False

    def _learn(self) -> None:
        characters, ms = self._spoken
        if self._pieces and self._made_us:
            said = sum(len(piece.text) for piece in self._pieces)
            self._spoken = characters + said, ms + self._made_us // US_PER_MS - self._pieces[0].at_ms
