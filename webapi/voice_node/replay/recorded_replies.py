"""The replies of a recorded call, in the place of the orchestrator when the call is replayed without changes."""

from __future__ import annotations

from collections.abc import Callable

from webapi.voice_node.events import Prompted, Reply, SpeechEnded, Turn


class RecordedReplies:
    """A `ReplyScript` for the same decisions: what the orchestrator gave comes at the times at which it came.

    The replay reads it from the recording, and passes each value to `tell`.
    """

    def __init__(self) -> None:
        self.tell: Callable[[Reply], None] | None = None

    def connect(self, tell: Callable[[Reply], None]) -> None:
        """Set the function that the graph's reply stream listens with."""
        self.tell = tell

    def answer(self, ended: SpeechEnded) -> None:
        """Do nothing: the reply to this utterance follows in the recording."""

    def prompt(self, prompted: Prompted) -> None:
        """Do nothing: the audio of this prompt follows in the recording."""

    def cut(self, turn: Turn) -> None:
        """Do nothing: the recording has nothing more of a reply that was cut."""
