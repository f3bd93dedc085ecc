"""The JSON Schema of graph files: every right graph passes, and what a schema can see of the wrong ones does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.graph import test_draft, test_reader, test_step_reader
from tests.graph.good_graph import GOOD, changed
from tests.graph.our_graphs import our_graphs
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.schema import graph_schema
from webapi.voice_node.graph.yaml_parser import parse
from webapi.voice_node.main import main
from webapi.voice_node.operators import TABLE

VALIDATOR = Draft202012Validator(graph_schema())
WRONG = {**test_draft.WRONG, **test_step_reader.WRONG, **test_reader.WRONG}
NOT_SEEN = {  # what needs more than one place of the file, or what is installed
    "stream twice", "argument twice", "from nowhere",
    "48 kHz into the VAD", "audio into the VAD", "turns into resample", "merge of unlike",
    "wrong stream argument", "stream argument from nowhere", "8 kHz into the speaker", "frames into events",
    "unused stream", "cycle", "frames of two lengths", "a port that only goes out", "two that make turns",
    "two that answer", "an utterance shorter than its pre-roll", "an utterance shorter than what starts it",
    "an utterance shorter than what ends it", "an utterance shorter than the patience",
    "a hold that is none", "a longest hold that is not the longest", "done before it is open",
    "an utterance shorter than its longest hold", "an end of turn that is not there",
    "an end of turn asked twice", "a longest hold that nothing asks for", "answers that come too late",
    "a model that is not there", "a language that is not there", "a language that is another's code",
    "a language for silence",
    "less patience than with everybody", "an utterance shorter than what is no cough",
    "a VAD that is not there", "an orchestrator that is not there",
    "an orchestrator that is no class's path", "an orchestrator without a class", "an empty orchestrator",
}  # fmt: skip


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(graph_schema())


@pytest.mark.parametrize("path", our_graphs().values(), ids=lambda path: path.stem)
def test_every_graph_of_the_project_is_plain_yaml_and_passes(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def values() -> dict[str, Any]:
    """The wrong graphs that are YAML of our kind, as values."""
    found = {}
    for name, (text, _) in WRONG.items():
        try:
            found[name] = parse(text, "g.yaml").plain()
        except UserError:
            continue
    return found


def test_a_schema_sees_what_it_can_of_the_wrong_ones() -> None:
    VALIDATOR.validate(parse(GOOD, "g.yaml").plain())
    wrong = values()
    assert len(wrong) > 30
    assert {name for name, graph in wrong.items() if VALIDATOR.is_valid(graph)} == NOT_SEEN


@pytest.mark.parametrize(
    ("value", "right"),
    [("'${VAD_SPEECH_START_FRAMES}'", True), ("'${VAD_START}'", False), ("'${LIVEKIT_API_SECRET}'", False),
     ("6", True), ("600", False), ("'6'", False), ("true", False)],
)  # fmt: skip
def test_a_value_is_of_its_type_or_a_setting(value: str, right: bool) -> None:
    graph = yaml.safe_load(changed("start_frames: 6", f"start_frames: {value}"))
    assert VALIDATOR.is_valid(graph) is right


def test_an_operator_may_be_a_word_where_nothing_must_be_given() -> None:
    assert VALIDATOR.is_valid(yaml.safe_load(changed("{window: {ms: 20}}", "window")))
    assert not VALIDATOR.is_valid(yaml.safe_load(changed("{resample: {rate: 8000}}", "resample")))


def test_all_operators_and_their_words_are_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["graphs", "schema"])
    assert not ended.value.code
    printed = json.loads(capsys.readouterr().out)
    assert printed == graph_schema()
    for name, operator in TABLE.items():
        described = printed["$defs"][f"{name} arguments"]
        assert described["description"].startswith(operator.summary)
        assert set(described["properties"]) == set(operator.arguments.model_fields) | set(operator.streams)


def test_the_readme_shows_the_default_graph_as_it_is() -> None:
    _, _, graph = our_graphs()["default"].read_text(encoding="utf-8").partition("\n")
    assert graph in (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("orchestrator", "made_with", "right"),
    [("mock", "{reply: echo, think_ms: '${ANYTHING}'}", True), ("mock", "{replay: echo}", False),
     ("mock", "{think_ms: -1}", False), ("mock", "5", False), ("mybot:Bot", "{a: [{b: '${KEY}'}]}", True)],
)  # fmt: skip
def test_with_is_a_map_and_that_of_a_known_orchestrator_is_described(
    orchestrator: str, made_with: str, right: bool
) -> None:
    graph = yaml.safe_load(changed("orchestrator: mock", f"orchestrator: '{orchestrator}', with: {made_with}"))
    assert VALIDATOR.is_valid(graph) is right
