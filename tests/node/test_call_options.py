"""The metadata of a call: what it may choose, and what it must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from webapi.voice_node.config import load_settings, pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.check import answerers_of
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.node.call_options import MAX_BYTES, CallOptions, read_options

GRAPH = """version: 1
streams:
  frames: {from: caller, through: [resample: {rate: 8000}, window: {ms: 20}]}
  turns: {from: frames, through: [vad: {backend: webrtc}, turn_events: {end_frames: "${VAD_SPEECH_END_FRAMES}"}]}
  voice: {from: turns, through: [reply: REPLY, resample: {rate: 48000}]}
outputs: {speaker: voice, events: turns}
"""


class Nested:
    """Takes nested arguments."""

    def __init__(self, *, llm: dict[str, str], prompt: str = "none", most: int = 3) -> None:
        pass

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> Any:
        yield b""


def options(**metadata: Any) -> CallOptions:
    read = read_options(json.dumps(metadata))
    assert read is not None
    return read


def mistakes(metadata: str) -> str:
    with pytest.raises(UserError) as caught:
        read_options(metadata)
    return str(caught.value)


@pytest.fixture
def graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of graphs of a node that runs here, with the graph `own`, which the class Nested answers."""
    folder = tmp_path / "graphs"
    folder.mkdir()
    reply = f"{{orchestrator: '{__name__}:Nested', with: {{llm: {{model: small, key: '${{PATH}}'}}, most: 2}}}}"
    (folder / "own.yaml").write_text(GRAPH.replace("REPLY", reply))
    (folder / "silent.yaml").write_text(
        "version: 1\nstreams:\n  turns: {from: caller, through: [resample: {rate: 8000}, window: {ms: 20}, "
        "vad: {backend: webrtc}, turn_events: {}]}\noutputs: {events: turns}\n"
    )
    monkeypatch.chdir(tmp_path)
    return folder


def given(graph: GraphSpec) -> dict[str, Any]:
    """The values under `reply: with`."""
    ((_, _, arguments),) = answerers_of(graph)
    assert arguments is not None
    return dict(arguments.values)


def test_blank_metadata_chooses_nothing() -> None:
    assert read_options("") == read_options("  \n") == read_options("{}") == CallOptions()


@pytest.mark.parametrize("text", ["order 4711", "[1, 2]", '"text"', "{not json", "[" * 5000])
def test_metadata_that_is_no_object_is_not_meant_for_the_node(text: str) -> None:
    assert read_options(text) is None


def test_a_setting_of_the_call_changes_its_graph_and_not_the_node() -> None:
    settings = pinned_settings()
    choice = options(settings={"VAD_SPEECH_END_FRAMES": 33, "VAD_BACKEND": "webrtc"})
    turns = next(
        step for stream in choice.load(settings).streams for step in stream.steps if "end_frames" in step.arguments
    )
    assert turns.arguments["end_frames"] == 33
    assert choice.of_call(settings).vad_speech_end_frames == 33
    assert settings.vad_speech_end_frames == 10


@pytest.mark.parametrize(
    "name",
    ["LIVEKIT_URL", "LIVEKIT_API_SECRET", "LOG_FILE", "METRICS_FILE", "RECORD_DIR", "WEB_HOST", "MONITOR_PORT",
     "MAX_CALLS", "VOICE_GRAPH", "ORCHESTRATOR", "LK_ROOM", "LOG_TRANSCRIPTS", "NO_SUCH"],
)  # fmt: skip
def test_settings_of_the_node_are_refused(name: str) -> None:
    assert f"settings: {name!r} is not known here" in mistakes(json.dumps({"settings": {name: "1"}}))


@pytest.mark.parametrize("name", ["VAD_SPEECH_START_FRAMES", "MOCK_THINK_MS", "ECHO_CANCEL", "PUBLISH_TRACK_NAME"])
@pytest.mark.parametrize("value", [True, False])
def test_true_and_false_are_no_numbers(name: str, value: bool) -> None:
    assert f"{name}: {value}: a text or a number is needed" in mistakes(json.dumps({"settings": {name: value}}))


def test_every_mistake_is_told_with_what_is_allowed() -> None:
    told = mistakes('{"grph": "default", "settings": {"VAD_SPEECH_END_FRAMES": 1000, "VAD_PREROL_MS": 1}, "with": 3}')
    assert "'grph' is not known here. Did you mean 'graph'? Allowed: graph, with, settings" in told
    assert "VAD_SPEECH_END_FRAMES=1000 (metadata): allowed: a whole number from 1 to 100" in told
    assert "Did you mean 'VAD_PREROLL_MS'" in told
    assert "with: 3: an object is needed" in told


@pytest.mark.parametrize(
    "graph", ["../secret", "graphs/default.yaml", "/etc/passwd", "default.yaml", "", ".", 3, ["default"]]
)
def test_a_graph_is_a_name_and_no_path(graph: Any) -> None:
    told = mistakes(json.dumps({"graph": graph}))
    assert "graph:" in told
    assert "no path" in told or "there is no graph" in told


def test_an_unknown_graph_is_named_with_those_there_are() -> None:
    assert "no graph 'defalt'. Did you mean 'default'?" in mistakes('{"graph": "defalt"}')


def test_a_mock_that_plays_a_file_is_refused() -> None:
    assert "MOCK_REPLY='/x.wav': allowed here: beep" in mistakes('{"settings": {"MOCK_REPLY": "/x.wav"}}')
    assert options(settings={"MOCK_REPLY": "tone:2"}).settings == {"mock_reply": "tone:2"}


