"""The caller's part of a graph: what can be heard once for all cells of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from reactivex import Observable

from tests.graph.our_graphs import our_graphs, set_keys
from webapi.voice_node import vad
from webapi.voice_node.config import load_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.kinds import AUDIO, PLAYBACK, VOICED, BuildInfo, Operator, operator
from webapi.voice_node.plugins import Plugins
from webapi.voice_node.replay.sweep.caller_part import CallerPart, split
from webapi.voice_node.vad import BUILT_IN

TEXT = load_graph("default", load_settings(None)).text


def part(graph: str = "default", text: str | None = None, **settings: Any) -> CallerPart | None:
    made = load_settings(None, **settings)
    return split(read_graph(text, Path("g.yaml"), made) if text else load_graph(graph, made))


def key(graph: str = "default", **settings: Any) -> str:
    found = part(graph, **settings)
    assert found is not None
    return found.section.key


def test_the_default_graph_in_two_parts() -> None:
    found = part()
    assert found is not None
    frames = found.section.before
    assert [made.step.operator for made in found.section.steps] == ["vad"]
    assert frames is not None
    assert [made.step.operator for made in frames.steps] == ["resample", "window"]
    assert frames.before is None
    assert [(stream.name, stream.sources) for stream in found.rest.streams] == [
        ("turns", ("caller",)), ("voice", ("turns",)),
    ]  # fmt: skip
    assert [step.operator for step in found.rest.streams[0].steps] == ["turn_events"]
    assert found.rest.outputs == {"speaker": ("voice",), "events": ("turns",)}


@pytest.mark.parametrize("name", our_graphs())
def test_every_graph_of_ours_has_a_part_that_hears_only_the_caller(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)
    made = load_settings(None)
    assert split(load_graph(name, made, recorded=True)) is not None


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"vad_speech_start_frames": 9, "vad_speech_end_frames": 4, "vad_preroll_ms": 100}, True),
        ({"mock_reply": "tone:3", "mock_think_ms": 500, "reply_timeout_ms": 100}, True),
        ({"echo_cancel": "never"}, True),  # in a sweep no audio has an echo in it
        ({"vad_backend": "confirm"}, False),
        ({"audio_target_rate": 16000}, False),
        ({"audio_frame_ms": 10}, False),
    ],
)
def test_what_changes_what_is_heard(settings: dict[str, Any], same: bool) -> None:
    assert (key(**settings) == key()) is same


def test_graphs_that_hear_the_same_share_it() -> None:
    assert key("cough") == key("no-barge-in") == key("default")
    assert key("wideband") == key("default", audio_target_rate=16000)


def test_a_detector_that_stands_in_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    other = key(vad_backend="sierra")
    assert other in (key(vad_backend="confirm"), key(vad_backend="webrtc"))  # no package of that name is installed


def test_two_detectors_have_a_part_each_and_one_that_joins_them() -> None:
    found = part("two-vads")
    assert found is not None
    assert [made.step.operator for made in found.section.steps] == ["combine"]
    assert found.section.before is not None
    assert found.section.other is not None
    assert found.section.before.key != found.section.other.key
    assert found.section.other.key == key("wideband")


def test_an_echo_canceller_that_always_works_hears_what_the_bot_plays() -> None:
    assert part(echo_cancel="always") is None
    silent = TEXT.replace("  voice:", "  unused:").split("  unused:")[0] + "outputs: {events: turns}\n"
    silent = silent.replace("playback: playback", "answered: false")
    assert "cancel_echo" in silent
    assert part(text=silent, echo_cancel="always") is not None  # nothing plays


# ---------------------------------------------------------------- operators of other packages

Put = Callable[[Operator[Any, Any]], None]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Put:
    """Puts an operator into the table, as another package would."""
    return lambda made: monkeypatch.setitem(TABLE._built_in, made.name, made)


@operator(takes=AUDIO)
def plain(*, db: float = 0.0) -> Any:
    """As it came."""
    return lambda source: source


@operator(takes=AUDIO)
def knowing(*, info: BuildInfo) -> Any:
    """As it came; it might ask the session's clock, too."""
    return lambda source: source


def with_step(step: str) -> str:
    return TEXT.replace(
        '      - resample: {rate: "${AUDIO_TARGET_RATE}"}', f"      - {step}\n      - resample: {{rate: 8000}}"
    )


def test_one_that_has_only_its_input_and_arguments_is_in_the_callers_part_and_not_on_disk(put: Put) -> None:
    put(plain)
    found, louder = part(text=with_step("plain")), part(text=with_step("plain: {db: 3.0}"))
    assert found is not None
    assert louder is not None
    assert found.section.key != louder.section.key
    own = part()
    assert own is not None
    assert (own.section.own, found.section.own) == (True, False)


def test_one_that_is_told_about_the_session_is_not(put: Put) -> None:
    put(knowing)
    assert part(text=with_step("knowing")) is None  # it is in front of all that hears


@operator(takes=VOICED)
def asking(*, playback: Annotated[Observable[Any], PLAYBACK], info: BuildInfo) -> Any:
    """As it came; it hears what the bot plays."""
    return lambda source: source


@pytest.mark.parametrize(
    "between",
    [
        "      - asking\n",
        "  answers:\n    from: heard\n    through: [asking]\n  turns:\n    from: answers\n    through:\n",
    ],
)
def test_one_between_the_detector_and_the_turns_is_in_the_rest(put: Put, between: str) -> None:
    put(asking)
    detector = '      - vad: {backend: "${VAD_BACKEND}"}\n'
    text = TEXT.replace(detector, detector + between)
    if "answers" in between:
        text = text.replace("  turns:  ", "  heard:  ")
    found, own = part(text=text), part()
    assert found is not None
    assert own is not None
    assert found.section.key == own.section.key
    steps = [step.operator for stream in found.rest.streams for step in stream.steps]
    assert steps == ["asking", "turn_events", "reply", "resample"]


def test_a_detector_of_another_package_is_not_kept_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Plugins("VAD backend", "none", {**BUILT_IN, "loud": lambda rate, ms: None})
    monkeypatch.setattr(vad, "BACKENDS", other)
    found = part(vad_backend="loud")
    assert found is not None
    assert found.section.own is False
    assert found.section.before is not None
    assert found.section.before.own is True
