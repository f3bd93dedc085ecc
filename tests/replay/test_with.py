"""Calls whose graph makes the orchestrator with arguments: replayed without its class, or asked again with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.replay.test_changes import of, record
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.orchestrator_mock import tone
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges

GRAPH = load_graph("default", load_settings(None)).text
TURN = [("speech", 0.6), ("quiet", 4.0)]
KEY = "sk-0123456789"


class Keyed:
    """Answers with a tone where it has a key, and fails with the key in its error where the tone is 0 s long."""

    def __init__(self, api_key: str, seconds: float = 1.0) -> None:
        self.api_key, self.seconds = api_key, seconds

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        if not self.seconds:
            raise RuntimeError(f"the key {self.api_key} is refused")
        yield tone(self.seconds, 8000, 440)


def graph(orchestrator: str, made_with: str) -> str:
    """The default graph with that orchestrator."""
    assert '"${ORCHESTRATOR}"' in GRAPH
    return GRAPH.replace('"${ORCHESTRATOR}"', f"'{orchestrator}', with: {made_with}")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recorded call, after which the key is not in the environment any more."""
    monkeypatch.setenv("BOT_KEY", KEY)
    made_with = "{api_key: '${BOT_KEY}', seconds: 0.5}"
    events = record(tmp_path / "call", TURN, graph_text=graph("tests.replay.test_with:Keyed", made_with))
    assert of(events, "playback_ended")[0]["heard_ms"] == 500
    monkeypatch.delenv("BOT_KEY")
    return tmp_path / "call"


def test_a_recording_has_the_name_of_the_variable_and_is_replayed_without_class_and_key(call: Path) -> None:
    assert "${BOT_KEY}" in (call / "graph.yaml").read_text()
    assert all(KEY.encode() not in path.read_bytes() for path in call.iterdir())
    text = (call / "graph.yaml").read_text()
    (call / "graph.yaml").write_text(text.replace("tests.replay.test_with:Keyed", "not_installed:Bot"))
    replayed = replay_call(call)
    assert of(replayed.events, "playback_ended")[0]["heard_ms"] == 500
    assert not replayed.problems


def test_asked_again_it_is_made_with_its_arguments(call: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = ReplayChanges(live=True)
    with pytest.raises(UserError, match=r"graph\.yaml:\d+:\d+: \$\{BOT_KEY\}: this variable is not set"):
        replay_call(call, changes=live)
    monkeypatch.setenv("BOT_KEY", "another-key")
    again = replay_call(call, changes=live)
    assert of(again.events, "playback_ended")[0]["heard_ms"] == 500


def test_an_error_of_the_orchestrator_does_not_have_the_key_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_KEY", KEY)
    text = graph("tests.replay.test_with:Keyed", "{api_key: '${BOT_KEY}', seconds: 0}")
    (ended,) = of(record(tmp_path / "call", TURN, graph_text=text), "reply_ended")
    assert ended["detail"] == "RuntimeError: the key ${BOT_KEY} is refused"


def test_the_mock_says_what_the_graph_gives_it(tmp_path: Path) -> None:
    text = graph("mock", "{reply: 'tone:0.7', think_ms: 300}")
    events = record(tmp_path / "call", TURN, graph_text=text, mock_reply="tone:3", mock_think_ms=0)
    assert of(events, "playback_ended")[0]["heard_ms"] == 700
    thought_s = of(events, "tts_first_chunk")[0]["t"] - of(events, "speech_ended")[0]["t"]
    assert thought_s == pytest.approx(0.3, abs=0.02)  # the clock of a recording stutters


def test_a_setting_that_with_takes_the_place_of_is_said_to_change_nothing(tmp_path: Path) -> None:
    record(tmp_path / "call", TURN, graph_text=graph("mock", "{reply: beep, think_ms: '${WEB_PORT}'}"))
    replayed = replay_call(
        tmp_path / "call", changes=ReplayChanges(settings={"mock_reply": "echo", "mock_think_ms": 1, "web_port": 5})
    )
    unused, also_unused, unheard = replayed.without_effect
    assert unused.endswith("does not use MOCK_REPLY")
    assert also_unused.endswith("does not use MOCK_THINK_MS")
    assert unheard.startswith("WEB_PORT changes nothing where the recording answers")
