"""What the recogniser has understood of the utterance that goes on."""

from __future__ import annotations

from webapi.voice_node.events import Transcript, Turn

LONGEST = 1000  # characters, of the end


class WordsSoFar:
    """Takes the caller's transcripts in order; `text` has the words of the latest turn that was not answered yet."""

    def __init__(self) -> None:
        self.text = ""
        self._answered = -1  # the last turn whose reply was heard
        self._turn = -1  # the one that the words belong to
        self._final = ""

    def take(self, words: Transcript) -> None:
        """Take what the orchestrator tells. An interim text is replaced by the next one."""
        number = words.turn.number
        if words.speaker != "caller" or number <= self._answered or number < self._turn:
            return
        if number > self._turn:
            self._turn, self._final = number, ""
        text = f"{self._final} {words.text}".strip()[-LONGEST:]
        if words.final:
            self._final = text
        self.text = text

    def answered(self, turn: Turn) -> None:
        """The reply to that turn is heard: its words belong to what is over."""
        self._answered = max(self._answered, turn.number)
        if self._turn <= self._answered:
            self.forget()

    def forget(self) -> None:
        """What comes is something new."""
        self.text = self._final = ""
