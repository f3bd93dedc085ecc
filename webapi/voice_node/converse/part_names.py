"""The parts by name, as graphs give them: `stt: {part: openai, model: whisper-1}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar, cast

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from webapi.voice_node.converse.parts import LanguageModel, SpeechToText, TextToSpeech
from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.plugins import LazyTable, Plugins
from webapi.voice_node.plugins.constructor import constructor_of

P = TypeVar("P")

Role: TypeAlias = Literal["stt", "llm", "tts"]
ROLES: dict[Role, str] = {"stt": "speech-to-text", "llm": "language model", "tts": "text-to-speech"}
DOES: dict[Role, str] = {"stt": "listen", "llm": "chat", "tts": "speak"}  # the method that makes a class such a part

ENTRY_POINTS = "voice_node.parts"  # the name of an entry point is ROLE.NAME, such as `stt.mine`
PACKAGE = "webapi.voice_node.converse"

# Imported when they are first used: each needs a package of its own.
BUILT_IN: Mapping[str, type] = LazyTable(
    {
        "stt.openai": f"{PACKAGE}.openai_parts:OpenAiSpeechToText",
        "llm.openai": f"{PACKAGE}.openai_parts:OpenAiLanguageModel",
        "tts.openai": f"{PACKAGE}.openai_parts:OpenAiTextToSpeech",
        "stt.wyoming": f"{PACKAGE}.wyoming_parts:WyomingSpeechToText",
        "tts.wyoming": f"{PACKAGE}.wyoming_parts:WyomingTextToSpeech",
        "stt.livekit": f"{PACKAGE}.livekit_parts:LiveKitSpeechToText",
        "llm.livekit": f"{PACKAGE}.livekit_parts:LiveKitLanguageModel",
        "tts.livekit": f"{PACKAGE}.livekit_parts:LiveKitTextToSpeech",
        "stt.offline": f"{PACKAGE}.offline.recogniser:Recogniser",
        "llm.offline": f"{PACKAGE}.offline.dialogue:Dialogue",
        "tts.offline": f"{PACKAGE}.offline.voice:Voice",
    }
)


def _wrong(name: str, made: Any) -> str:
    role = name.partition(".")[0]
    if role not in ROLES:
        return f"its name must begin with a role and a dot: {', '.join(f'{each}.' for each in ROLES)}"
    method = DOES[role]
    return "" if callable(getattr(made, method, None)) else f"the class lacks {method}."


PARTS: Plugins[type] = Plugins("part", ENTRY_POINTS, BUILT_IN, _wrong)


@dataclass(frozen=True)
class PartChoice(Generic[P]):
    """A part that a graph chose, with its arguments, which are checked. Each call makes one of its own."""

    role: Role
    name: str
    arguments: Mapping[str, Any] = field(repr=False)  # may have keys of accounts in them

    def make(self) -> P:
        """A new part. Raises PartError where its package or its key is missing."""
        return cast(P, PARTS[f"{self.role}.{self.name}"](**self.arguments))


def part_names(role: Role) -> list[str]:
    """The names that parts of this role have, built in and installed."""
    return [name.partition(".")[2] for name in PARTS if name.startswith(f"{role}.")]


def choose(role: Role, value: Any) -> Any:
    """The PartChoice for what a graph says; anything but a mapping, such as a part that is made, is returned as it is.

    Raises ValidationError with the key of each wrong argument, or PydanticCustomError.
    """
    if isinstance(value, PartChoice) or callable(getattr(value, DOES[role], None)):
        return value
    if not isinstance(value, Mapping) or not isinstance(value.get("part"), str):
        raise _wrong_part(f"a {ROLES[role]} is written {{part: NAME, …}}. {_there_are(role)}")
    name = cast(str, value["part"])
    if f"{role}.{name}" not in PARTS:
        raise _wrong_part(f"no {ROLES[role]} is named {name!r}.{nearest(name, part_names(role))} {_there_are(role)}")
    try:
        made = PARTS[f"{role}.{name}"]
    except UserError as error:
        raise _wrong_part(str(error), error.needs) from error
    arguments = constructor_of(made).checked({key: each for key, each in value.items() if key != "part"})
    choice: PartChoice[Any] = PartChoice(role, name, arguments)
    return choice


def _wrong_part(reason: str, needs: tuple[str, ...] = ()) -> PydanticCustomError:
    return PydanticCustomError("part", "{reason}", {"reason": reason, "needs": needs})


def _there_are(role: Role) -> str:
    return f"There are: {', '.join(part_names(role))}"


def _validator(role: Role) -> PlainValidator:
    return PlainValidator(lambda value: choose(role, value))


_SCHEMA = WithJsonSchema({"type": "object", "required": ["part"], "properties": {"part": {"type": "string"}}})

SttChoice: TypeAlias = Annotated[PartChoice[SpeechToText] | SpeechToText, _validator("stt"), _SCHEMA]
LlmChoice: TypeAlias = Annotated[PartChoice[LanguageModel] | LanguageModel, _validator("llm"), _SCHEMA]
TtsChoice: TypeAlias = Annotated[PartChoice[TextToSpeech] | TextToSpeech, _validator("tts"), _SCHEMA]
