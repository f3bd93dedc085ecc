"""Graphs as something to look at: what is drawn is what is there, and fits."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.graph.our_graphs import our_graphs, set_keys
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.graph.edges import Edge, edges
from webapi.voice_node.graph.files import load_graph, opening_line
from webapi.voice_node.graph.layout import lay_out
from webapi.voice_node.graph.mermaid import mermaid
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.graph.svg import svg
from webapi.voice_node.graph.text import text
from webapi.voice_node.main import main

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"

FORKED = """\
# Two ways of hearing, one of answering.
version: 1
streams:
  frames:
    from: caller
    through: [{resample: {rate: 8000}}, {window: {ms: 20}}]
  wide:
    from: caller
    through: [{resample: {rate: 8000}}, {window: {ms: 20}}]
  narrow_voice:
    from: frames
    through: [vad]
  wide_voice:
    from: wide
    through: [vad]
  either:
    from: [narrow_voice, wide_voice]
  turns:
    from: either
    through: [turn_events]
  answer:
    from: turns
    through: [{reply: {orchestrator: "a.<b>_which_has_a_rather_long_name:Orchestrator"}}, {resample: {rate: 48000}}]
outputs: {speaker: answer, events: turns}
"""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The defaults, whatever this machine has set."""
    for name in list(os.environ):
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    set_keys(monkeypatch)
    return load_settings(None)


@pytest.fixture
def forked(settings: Settings) -> GraphSpec:
    return read_graph(FORKED, Path("forked.yaml"), settings, recorded=True)


def between(found: list[Edge]) -> set[tuple[str, str]]:
    return {(e.source, e.target) for e in found}


def test_the_edges_are_all_that_is_read_and_a_stream_without_operators_is_none(forked: GraphSpec) -> None:
    found = edges(forked)
    assert between(found) == {
        ("caller", "frames"), ("caller", "wide"), ("frames", "narrow_voice"), ("wide", "wide_voice"),
        ("narrow_voice", "turns"), ("wide_voice", "turns"), ("playback", "turns"),
        ("turns", "answer"), ("playback", "answer"), ("answer", "speaker"), ("turns", "events"),
    }  # fmt: skip
    (kind,) = {str(e.kind) for e in found if e.target == "turns" and not e.argument}
    assert kind == "voiced 8 kHz 20 ms"


DRAWN = """\
forked: Two ways of hearing, one of answering.

╭─────  caller, audio 48 kHz
│
├────►┌ frames
│     │ resample     rate: 8000, engine: fir
│     │   ↓ audio 8 kHz
│     │ window       ms: 20
│ ╭───└ frames 8 kHz 20 ms
│ │
╰─│──►┌ wide
  │   │ resample     rate: 8000, engine: fir
  │   │   ↓ audio 8 kHz
  │   │ window       ms: 20
╭─│───└ frames 8 kHz 20 ms
│ │
│ ╰──►┌ narrow_voice
│     │ vad          backend: webrtc
│ ╭───└ voiced 8 kHz 20 ms
│ │
╰─│──►┌ wide_voice
  │   │ vad          backend: webrtc
╭─│───└ voiced 8 kHz 20 ms
│ │
╰─┴──►┌ turns
"""


def test_a_graph_that_forks_and_merges_as_text(forked: GraphSpec) -> None:
    drawn = text(forked, "Two ways of hearing, one of answering.")
    assert drawn.startswith(DRAWN)
    assert "├────►  events\n" in drawn
    assert drawn.endswith("playback: what the speaker has really played; read by turns, answer\n")


@pytest.mark.parametrize("name", sorted(our_graphs()))
def test_every_graph_can_be_drawn(name: str, settings: Settings) -> None:
    graph = load_graph(name, settings)
    drawn = text(graph, opening_line(graph.path))
    assert all(len(line) <= 80 for line in drawn.splitlines())
    flowchart, picture = mermaid(graph), svg(graph, opening_line(graph.path))
    for stream in graph.streams:
        for step in stream.steps:
            assert step.operator in drawn
            assert step.operator in flowchart
            assert f">{step.operator}</text>" in picture
    assert flowchart.count("-->") + flowchart.count("-.->") >= len(edges(graph))


def test_what_means_something_to_mermaid_or_html_is_escaped(forked: GraphSpec) -> None:
    assert "orchestrator: a.#60;b#62;_which" in mermaid(forked)
    ElementTree.fromstring(svg(forked, 'a < b & "c"'))  # noqa: S314 - our own text; it raises where it is not XML


def test_nothing_in_the_picture_lies_on_another_or_outside(forked: GraphSpec, settings: Settings) -> None:
    for graph in (forked, *(load_graph(name, settings) for name in our_graphs())):
        layout = lay_out(graph)
        parts = list(layout.parts.values())
        for i, a in enumerate(parts):
            assert a.x >= 0
            assert a.y >= 0
            assert a.x + a.width <= layout.width
            assert a.y + a.height <= layout.height
            for b in parts[i + 1 :]:
                beside = a.x + a.width <= b.x or b.x + b.width <= a.x
                above = a.y + a.height <= b.y or b.y + b.height <= a.y
                assert beside or above, (graph.name, a.name, b.name)
        for edge, _ in layout.ways:
            assert layout.parts[edge.source].x < layout.parts[edge.target].x  # all flows from left to right


def test_a_card_is_as_wide_as_its_name(settings: Settings) -> None:
    name = "a_stream_with_a_name_that_is_longer_than_its_operators"
    graph = read_graph(FORKED.replace("turns", name), Path("g.yaml"), settings, recorded=True)
    assert lay_out(graph).parts[name].width > len(name) * 8


def test_the_picture_is_one_file_and_says_itself_in_words(forked: GraphSpec) -> None:
    picture = svg(forked, "Two ways.")
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own text
    title, described = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert title is not None
    assert title.text == "The graph forked"
    assert described is not None
    assert "turns flows into answer" in str(described.text)
    assert not re.search(r"<script|<image|@import|href|url\((?!#)", picture)


def test_the_picture_in_the_documents_is_the_graph(settings: Settings) -> None:
    graph = load_graph("default", settings)
    drawn = svg(graph, opening_line(graph.path))
    assert (ROOT / "docs" / "img" / "graph-default.svg").read_text(encoding="utf-8") == drawn, (
        "make it anew: voice-node graphs show default --format svg > docs/img/graph-default.svg"
    )


def test_the_command_draws_in_three_ways_and_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    begins = {"text": "default: Hear a turn", "mermaid": "flowchart LR", "svg": "<svg "}
    for form, start in begins.items():
        with pytest.raises(SystemExit) as ended:
            main(["graphs", "show", "default", "--format", form])
        assert not ended.value.code
        assert capsys.readouterr().out.startswith(start)
    with pytest.raises(SystemExit) as ended:
        main(["graphs", "show", "default", "--format", "png"])
    assert ended.value.code == 2
    assert "it is text, mermaid or svg" in capsys.readouterr().err