def test_arguments_are_merged_over_those_of_the_graph(graphs: Path) -> None:
    choice = options(graph="own", **{"with": {"llm": {"model": "large"}, "prompt": "Be kind."}})
    found = given(choice.load(load_settings(None)))
    assert found["llm"]["model"] == "large"
    assert found["llm"]["key"]  # of the graph, with its variable filled in
    assert (found["prompt"], found["most"]) == ("Be kind.", 2)


@pytest.mark.parametrize("prompt", ["${PATH}", "a ${HOME} b", "$${PATH}"])
def test_no_variable_in_metadata_is_filled_in(graphs: Path, prompt: str) -> None:
    choice = options(graph="own", **{"with": {"prompt": prompt, "llm": {"model": prompt}}})
    found = given(choice.load(load_settings(None)))
    assert (found["prompt"], found["llm"]["model"]) == (prompt, prompt)


def test_the_readers_own_mark_of_a_variable_is_refused(graphs: Path) -> None:
    with pytest.raises(UserError, match="characters that no value may have"):
        options(graph="own", **{"with": {"prompt": "$⦃PATH⦄"}}).load(load_settings(None))


@pytest.mark.parametrize("arguments", [{"$⦃A⦄": 1}, {"llm": {"$⦃A⦄": "x"}}, {"llm": ["$⦃PATH⦄"]}])
def test_nor_is_it_taken_in_a_key_or_list(graphs: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="characters that no value may have"):
        options(graph="own", **{"with": arguments}).load(load_settings(None))


def test_arguments_are_checked_against_the_constructor(graphs: Path) -> None:
    with pytest.raises(UserError, match=r"the call's metadata.*Nested has no argument 'promt'. Did you mean 'prompt'"):
        options(graph="own", **{"with": {"promt": "x"}}).load(load_settings(None))
    with pytest.raises(UserError, match=r"the call's metadata.*most: 'many'"):
        options(graph="own", **{"with": {"most": "many"}}).load(load_settings(None))


@pytest.mark.parametrize(
    "key",
    ["base_url", "baseUrl", "host", "prompt_file", "command", "part", "class", "endpoint", "Path", "FILE", "file2",
     "api_base", "base-url", "baseurl", "BASEURL", "urL", "base_URLs", "files", "filename", "hostname", "proxies",
     "ｂａｓｅ_ｕｒｌ"],
)  # fmt: skip
def test_what_the_bot_connects_to_reads_or_runs_is_the_graphs(key: str) -> None:
    told = mistakes(json.dumps({"with": {"llm": {"deep": [{key: "x"}]}}}))
    assert f"with.llm.deep.0.{key!r}: what the bot connects to" in told


@pytest.mark.parametrize(
    "key",
    ["profile", "support", "transport", "import", "curl_type", "paths_tried", "address", "name", "voice", "ß", "", "1"],
)
def test_other_keys_are_the_orchestrators(key: str) -> None:
    assert options(**{"with": {key: "x"}}).arguments == {key: "x"}


@pytest.mark.parametrize("key", ["a\nERROR all is lost", "\x1b[31m", "\ud800", "a.b", "x" * 1000])
def test_a_key_can_not_write_into_the_log_what_it_likes(key: str) -> None:
    told = mistakes(json.dumps({"with": {key: {"base_url": 1}}}))
    assert len(told.splitlines()) == 1
    assert told.isprintable()
    assert len(told) < 250


def test_the_path_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    told = mistakes(json.dumps({"with": {"reply": str(tmp_path / "a.wav")}}))
    assert "with.reply:" in told
    assert "this is a file" in told


def test_a_secret_in_metadata_is_refused_and_not_shown(graphs: Path) -> None:
    with pytest.raises(UserError) as caught:
        options(graph="own", **{"with": {"llm": {"api_key": "sk-0123456789"}}}).load(load_settings(None))
    assert "looks like a secret" in str(caught.value)
    assert "sk-0123456789" not in str(caught.value)


def test_a_graph_without_an_orchestrator_takes_no_arguments(graphs: Path) -> None:
    with pytest.raises(UserError, match="no operator `reply`"):
        options(graph="silent", **{"with": {"prompt": "x"}}).load(load_settings(None))


def test_long_or_deep_metadata_is_refused(graphs: Path) -> None:
    assert f"longer than {MAX_BYTES // 1024} KB" in mistakes(json.dumps({"with": {"prompt": "x" * MAX_BYTES}}))
    for more in ("[", '{"a":'):
        for depth in (8, 12, 300, 600, 900):  # the JSON parser's own limit is at about 1000
            end = ("]" if more == "[" else "}") * depth
            assert "with: more than 8 maps and lists" in mistakes(f'{{"with": {{"llm": {more * depth}1{end}}}}}')
    just: Any = "x"
    for _ in range(8 - 1):
        just = {"a": just}
    options(graph="own", **{"with": {"llm": just}})


def test_calls_that_choose_the_same_have_the_same_key() -> None:
    one, same = (
        options(graph="default", settings={"MOCK_THINK_MS": 5}),
        options(settings={"MOCK_THINK_MS": 5}, graph="default"),
    )
    assert one.key == same.key
    assert one.key != options(graph="default", settings={"MOCK_THINK_MS": 6}).key
