"""A language model that is none: a scripted dialogue, which books a table. It follows from the caller's words alone."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from webapi.voice_node.converse.offline import spoken_words as words
from webapi.voice_node.converse.parts import TIMEOUT_S, Message, PartError

NAME = "offline dialogue"
BOOKING = Path(__file__).parent / "booking.yaml"

Slot: TypeAlias = Literal["people", "day", "time", "name"]
SLOTS: tuple[Slot, ...] = ("people", "day", "time", "name")

YES = re.compile(
    r"\b(?:yes|yeah|yep|yup|yea|right|correct|sure|okay|ok|perfect|exactly|fine|good|absolutely|please do)\b"
)
NO = re.compile(r"\b(?:no|nope|nah|not|wrong|incorrect|change|isn't|actually|instead)\b")
REPEAT = re.compile(
    r"^(?:i'm |im )?(?:sorry|pardon|what|excuse me|huh)(?: me)?(?: what| sorry| what was that| what did you say)?$"
    r"|\b(?:repeat|say (?:that|it) again|come again|once more|what did you say|what was that)\b"
    r"|\b(?:didn't|did not|can't) hear\b"
)
HELP = re.compile(r"\b(?:help|what can (?:you do|i say|i do)|who are you|what do you do|how does this work)\b")
BYE = re.compile(r"\b(?:good ?bye|bye|bye bye|hang up|cancel|never ?mind|forget it|that's all|see you)\b")
AGAIN = re.compile(r"\b(?:start (?:over|again)|begin again|from the (?:start|beginning))\b")
OPENING = re.compile(
    r"\b(?:hello|hi|hey|good (?:morning|evening|afternoon)|book|booking|table|reservation|reserve|dinner|lunch)\b"
)
MEANT: Mapping[Slot, re.Pattern[str]] = {
    "people": re.compile(r"\b(?:people|persons?|guests|party|how many|number)\b"),
    "day": re.compile(r"\b(?:day|date)\b"),
    "time": re.compile(r"\b(?:time|hour)\b"),
    "name": re.compile(r"\bname\b"),
}
NOT_THAT = re.compile(
    r"\bnot (?:on |at |for |the )?(?:half past |quarter (?:past|to) )?[\w:]+(?: people| o clock| am| pm)?"
)


class SlotText(BaseModel):
    """What is said about one thing that the dialogue must know."""

    model_config = ConfigDict(extra="forbid")
    ask: str
    said: str
    example: str


class Slots(BaseModel):
    """What the dialogue must know, in the order in which it asks."""

    model_config = ConfigDict(extra="forbid")
    people: SlotText
    day: SlotText
    time: SlotText
    name: SlotText

    def __getitem__(self, slot: Slot) -> SlotText:
        """The texts of that slot."""
        text: SlotText = getattr(self, slot)
        return text


class Script(BaseModel):
    """A dialogue's texts and limits, as the YAML file has them."""

    model_config = ConfigDict(extra="forbid")
    slots: Slots
    most_people: int
    too_many: str
    opens: str
    closes: str
    closed: str
    confirm: str
    change: str
    done: str
    goodbye: str
    help: str
    not_understood: str
    again: str


@dataclass(frozen=True)
class State:
    """Where the dialogue is, after a message of the caller's."""

    values: Mapping[Slot, str] = field(default_factory=dict)
    asked: Slot | Literal["confirm", "change"] = "people"
    reply: str = ""
    missed: int = 0  # messages in a row that were not understood
    is_over: bool = False


