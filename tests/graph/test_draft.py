"""Graph files of a wrong shape are refused with the place, the reason and the nearest name."""

from __future__ import annotations

import pytest

from tests.graph.good_graph import GOOD, assert_refused, changed

WRONG = {
    "empty": ("", "g.yaml:1:1: the file is empty"),
    "not yaml": ("version: [1", "g.yaml:1:12: this is not YAML: expected ',' or ']'"),
    "a tab": ("version: 1\n\tstreams: {}", "g.yaml:2:1: this is not YAML: found character '\\t'"),
    "a list": ("- 1", "g.yaml:1:1: a graph: a map (key: value) is needed here"),
    "a word": ("hello", "g.yaml:1:1: a graph: a map (key: value) is needed here"),
    "anchor": (changed("from: caller", "from: &a caller"), "g.yaml:4:11: anchors and aliases"),
    "python tag": (changed("ms: 20", "ms: !!python/object/apply:os.system [ls]"), "has no place"),
    "custom tag": (changed("ms: 20", "ms: !x 20"), "g.yaml:5:55: the tag '!x' has no place"),
    "no version": (changed("version: 1\n", ""), "g.yaml:1:1: a graph: 'version' is missing"),
    "other version": (
        changed("version: 1", "version: 2"),
        "g.yaml:1:10: version 2; this program reads version 1",
    ),
    "no streams": ("version: 1\noutputs: {events: caller}", "g.yaml:1:1: a graph: 'streams' is missing"),
    "unknown key": (changed("outputs:", "output:"), "Did you mean 'outputs'?"),
    "stream is a word": (
        changed(
            "frames:\n    from: caller\n    through: [{resample: {rate: 8000}}, {window: {ms: 20}}]",
            "frames: caller",
        ),
        "stream 'frames': a map",
    ),
    "stream name": (changed("  frames:", "  Frames!:"), "stream 'Frames!': a name is a-z"),
    "stream is a port": (changed("  frames:", "  caller:"), "this is the name of an input port"),
    "stream twice": (changed("  turns:\n", "  frames:\n"), "streams: 'frames' stands here twice"),
    "no from": (changed("    from: caller\n", ""), "stream 'frames': 'from' is missing"),
    "from nowhere": (
        changed("from: frames", "from: frame"),
        "g.yaml:7:11: there is no stream 'frame'. Did you mean 'frames'?",
    ),
    "from an empty list": (changed("from: caller", "from: []"), "an empty list: name at least one stream"),
    "through is a map": (
        changed(
            "through: [{reply: {orchestrator: mock, playback: playback}}]",
            "through: {reply: {playback: playback}}",
        ),
        "`through` is a list: put a - before",
    ),
    "through is a word": (
        changed("through: [{resample: {rate: 48000}}]", "through: resample"),
        "`through` is a list of operators",
    ),
    "unknown port": (
        changed("  speaker: voice", "  speakers: voice"),
        "output 'speakers': there is no such port. Did you mean 'speaker'?",
    ),
    "no outputs": (
        GOOD[: GOOD.index("  speaker")].rstrip() + " {}\n",
        "no output: bind at least one of speaker, events",
    ),
    "a number is no stream": (changed("from: frames", "from: 3"), "g.yaml:7:11: there is no stream 3."),
    "a port that only goes out": (changed("from: frames", "from: speaker"), "there is no stream 'speaker'."),
    "a list as a key": (
        changed("from: caller", "[1]: caller"),
        "g.yaml:4:5: a key is a list or a map; a text is needed",
    ),
    "nested too deep": ("version: " + "[" * 5000 + "]" * 5000, "nested too deep"),
    "too large": ("#" * 300_000, "a graph file has at most"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_shape_is_refused_with_place_and_reason(text: str, expected: str) -> None:
    assert_refused(text, expected)
