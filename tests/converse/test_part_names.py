"""Parts by name: which there are, and that wrong arguments are found with their key."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import EntryPoint
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from webapi.voice_node import plugins
from webapi.voice_node.converse import part_names
from webapi.voice_node.converse.part_names import LlmChoice, PartChoice, choose
from webapi.voice_node.converse.parts import LanguageModel, Message
from webapi.voice_node.errors import UserError
from webapi.voice_node.plugins import Plugins


class Scripted:
    """A language model with arguments of some kinds."""

    def __init__(
        self, *, model: str, class_: str = "", heat: Annotated[float, Field(ge=0, le=2)] = 1, timeout_s: float = 10
    ) -> None:
        self.given = (model, class_, heat, timeout_s)

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...

    async def chat(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        yield "Yes."


class TakesAny(Scripted):
    def __init__(self, *, class_: str, **arguments: Any) -> None:
        self.given = (class_, arguments)  # type: ignore[assignment]


class Graph(BaseModel):
    """As the check of a graph reads it."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    llm: LlmChoice


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    table: dict[str, type] = {"llm.scripted": Scripted, "llm.any": TakesAny, "tts.loud": Scripted}
    monkeypatch.setattr(part_names, "PARTS", Plugins("part", "voice_node.none", table))


def made(**arguments: Any) -> Any:
    return choose("llm", arguments).make()


def errors_of(value: Any) -> list[tuple[tuple[Any, ...], str]]:
    with pytest.raises(ValidationError) as raised:
        Graph.model_validate({"llm": value})
    return [(each["loc"], each["msg"]) for each in raised.value.errors()]


def test_a_part_is_made_with_its_arguments_converted() -> None:
    assert made(part="scripted", model="m", heat="0.5").given == ("m", "", 0.5, 10)


def test_the_key_class_is_the_argument_class_() -> None:
    assert made(part="scripted", model="m", **{"class": "a:B"}).given == ("m", "a:B", 1, 10)


def test_a_part_that_takes_any_argument_gets_it() -> None:
    assert made(part="any", **{"class": "a:B", "heat": 3}).given == ("a:B", {"heat": 3})


INSTALLED = [
    ("llm.mine", "Scripted", ""),
    ("llm.silent", "Silent", "the class lacks chat."),
    ("model.mine", "Scripted", "its name must begin with a role and a dot: stt., llm., tts."),
]


class Silent:
    """No language model."""


@pytest.mark.parametrize(("name", "class_name", "wrong"), INSTALLED)
def test_an_installed_package_adds_parts(
    name: str, class_name: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    point = EntryPoint(name, f"{__name__}:{class_name}", part_names.ENTRY_POINTS)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == point.group else [])
    parts: Plugins[type] = Plugins("part", part_names.ENTRY_POINTS, part_names.BUILT_IN, part_names.PARTS._wrong)
    monkeypatch.setattr(part_names, "PARTS", parts)
    if not wrong:
        assert "mine" in part_names.part_names("llm")
        assert made(part="mine", model="m").given[0] == "m"
        return
    with pytest.raises(UserError, match=re.escape(wrong)):
        parts[name]


def test_each_call_makes_a_part_of_its_own() -> None:
    choice = choose("llm", {"part": "scripted", "model": "m"})
    assert choice.make() is not choice.make()


def test_a_part_that_is_made_is_taken_as_it_is() -> None:
    part: LanguageModel = Scripted(model="m")
    assert Graph(llm=part).llm is part


def test_an_argument_that_is_wrong_is_named_with_its_key() -> None:
    ((key, message),) = errors_of({"part": "scripted", "model": "m", "heat": 3})
    assert key == ("llm", "heat")
    assert "less than or equal to 2" in message


def test_arguments_that_are_unknown_or_missing_are_named() -> None:
    assert {key for key, _ in errors_of({"part": "scripted", "modle": "m"})} == {("llm", "model"), ("llm", "modle")}


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    ((key, message),) = errors_of({"part": "scriptd"})
    assert key == ("llm",)
    assert message == "no language model is named 'scriptd'. Did you mean 'scripted'? There are: any, scripted"


@pytest.mark.parametrize("value", ["scripted", {}, {"model": "m"}, None, 3])
def test_what_is_no_part_is_told_with_how_one_is_written(value: Any) -> None:
    ((key, message),) = errors_of(value)
    assert key == ("llm",)
    assert message == "a language model is written {part: NAME, …}. There are: any, scripted"


def test_a_choice_shows_no_arguments_for_they_may_have_keys() -> None:
    assert "sk-1" not in repr(choose("llm", {"part": "any", "class": "a:B", "api_key": "sk-1"}))


def test_a_wrong_argument_does_not_show_its_value() -> None:
    with pytest.raises(ValidationError) as raised:
        Graph.model_validate({"llm": {"part": "scripted", "model": ["sk-1"]}})
    assert "sk-1" not in str(raised.value.errors(include_input=False))


def test_the_names_are_known_without_importing_the_parts() -> None:
    code = (
        "import sys; from webapi.voice_node.converse import part_names as p;"
        "print([*p.part_names('stt')], [m for m in ('openai', 'wyoming', 'livekit') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['livekit', 'offline', 'openai', 'wyoming'] []"


def test_the_kind_of_choice_says_its_part() -> None:
    choice: PartChoice[LanguageModel] = choose("llm", {"part": "scripted", "model": "m"})
    assert (choice.role, choice.name) == ("llm", "scripted")


PARTS = [("stt", "openai"), ("llm", "openai"), ("tts", "openai"), ("stt", "wyoming"), ("tts", "wyoming")]


@pytest.mark.parametrize(("role", "name"), PARTS)
def test_a_package_that_is_missing_is_named_with_how_to_install_it(
    role: part_names.Role, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for module in list(sys.modules):
        if module.startswith(f"{part_names.PACKAGE}.{name}_"):
            monkeypatch.delitem(sys.modules, module)
        elif module.split(".")[0] == name:
            monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PydanticCustomError, match=f"{name}: the package .* is not installed. Run: pip install '{name}"):
        choose(role, {"part": name})