class Dialogue:
    """Books a table: asks for people, day, time and name, takes corrections, and hangs up when it is done.

    Its answer follows from the messages of the caller alone, so a turn that is replayed or withdrawn leaves no trace.
    `script`: a YAML file as booking.yaml, with other texts. `hang_up`, where it is set, is called with a reason after
    the last words were given.
    """

    def __init__(self, *, script: Path = BOOKING) -> None:
        self.script = _read(script)
        self.hang_up: Callable[[str], None] | None = None
        self.timeout_s = TIMEOUT_S

    async def open(self) -> None:
        """There is nothing to open."""

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def chat(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """The answer to the last message of the caller's."""
        state = self.state(messages)
        yield state.reply
        if state.is_over and self.hang_up is not None:
            self.hang_up("the dialogue is over")

    def state(self, messages: Sequence[Message]) -> State:
        """The dialogue after these messages."""
        said = [message.text for message in messages if message.role == "user"]
        start = State(reply=self.script.slots["people"].ask)
        return reduce(lambda state, text: step(self.script, state, text), said, start)


def _read(path: Path) -> Script:
    try:
        return Script.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        wrong = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (OSError, yaml.YAMLError) as error:
        wrong = str(error)
    raise PartError(NAME, f"{path} is no dialogue ({wrong})", f"{BOOKING} shows what it needs")


def step(script: Script, state: State, text: str) -> State:
    """The state after the caller has said `text`."""
    plain = words.plain(text)
    if state.is_over:
        return replace(state, reply=script.goodbye)
    found = understand(state, text)
    if not found:
        if BYE.search(plain):
            return replace(state, reply=script.goodbye, is_over=True)
        if AGAIN.search(plain):
            return State(reply=f"{script.again} {script.slots['people'].ask}")
        if REPEAT.search(plain):
            return state
        if HELP.search(plain):
            return replace(_next(script, state, state.values, script.help), missed=0)
        return _without_values(script, state, plain)
    if refused := _refused(script, found):
        return replace(state, reply=f"{refused} {_question(script, state.values, _first(found))}", asked=_first(found))
    values = {**state.values, **found}
    noted = " ".join(script.slots[slot].said.format(**spoken(values)) for slot in SLOTS if slot in found)
    return _next(script, state, values, noted)


def understand(state: State, text: str) -> dict[Slot, str]:
    """What a text says about the slots. People and times are numbers, as text; times in minutes."""
    plain = words.plain(text)
    without = " ".join(NOT_THAT.sub(" ", plain).split())
    positive = _slots(state, without, text)
    return positive or ({} if without != plain else _slots(state, plain, text))


def _slots(state: State, plain: str, text: str) -> dict[Slot, str]:
    found: dict[Slot, str] = {}
    corrects = bool(NO.search(words.plain(text))) or "make it" in plain or "sorry" in plain
    number_is_time = state.asked == "time" and not (corrects and "people" in state.values)
    if (time := words.find_time(plain, asked=number_is_time)) is not None:
        found["time"] = str(time)
    asks_people = state.asked in ("people", "confirm", "change") or (corrects and "people" in state.values)
    if (people := words.find_people(plain, asked=asks_people and "time" not in found)) is not None:
        found["people"] = str(people)
    if (day := words.find_day(plain)) is not None:
        found["day"] = day
    alone = state.asked == "name" and not found and not any(each.search(plain) for each in (BYE, HELP, REPEAT, AGAIN))
    if (name := words.find_name(text, asked=alone)) is not None:
        found["name"] = name
    return found


def spoken(values: Mapping[Slot, str]) -> dict[str, str]:
    """The values as they are said."""
    said = {str(slot): value for slot, value in values.items()}
    if "people" in values:
        said["people"] = words.spoken_number(int(values["people"]))
    if "time" in values:
        said["time"] = words.spoken_time(int(values["time"]))
    return said


def _first(found: Mapping[Slot, str]) -> Slot:
    return next(slot for slot in SLOTS if slot in found and slot in ("people", "time"))


def _refused(script: Script, found: dict[Slot, str]) -> str:
    """Why a value can't be taken; "" where all can."""
    if "people" in found and not 1 <= int(found["people"]) <= script.most_people:
        found.pop("time", None)
        return script.too_many
    if "time" in found and not _minutes(script.opens) <= int(found["time"]) <= _minutes(script.closes):
        found.pop("people", None)
        return script.closed
    return ""


def _minutes(clock: str) -> int:
    hour, minutes = clock.split(":")
    return int(hour) * 60 + int(minutes)


def _question(script: Script, values: Mapping[Slot, str], slot: Slot) -> str:
    return script.slots[slot].ask.format(**spoken(values))


def _next(script: Script, state: State, values: Mapping[Slot, str], first: str) -> State:
    """Say `first`, then ask for what is missing, or whether all is right."""
    missing = next((slot for slot in SLOTS if slot not in values), None)
    if missing is None:
        confirm = script.confirm.format(**spoken(values))
        return State(values, "confirm", confirm if first != script.help else f"{first} {confirm}")
    return State(values, missing, f"{first} {_question(script, values, missing)}".strip())


def _without_values(script: Script, state: State, plain: str) -> State:
    """The state after words that say nothing about the slots: yes, no, a slot's name, hello, or anything else."""
    meant = next((slot for slot in SLOTS if MEANT[slot].search(plain)), None)
    if state.asked == "confirm" and YES.search(plain) and not NO.search(plain):
        return replace(state, reply=script.done.format(**spoken(state.values)), is_over=True)
    if meant is not None and meant in state.values:
        return replace(state, asked=meant, reply=_question(script, state.values, meant), missed=0)
    if state.asked in ("confirm", "change") and NO.search(plain):
        return replace(state, asked="change", reply=script.change, missed=0)
    if state.asked in SLOTS and (OPENING.search(plain) or YES.search(plain)):
        return replace(state, reply=_question(script, state.values, state.asked), missed=0)
    question = {
        "confirm": script.confirm.format(**spoken(state.values)) if state.asked == "confirm" else "",
        "change": script.change,
    }.get(state.asked) or _question(script, state.values, state.asked)  # type: ignore[arg-type]  # a slot, then
    example = script.slots[state.asked].example if state.asked in SLOTS and state.missed else ""
    return replace(
        state, reply=" ".join(f"{script.not_understood} {example} {question}".split()), missed=state.missed + 1
    )
