"""Graph files: right ones load, wrong ones are refused with the place, the reason and the nearest name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import find_graphs, load_graph
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.graph.spec import GraphSpec

GOOD = """\
version: 1
streams:
  frames:
    from: caller
    through: [{resample: {rate: 8000}}, {window: {ms: 20}}]
  turns:
    from: frames
    through:
      - vad: {backend: webrtc}
      - turn_events: {start_frames: 6, end_frames: 10, playback: playback}
  replies:
    from: turns
    through: [{reply: {orchestrator: mock, playback: playback}}]
  voice:
    from: replies
    through: [{resample: {rate: 48000}}]
outputs:
  speaker: voice
  events: turns
"""


def read(text: str) -> GraphSpec:
    """Read `text` as the file g.yaml, with the default settings."""
    return read_graph(text, Path("g.yaml"), load_settings())


def errors(text: str) -> list[str]:
    """What is said about `text`, a line each."""
    with pytest.raises(UserError) as caught:
        read(text)
    return str(caught.value).splitlines()


def changed(old: str, new: str) -> str:
    """GOOD with one thing changed; fails where there is nothing to change."""
    assert GOOD.count(old) >= 1
    return GOOD.replace(old, new, 1)


def test_a_good_graph_is_read_whole() -> None:
    spec = read(GOOD)
    assert [s.name for s in spec.streams] == ["frames", "turns", "replies", "voice"]
    assert str(spec.streams[0].gives) == "frames 8 kHz 20 ms"
    assert str(spec.streams[3].gives) == "replies 48 kHz"
    assert spec.outputs == {"speaker": ("voice",), "events": ("turns",)}
    assert spec.readers("turns") == 2
    assert spec.readers("playback") == 2
    assert spec.streams[1].steps[1].arguments["preroll_ms"] == 240


def test_streams_come_after_their_sources_in_whatever_order_they_are_written() -> None:
    head, _, rest = GOOD.partition("  voice:\n")
    voice, _, outputs = rest.partition("outputs:\n")
    shuffled = head.replace("streams:\n", "streams:\n  voice:\n" + voice) + "outputs:\n" + outputs
    assert [s.name for s in read(shuffled).streams] == ["frames", "turns", "replies", "voice"]


def test_settings_are_taken_with_their_type() -> None:
    spec = read_graph(
        changed("start_frames: 6", "start_frames: ${VAD_SPEECH_START_FRAMES}"),
        Path("g.yaml"),
        load_settings(vad_speech_start_frames=4),
    )
    assert spec.streams[1].steps[1].arguments["start_frames"] == 4


def test_a_wrong_setting_that_a_graph_takes_is_named() -> None:
    text = changed("backend: webrtc", 'backend: "${VAD_BACKEND}"').replace(
        "orchestrator: mock", "orchestrator: ${ORCHESTRATOR}"
    )
    with pytest.raises(UserError) as caught:
        read_graph(text, Path("g.yaml"), load_settings(None, vad_backend="wrbtc", orchestrator="mok"))
    vad, reply = str(caught.value).splitlines()
    assert vad.startswith("g.yaml:9:24: vad: backend: VAD_BACKEND=wrbtc: there is no such backend.")
    assert reply.startswith("g.yaml:13:38: reply: orchestrator: ORCHESTRATOR=mok: there is none of that name.")


def test_of_a_recorded_call_the_orchestrator_need_not_be_there() -> None:
    text = changed("orchestrator: mock", "orchestrator: not_installed")
    spec = read_graph(text, Path("g.yaml"), load_settings(), recorded=True)
    assert spec.streams[2].steps[0].arguments["orchestrator"] == "not_installed"


def test_one_maker_of_turns_may_be_read_twice_and_go_out_twice() -> None:
    text = changed("events: turns", "events: [turns, turns]")
    assert read(text).readers("turns") == 3


def test_every_graph_of_the_project_is_right() -> None:
    assert "default" in find_graphs()
    for name in find_graphs():
        assert load_graph(name, load_settings()).name == name


def test_a_stream_argument_left_out_is_the_port_of_its_name() -> None:
    assert read(changed("mock, playback: playback", "mock")).streams[2].steps[0].reads == {"playback": "playback"}


def test_an_operator_without_arguments_may_be_a_word() -> None:
    assert read(changed("{window: {ms: 20}}", "window")).streams[0].steps[1].arguments == {"ms": 20}


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
    "unknown operator": (
        changed("resample: {rate: 8000}", "resampel: {rate: 8000}"),
        "g.yaml:5:16: there is no operator 'resampel'. Did you mean 'resample'?",
    ),
    "two operators in one": (
        changed("{resample: {rate: 8000}}, {window: {ms: 20}}", "{resample: {rate: 8000}, window: {ms: 20}}"),
        "an operator is written {name:",
    ),
    "arguments are a number": (
        changed("{window: {ms: 20}}", "{window: 20}"),
        "window: arguments are written",
    ),
    "unknown argument": (
        changed("{ms: 20}", "{msec: 20}"),
        "g.yaml:5:51: window: there is no argument 'msec'. Did you mean 'ms'? It takes: ms",
    ),
    "missing argument": (
        changed("{rate: 8000}", "{}"),
        "g.yaml:5:16: resample: the argument 'rate' is missing",
    ),
    "argument twice": (changed("{ms: 20}", "{ms: 20, ms: 30}"), "window: 'ms' stands here twice"),
    "rate not allowed": (
        changed("rate: 8000", "rate: 8001"),
        "resample: rate: 8001: input should be 8000, 16000 or 48000",
    ),
    "wrong type": (changed("ms: 20", "ms: twenty"), "window: ms: 'twenty': input should be a valid integer"),
    "text for a number": (
        changed("start_frames: 6", "start_frames: '6'"),
        "turn_events: start_frames: '6': input should be a valid integer",
    ),
    "out of range": (
        changed("start_frames: 6", "start_frames: 0"),
        "turn_events: start_frames: 0: input should be greater than or equal to 1",
    ),
    "unknown setting": (
        changed("start_frames: 6", "start_frames: ${VAD_START}"),
        "${VAD_START}: there is no such setting.",
    ),
    "a secret": (
        changed("orchestrator: mock", "orchestrator: ${LIVEKIT_API_SECRET}"),
        "a secret has no place in a graph",
    ),
    "48 kHz into the VAD": (
        changed("{resample: {rate: 8000}}, ", ""),
        "vad can't take frames 48 kHz 20 ms; it takes frames 8 kHz 10 ms or",
    ),
    "audio into the VAD": (
        changed(", {window: {ms: 20}}", ""),
        "vad can't take audio 8 kHz; it takes frames 8 kHz",
    ),
    "turns into resample": (
        changed("[{reply: {orchestrator: mock, playback: playback}}]", "[{resample: {rate: 48000}}]"),
        "resample can't take turns 8 kHz; it takes audio or replies",
    ),
    "wrong stream argument": (
        changed("mock, playback: playback", "mock, playback: frames"),
        "reply: playback: 'frames' carries frames 8 kHz 20 ms, playback is needed",
    ),
    "stream argument from nowhere": (
        changed("mock, playback: playback", "mock, playback: playbak"),
        "there is no stream 'playbak'. Did you mean 'playback'?",
    ),
    "8 kHz into the speaker": (
        changed("  speaker: voice", "  speaker: replies"),
        "speaker: 'replies' carries replies 8 kHz; this port takes replies 48 kHz",
    ),
    "frames into events": (
        changed("events: turns", "events: [turns, frames]"),
        "events: 'frames' carries frames 8 kHz 20 ms; this port takes",
    ),
    "unknown port": (
        changed("  speaker: voice", "  speakers: voice"),
        "output 'speakers': there is no such port. Did you mean 'speaker'?",
    ),
    "no outputs": (
        GOOD[: GOOD.index("  speaker")].rstrip() + " {}\n",
        "no output: bind at least one of speaker, events",
    ),
    "unused stream": (
        changed("  speaker: voice\n", ""),
        "g.yaml:14:3: stream 'voice' is never used: bind it to an output or delete it",
    ),
    "cycle": (changed("from: caller", "from: voice"), "a cycle: "),
    "merge of unlike": (
        changed("from: turns", "from: [turns, frames]"),
        "'frames' carries frames 8 kHz 20 ms, 'turns' turns 8 kHz: only alike streams merge",
    ),
    "frames of two lengths": (
        changed("- vad: {backend: webrtc}\n", "- vad\n      - combine: {other: short, rule: both}\n").replace(
            "  turns:\n",
            "  short:\n    from: caller\n    through: [{resample: {rate: 8000}}, {window: {ms: 10}}, vad]\n  turns:\n",
            1,
        ),
        "combine: other: 'short' carries voiced 8 kHz 10 ms, what flows in is voiced 8 kHz 20 ms: frames meet only",
    ),
    "a tap into no WAV": (
        changed("{window: {ms: 20}}", "{tap: {file: voice_node.log}}, {window: {ms: 20}}"),
        "g.yaml:5:54: tap: file: 'voice_node.log': string should match pattern",
    ),
    "stream argument missing": (
        changed("{window: {ms: 20}}", "{window: {ms: 20}}, vad, {combine: {rule: both}}"),
        "combine: the argument 'other' is missing; it names a stream of voiced",
    ),
    "a VAD that is not there": (
        changed("backend: webrtc", "backend: wrbtc"),
        "g.yaml:9:24: vad: backend: 'wrbtc': there is no such backend. Did you mean 'webrtc'? There are: confirm",
    ),
    "an orchestrator that is not there": (
        changed("orchestrator: mock", "orchestrator: mok"),
        "g.yaml:13:38: reply: orchestrator: 'mok': there is none of that name. Did you mean 'mock'? There are: echo",
    ),
    "an orchestrator that is no class's path": (
        changed("orchestrator: mock", "orchestrator: 'my bot:Bot'"),
        "g.yaml:13:38: reply: orchestrator: 'my bot:Bot': this is no package.module:Class.",
    ),
    "an orchestrator without a class": (
        changed("orchestrator: mock", "orchestrator: 'my_bot:'"),
        "'my_bot:': this is no package.module:Class.",
    ),
    "an empty orchestrator": (changed("orchestrator: mock", "orchestrator: ''"), "'': there is none of that name."),
    "an utterance shorter than its pre-roll": (
        changed("end_frames: 10,", "end_frames: 10, preroll_ms: 2000, longest_s: 2,"),
        "g.yaml:10:9: turn_events: longest_s: 2: an utterance has at least 2.2 s here: 2000 ms up to its start",
    ),
    "an utterance shorter than what starts it": (
        changed("start_frames: 6, end_frames: 10,", "start_frames: 50, end_frames: 1, longest_s: 1,"),
        "turn_events: longest_s: 1: an utterance has at least 1.02 s here: 1000 ms up to its start",
    ),
    "an utterance shorter than the patience": (
        changed("end_frames: 10,", "end_frames: 10, patience_ms: 7900, longest_s: 8,"),
        "at least 8.14 s here: 240 ms up to its start (preroll_ms, start_frames) and 7900 ms of patience_ms",
    ),
    "less patience than with everybody": (
        changed("end_frames: 10,", "end_frames: 10, patience_ms: 200,"),
        "patience_ms: 200: end_frames waits 200 ms already",
    ),
    "an utterance shorter than what is no cough": (
        changed("end_frames: 10,", "end_frames: 10, barge_in: pause, cough_ms: 900, longest_s: 1,"),
        "g.yaml:10:9: turn_events: cough_ms: 900: nobody could interrupt a reply: "
        "whoever talks for longest_s (1 s, with preroll_ms) is still taken for a cough",
    ),
    "an utterance shorter than what ends it": (
        changed("end_frames: 10,", "end_frames: 400, longest_s: 8,"),
        "at least 8.24 s here: 240 ms up to its start (preroll_ms, start_frames) and 8000 ms of end_frames",
    ),
    "two that make turns": (
        changed("  replies:\n", "  more:\n    from: frames\n    through: [vad, turn_events]\n  replies:\n").replace(
            "events: turns", "events: [turns, more]"
        ),
        "g.yaml:13:20: turn_events: turn_events in line 10 makes turns already, and both would use the same trace_ids: "
        "join the voiced frames before it (combine)",
    ),
    "two that answer": (
        changed("from: replies", "from: [replies, others]").replace(
            "  voice:\n", "  others:\n    from: turns\n    through: [{reply: {orchestrator: echo}}]\n  voice:\n"
        ),
        "g.yaml:16:16: reply: reply in line 13 makes replies already, and both would use the same trace_ids: "
        "let one orchestrator decide what to say",
    ),
    "a rate that is text": (
        changed("rate: 8000", "rate: 8 kHz"),
        "g.yaml:5:33: resample: rate: '8 kHz': input should be",
    ),
    "an engine that is not there": (
        changed("rate: 8000", "rate: 8000, engine: soxr"),
        "resample: engine: 'soxr': input should be 'fir', 'soxr-qq'",
    ),
    "a rule that is not there": (
        changed("end_frames: 10,", "end_frames: 10, barge_in: cutt,"),
        "turn_events: barge_in: 'cutt': input should be 'stop', 'pause' or 'ignore'",
    ),
    "a window that is too long": (
        changed("ms: 20", "ms: 2000"),
        "window: ms: 2000: input should be less than or equal",
    ),
    "a number is no stream": (changed("from: frames", "from: 3"), "g.yaml:7:11: there is no stream 3."),
    "a port that only goes out": (changed("from: frames", "from: speaker"), "there is no stream 'speaker'."),
    "nested too deep": ("version: " + "[" * 5000 + "]" * 5000, "nested too deep"),
    "too large": ("#" * 300_000, "a graph file has at most"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_graph_is_refused_with_place_and_reason(text: str, expected: str) -> None:
    said = errors(text)
    assert any(expected in line for line in said), said
    assert all(re.match(r"g\.yaml:\d+:\d+: ", line) for line in said) or len(said) == 1, said
    assert all(line.startswith("g.yaml:") for line in said), said


def test_all_mistakes_are_said_at_once_and_none_of_what_follows_from_them() -> None:
    text = (
        GOOD.replace("rate: 8000", "rate: 1")
        .replace("orchestrator: mock", "orchestra: mock")
        .replace("speaker: voice", "speaker: voices")
    )
    said = errors(text)
    assert len(said) == 4, said  # the three, and that `voice` is now unused
    assert {line.split(":")[1] for line in said} == {"5", "13", "14", "18"}


def test_more_streams_and_operators_than_can_be_called_into_each_other_are_refused() -> None:
    chain = "".join(f"  s{i}: {{from: s{i + 1}}}\n" for i in range(3000))
    assert errors(f"version: 1\nstreams:\n{chain}  s3000: {{from: caller}}\noutputs: {{events: s0}}\n") == [
        "g.yaml:3:3: 3001 streams and operators; a graph has at most 200"
    ]


def test_what_is_no_file_is_no_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "graphs" / "folder.yaml").mkdir(parents=True)
    (tmp_path / "graphs" / "dangling.yaml").symlink_to(tmp_path / "nothing")
    monkeypatch.chdir(tmp_path)
    assert {"folder", "dangling"}.isdisjoint(find_graphs())


def test_a_graph_that_is_not_there_names_the_ones_that_are() -> None:
    with pytest.raises(
        UserError,
        match=r"graph 'defualt': there is none of that name\. Did you mean 'default'\? There are: .*default",
    ):
        load_graph("defualt", load_settings())


def test_a_path_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read: No such file"):
        load_graph(str(tmp_path / "no.yaml"), load_settings())
    (tmp_path / "d.yaml").mkdir()
    with pytest.raises(UserError, match=r"a folder\. Name a graph in it"):
        load_graph(str(tmp_path / "d.yaml"), load_settings())
    (tmp_path / "b.yaml").write_bytes(b"version: \xff\xfe")
    with pytest.raises(UserError, match="byte 9 is not UTF-8"):
        load_graph(str(tmp_path / "b.yaml"), load_settings())
