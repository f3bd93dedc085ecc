"""`with`: what an orchestrator is made with is checked when the graph is loaded; each mistake has its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, SecretStr
from typing_extensions import NotRequired, TypedDict

from tests.graph.good_graph import GOOD, errors, read
from webapi.voice_node.config import load_settings, pinned_settings
from webapi.voice_node.errors import UserError, hidden_values
from webapi.voice_node.errors.hidden_values import without_hidden
from webapi.voice_node.graph.edges import shown_arguments
from webapi.voice_node.graph.mermaid import mermaid
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.graph.svg import svg
from webapi.voice_node.graph.text import text
from webapi.voice_node.reply.given_arguments import GivenArguments, make_orchestrator

HERE = "tests.graph.test_with_reader"
KEY = "sk-0123456789"


class Model(BaseModel):
    """A nested model."""

    name: str
    api_key: SecretStr | None = None
    heat: float = 0.7


@dataclass
class Voice:
    """A nested dataclass."""

    speaker: str
    speed: float = 1.0


class Tool(TypedDict):
    """A nested TypedDict."""

    name: str
    limit: NotRequired[int]


class Answers:
    """What every orchestrator must have."""

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> Any:
        yield b""


class Bot(Answers):
    """Has arguments of all sorts."""

    def __init__(
        self,
        prompt: str,
        model: Model | None = None,
        voice: Voice | None = None,
        tools: list[Tool] | None = None,
        mode: Literal["calm", "quick"] = "calm",
        class_: int = 1,
        anything: Any = None,
    ) -> None:
        self.given = {key: value for key, value in locals().items() if key not in ("self", "__class__")}
        if prompt == "refuse" and model and model.api_key:
            raise RuntimeError(f"the key {model.api_key.get_secret_value()} is refused")


class Locked(Bot):
    """Has a type for secrets under a key that does not name one."""

    def __init__(self, lock: SecretStr, **given: Any) -> None:
        super().__init__(**given)
        self.lock = lock


class Open(Answers):
    """Takes whatever it is given."""

    def __init__(self, **given: Any) -> None:
        self.given = given


def graph(made_with: str, orchestrator: str = f"{HERE}:Bot") -> str:
    """GOOD with that orchestrator and that `with`, which begins in line 14, column 15."""
    one = f"{{orchestrator: '{orchestrator}', playback: playback,\n        with: {made_with}}}"
    return GOOD.replace("{orchestrator: mock, playback: playback}", one)


def given_of(spec: GraphSpec) -> GivenArguments:
    """What the graph gives."""
    (found,) = (step.arguments["with"] for s in spec.streams for step in s.steps if step.operator == "reply")
    assert isinstance(found, GivenArguments)
    return found


def made(made_with: str, orchestrator: str = f"{HERE}:Bot") -> Any:
    """The orchestrator as a session makes it."""
    return make_orchestrator(orchestrator, load_settings(), 8000, given_of(read(graph(made_with, orchestrator))))


def test_nested_values_have_the_types_of_the_constructor() -> None:
    bot = made(
        "{prompt: hi, model: {name: m}, voice: {speaker: ann, speed: 2}, tools: [{name: t, limit: 3}], class: 5, "
        "anything: {1: [null, 2.5, {deep: true}]}}"
    )
    assert bot.given == {
        "prompt": "hi", "model": Model(name="m"), "voice": Voice("ann", 2.0), "tools": [{"name": "t", "limit": 3}],
        "mode": "calm", "class_": 5, "anything": {1: [None, 2.5, {"deep": True}]},
    }  # fmt: skip


def test_a_constructor_with_kwargs_takes_everything() -> None:
    assert made("{a: 1, b-c: [x], d: null}", f"{HERE}:Open").given == {"a": 1, "b-c": ["x"], "d": None}


def test_each_session_has_values_of_its_own() -> None:
    given = given_of(read(graph("{things: [1]}", f"{HERE}:Open")))
    first, second = (make_orchestrator(f"{HERE}:Open", load_settings(), 8000, given) for _ in range(2))
    assert isinstance(first, Open)
    assert isinstance(second, Open)
    first.given["things"].append(2)
    assert second.given == {"things": [1]}


WRONG = {
    "unknown": (
        "{promt: x}",
        "14:16: reply: with: Bot has no argument 'promt'. Did you mean 'prompt'? It takes: prompt, ",
    ),
    "missing": ("{}", "14:15: reply: with: Bot needs the argument 'prompt'"),
    "nothing": ("", "14:14: reply: with: Bot needs the argument 'prompt'"),
    "no map": ("[x]", "14:15: reply: with: arguments are written {argument: value, …}"),
    "a type": ("{prompt: 5}", "14:24: reply: with.prompt: 5: input should be a valid string"),
    "a choice": ("{prompt: x, mode: fast}", "14:33: reply: with.mode: 'fast': input should be 'calm' or 'quick'"),
    "null": ("{prompt: null}", "14:24: reply: with.prompt: None: input should be a valid string"),
    "nested unknown": (
        "{prompt: x, model: {nam: m}}",
        "14:35: reply: with.model: there is no 'nam'. Did you mean 'name'? It takes: name, api_key, heat",
    ),
    "nested missing": ("{prompt: x, model: {heat: 1}}", "14:34: reply: with.model: 'name' is missing"),
    "nested type": (
        "{prompt: x, model: {name: m, heat: hot}}",
        "14:50: reply: with.model.heat: 'hot': input should be a valid number",
    ),
    "in a dataclass": (
        "{prompt: x, voice: {speaker: a, sped: 1}}",
        "14:47: reply: with.voice: there is no 'sped'. Did you mean 'speed'? It takes: speaker, speed",
    ),
    "in a list": (
        "{prompt: x, tools: [{name: a}, {name: b, limit: few}]}",
        "14:63: reply: with.tools.1.limit: 'few': input should be a valid integer",
    ),
    "twice": ("{prompt: x, anything: {a: 1, a: 2}}", "14:44: reply: with.anything: 'a' stands here twice"),
    "a secret": (
        f"{{prompt: x, model: {{name: m, api_key: {KEY}}}}}",
        "14:53: reply: with.model.api_key: this looks like a secret, and a graph is no place for one: write $",
    ),
    "a secret deep in it": (
        f"{{prompt: x, anything: {{headers: {{Authorization: [{KEY}]}}}}}}",
        "14:64: reply: with.anything.headers.Authorization.0: this looks like a secret",
    ),
    "unset": (
        "{prompt: x, anything: [${NOT_SET_ANYWHERE}]}",
        "14:38: ${NOT_SET_ANYWHERE}: this variable is not set, neither in the environment nor in .env",
    ),
    "like a setting": ("{prompt: '${LK_ROM}'}", "it is no setting of the node. Did you mean 'LK_ROOM'?"),
    "a variable in a key": (
        "{prompt: x, anything: {headers: {'X-${BOT_KEY}': a}}}",
        "14:48: reply: with.anything.headers: 'X-${BOT_KEY}': a variable can't be part of a key",
    ),
    "a variable as a key": (
        "{'${BOT_KEY}': x}",
        "14:16: reply: with: '${BOT_KEY}': a variable can't be part of a key",
    ),
    "our secret": ("{prompt: '${LIVEKIT_API_SECRET}'}", "${LIVEKIT_API_SECRET}: a secret has no place in a graph"),
}


@pytest.mark.parametrize(("made_with", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_has_its_place_and_what_is_allowed(made_with: str, expected: str) -> None:
    said = errors(graph(made_with))
    assert any(expected in line for line in said), said
    assert all(line.startswith("g.yaml:") for line in said)
    assert KEY not in "\n".join(said)


SECRETS = [
    *("url: 'https://user:pw@host/v1'", "url: 'tcp://${ANYBODY}:pw@host:1'", "list: [{x: 'redis://:pw@host'}]"),
    *("header: 'Bearer abcdefgh.ijkl'", "header: 'bearer abcdefgh'", "value: sk-abcdefghijk", "token: abcdefgh"),
    *("password: 1234", "secret: short", "Authorization: x", "max_token: [abcdefgh]", "token: 'Bearer abcdefgh'"),
]
NO_SECRETS = [
    *("max_token: 200", "stop_token: '</s>'", "use_token: true", "sort_key: name", "token: null", "keys: abcdefgh"),
    *("url: 'https://host:80/a@b'", "url: 'https://user@host'", "url: 'https://user:${ANYBODY}@host'"),
    *("header: 'Bearer ${ANYBODY}'", "voice: sk-SK-Chirp3-HD-Kore", "text: 'a bearer of good news'", "language: sk-SK"),
]


@pytest.mark.parametrize("written", SECRETS)
def test_what_looks_like_a_secret_has_no_place_in_a_graph(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYBODY", "me")
    (said,) = errors(graph(f"{{{written}}}", f"{HERE}:Open"))
    assert "this looks like a secret, and a graph is no place for one" in said


@pytest.mark.parametrize("written", NO_SECRETS)
def test_what_only_resembles_a_secret_may_stand_in_a_graph(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_values, "_HIDDEN", {})
    monkeypatch.setenv("ANYBODY", "word-to-pass")
    made(f"{{{written}}}", f"{HERE}:Open")


def test_a_class_that_is_not_there_is_told_only_where_with_is_given() -> None:
    read(GOOD.replace("orchestrator: mock", "orchestrator: 'no_such_module:Bot'"))
    (said,) = errors(graph("{}", "no_such_module:Bot"))
    assert "g.yaml:13:38: reply: with: ORCHESTRATOR=no_such_module:Bot: can't import 'no_such_module'" in said


def test_a_recording_that_answers_needs_neither_class_nor_variables() -> None:
    text = graph("{key: '${NOT_SET_ANYWHERE}'}", "no_such_module:Bot")
    found = given_of(read_graph(text, Path("g.yaml"), load_settings(), recorded=True))
    assert found.written == {"key": "${NOT_SET_ANYWHERE}"}


def test_a_variable_is_a_setting_or_else_of_the_environment_or_of_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BOT_HEAT", "0.5")
    monkeypatch.setenv("LK_ROOM", "lobby")
    env = tmp_path / "bot.env"
    env.write_text(f"BOT_KEY={KEY}\nBOT_HEAT=2\n")
    text = graph(
        "{prompt: in ${LK_ROOM}, model: {name: m, heat: ${BOT_HEAT}, api_key: ${BOT_KEY}}, class: ${MOCK_THINK_MS}}"
    )
    settings = load_settings(env)
    given = given_of(read_graph(text, Path("g.yaml"), settings))
    bot = make_orchestrator(f"{HERE}:Bot", settings, 8000, given)
    assert isinstance(bot, Bot)
    assert (bot.given["prompt"], bot.given["class_"]) == ("in lobby", 120)
    assert bot.given["model"] == Model(name="m", heat=0.5, api_key=SecretStr(KEY))
    with pytest.raises(UserError, match=r"\$\{BOT_KEY\}: this variable is not set"):
        read_graph(text, Path("g.yaml"), pinned_settings())


def test_text_in_round_brackets_is_no_variable() -> None:
    assert made("{prompt: 'it costs $(5)'}").given["prompt"] == "it costs $(5)"


def test_values_of_variables_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_KEY", KEY)
    right = read(graph("{prompt: refuse, model: {name: a, api_key: '${BOT_KEY}'}}"))
    shown = [repr(right), text(right), mermaid(right), svg(right)]
    (said,) = errors(graph("{prompt: x, class: '${BOT_KEY}', mode: calm}"))
    assert "14:34: reply: with.class: ${BOT_KEY}: input should be a valid integer" in said
    with pytest.raises(
        UserError, match=r"g\.yaml:14:15: reply: with: .*RuntimeError: the key \$\{BOT_KEY\} is ref"
    ) as caught:
        make_orchestrator(f"{HERE}:Bot", load_settings(), 8000, given_of(right))
    assert caught.value.__cause__ is None
    assert KEY not in "".join([*shown, said, str(caught.value)])


def test_only_values_under_a_key_or_of_a_type_for_secrets_are_hidden_in_all_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hidden_values, "_HIDDEN", {})
    values = {
        "A": "first-value",
        "B": "second-value",
        "C": "third-value",
        "D": "fourth-value",
        "DB_PASSWORD": "fifth-one",
        "PW": "sixth-word",
        "DB": "db://me:seventh@host",
    }
    for name, value in {**values, "VOICE": "default", "MAX_BYTES": "160000"}.items():
        monkeypatch.setenv(name, value)
    made(
        "{prompt: 'the ${VOICE}', voice: {speaker: '${MAX_BYTES}'}, model: {name: '${VOICE}', api_key: '${A}'}, "
        "lock: '${B}', anything: {headers: {Authorization: ['Bearer ${C}', {x: '${D}'}]}, word: '${DB_PASSWORD}', "
        "urls: ['db://u:${PW}@h', '${DB}']}}",
        f"{HERE}:Locked",
    )
    said = without_hidden(" ".join([*values.values(), "default", "160000"]))
    assert said == "${A} ${B} ${C} ${D} ${DB_PASSWORD} ${PW} ${DB} default 160000"


def test_a_drawing_shows_the_orchestrator_and_what_it_is_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUND", "beep")
    spec = read(graph("{reply: '${SOUND}', think_ms: 5}", "mock"))
    (step,) = (step for s in spec.streams for step in s.steps if step.operator == "reply")
    shown = ["orchestrator: mock", "with.reply: ${SOUND}", "with.think_ms: 5"]
    assert shown_arguments(step, defaults=False) == shown
    assert ", ".join(shown[:2]) in text(spec)
    assert all(each in svg(spec) for each in shown)
    assert "orchestrator: mock<br/>with.reply: #36;#123;SOUND#125;<br/>with.think_ms: 5" in mermaid(spec)


@pytest.mark.parametrize(
    ("made_with", "name", "expected"),
    [
        ("{think_ms: -1}", "mock", "with.think_ms: -1: input should be greater than or equal to 0"),
        ("{reply: none.wav}", "mock", "with.reply: 'none.wav': no word that is known, and no readable file"),
        ("{rate: 8000}", "mock", "has no argument 'rate'. It takes: reply, think_ms"),
        ("{reply: beep}", "echo", "has no argument 'reply'. It takes: think_ms"),
    ],
)
def test_the_mock_has_arguments_too(made_with: str, name: str, expected: str) -> None:
    (said,) = errors(graph(made_with, name))
    assert expected in said
