"""Graph files: right ones are read whole, wrong ones are refused with all mistakes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.graph.good_graph import GOOD, assert_refused, changed, errors, read
from tests.graph.our_graphs import our_graphs, set_keys
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.reader import read_graph


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


def test_every_graph_of_the_project_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "default" in our_graphs()
    set_keys(monkeypatch)
    for name in our_graphs():
        assert load_graph(name, load_settings()).name == name


def test_a_stream_argument_left_out_is_the_port_of_its_name() -> None:
    assert read(changed("mock, playback: playback", "mock")).streams[2].steps[0].reads == {"playback": "playback"}


def test_an_operator_without_arguments_may_be_a_word() -> None:
    assert read(changed("{window: {ms: 20}}", "window")).streams[0].steps[1].arguments == {"ms": 20}


WRONG = {
    "8 kHz into the speaker": (
        changed("  speaker: voice", "  speaker: replies"),
        "speaker: 'replies' carries replies 8 kHz; this port takes replies 48 kHz",
    ),
    "frames into events": (
        changed("events: turns", "events: [turns, frames]"),
        "events: 'frames' carries frames 8 kHz 20 ms; this port takes",
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
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_streams_that_do_not_fit_are_refused_with_place_and_reason(text: str, expected: str) -> None:
    assert_refused(text, expected)


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
