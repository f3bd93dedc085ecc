"""What a conversation is made of: the interfaces of its three parts, the values they exchange, and their error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Literal, NamedTuple, Protocol, TypeAlias

from pydantic import Field

from webapi.voice_node.errors import UserError

Speaker: TypeAlias = Literal["system", "user", "assistant"]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=600)]
Rate: TypeAlias = Annotated[int, Field(ge=8000, le=48_000)]  # Hz, of speech

TIMEOUT_S = 10.0  # for a part that has no `timeout_s` of its own


class Heard(NamedTuple):
    """A piece of what a speech-to-text understood.

    The final pieces of an utterance, in their order and joined by spaces, are its text. A piece that is not final is
    the present guess of what follows the last final one; the next piece replaces it.
    """

    text: str
    final: bool


class Message(NamedTuple):
    """A message of the conversation, as language models take it."""

    role: Speaker
    text: str


class PartError(UserError):
    """A part can't do its work. The text names the part and its server, what happened, and what to do.

    `part` is for example "openai speech-to-text at http://localhost:8000/v1". `needs` is the variable that is not set,
    or the command that installs what is missing, where that is all that is wrong.
    """

    def __init__(self, part: str, what: str, remedy: str, needs: str = "") -> None:
        super().__init__(f"{part}: {what}. {remedy}", [needs] if needs else [])
        self.part, self.what, self.remedy = part, what, remedy


class Part(Protocol):
    """What the three kinds of part have in common.

    The constructor takes keyword arguments only: the keys that a graph may give, which are checked against its
    annotations. It connects to nothing and starts nothing; it raises PartError where the part can never work (a package
    or a key is missing). Three attributes are optional: `timeout_s` limits each wait of the conversation for the next
    piece of a result (of a speech-to-text: since the utterance ended), `label` names the part in errors, and `doubt`
    says after `open` what may be wrong, which `voice-node doctor` prints.
    """

    async def open(self) -> None:
        """Check that the part can work, and connect or start what it needs. Raises PartError.

        Called at the start of a call, and again before the next use where it has failed. It must not block the loop.
        """

    async def aclose(self) -> None:
        """Let go of everything. Nothing is asked of the part after that. May be called without `open`."""


class SpeechToText(Part, Protocol):
    """Understands speech."""

    def listen(self, audio: AsyncIterator[bytes], rate: int) -> AsyncIterator[Heard]:
        """What is understood of one utterance, as it comes. Raises PartError.

        `audio` is int16 mono PCM at `rate` Hz, in pieces of any length. It is live, and ends with the utterance.
        """
        ...


class LanguageModel(Part, Protocol):
    """Writes the next message of a conversation."""

    def chat(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """The text of the assistant's next message, piece by piece. The pieces are joined without spaces.

        Raises PartError.
        """
        ...


class TextToSpeech(Part, Protocol):
    """Speaks. `rate` (Hz) is known from the start and does not change."""

    rate: int

    def speak(self, text: str) -> AsyncIterator[bytes]:
        """Speech for a sentence: int16 mono PCM at `rate` Hz, in pieces of any length. Raises PartError."""
        ...
