"""Another graph in a running node, watched or asked for by SIGHUP; and what SIGHUP means where a terminal closes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.caller import Caller
from tests.e2e.process import ROOT, NodeProcess, run_node
from tests.e2e.rooms import caller, run
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e

TONE = (ROOT / "graphs" / "default.yaml").read_text()  # answers with MOCK_REPLY
ECHO = (ROOT / "graphs" / "echo.yaml").read_text()
TONE_MS = 3000


def save(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


async def asks(alice: Caller) -> int:
    """Say something until the reply begins; how many events came before."""
    told = len(alice.events)
    await alice.say(vowel(0.6) + silence(0.4))
    await alice.wait_for_event("playback_started", after=told)
    return told


@pytest.mark.parametrize("how", ["--watch", "SIGHUP"])
def test_a_changed_graph_takes_over_between_turns_and_a_broken_one_never(
    livekit_url: str, room: str, tmp_path: Path, how: str
) -> None:
    graph = tmp_path / "talk.yaml"
    graph.write_text(TONE)
    arguments = ["run", "--graph", "talk.yaml", *(["--watch"] if how == "--watch" else [])]

    async def scenario() -> None:
        async with (
            NodeProcess(
                tmp_path, livekit_url, room, *arguments, MOCK_REPLY=f"tone:{TONE_MS / 1000}", RECORD_DIR="calls"
            ) as node,
            caller(livekit_url, room) as alice,
        ):

            def changed(text: str) -> None:
                save(graph, text)
                if how == "SIGHUP":
                    node.send(signal.SIGHUP)

            await alice.wait_for_event("listening_to", identity="alice")
            await asks(alice)
            changed(ECHO)
            await node.until(lambda: len(node.logged("graph_loaded")) == 2, "the graph loaded again")
            first = await alice.wait_for_event("turn")
            assert (first["outcome"], first["heard_ms"]) == ("completed", TONE_MS)  # it was not cut
            switched = await alice.wait_for_event("graph_switched")
            assert switched["before"] == first["session_id"]

            told = await asks(alice)
            second = await alice.wait_for_event("turn", after=told)
            assert second["session_id"] == switched["session_id"]
            assert second["outcome"] == "completed"
            assert 500 < second["heard_ms"] < 2000  # what was said, and not the tone

            changed(ECHO.replace("window", "widow"))
            refused = await alice.wait_for_event("graph_refused")
            assert "talk.yaml:" in refused["detail"]
            assert "Did you mean 'window'?" in refused["detail"]
            await node.until(lambda: "graph talk is refused, the one before goes on" in node.err, "a line of it")
            told = await asks(alice)
            third = await alice.wait_for_event("turn", after=told)
            assert third["session_id"] == second["session_id"]
            assert third["outcome"] == "completed"
        lines = node.metrics
        assert len({line["trace_id"] for line in lines}) == len(lines) >= 3
        assert not node.logged("session_broke")
        assert "Traceback" not in node.err
        calls = sorted((tmp_path / "calls").iterdir())
        assert [(call / "graph.yaml").read_text() for call in calls] == [TONE, ECHO]
        replayed = run_node("replay", *calls, cwd=tmp_path)
        assert replayed.code == 0, replayed.said
        assert replayed.out.count("events as when it was recorded") == 2

    run(scenario())


def test_a_node_whose_terminal_is_closed_ends_as_it_should(livekit_url: str, room: str, tmp_path: Path) -> None:
    keeper, terminal = os.openpty()

    async def scenario() -> None:
        node = NodeProcess(tmp_path, livekit_url, room, MOCK_REPLY="tone:60")
        node.terminal = terminal
        async with node, caller(livekit_url, room) as alice:
            os.close(terminal)
            await alice.wait_for_event("listening_to", identity="alice")
            node.send(signal.SIGHUP)  # its terminal is there: this asks for the graph
            await node.until(lambda: node.logged("graph_unchanged"), "the graph read again")
            await asks(alice)
            os.close(keeper)
            node.send(signal.SIGHUP)  # the system has sent one, and shells send another
            assert await node.ended() == 0
            assert (await alice.wait_for_event("turn"))["outcome"] == "closed"
            assert [line["outcome"] for line in node.metrics][-1] == "closed"
            assert node.logged("leave")

    run(scenario())
