"""What goes wrong outside the node: said in words, exit code 2, nothing lost; or, in a call, borne."""

from __future__ import annotations

import socket
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from livekit import api

from tests.e2e.caller import Caller
from tests.e2e.output_checks import check_line
from tests.e2e.process import Ended, NodeProcess, run_node
from tests.e2e.retries import Retries
from tests.e2e.rooms import caller, run, server_api
from tests.e2e.scripted_orchestrator import GOOD, SCRIPT
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e

NOBODY = "ws://127.0.0.1:9"  # the discard port: nothing listens there
BEFORE = '{"trace_id": "of a node before this one", "outcome": "completed"}\n'


def refused(folder: Path, *arguments: str, url: str = NOBODY, **variables: object) -> Ended:
    """What a node says that ends at once: in words, with exit code 2, and with the metrics of before untouched."""
    metrics = folder / "metrics.jsonl"
    metrics.write_text(BEFORE)
    settings = {"VAD_BACKEND": "webrtc", "WEB_PORT": 0, "LIVEKIT_URL": url, **variables}
    ended = run_node("--graph", "default", "--no-dev-server", *arguments, cwd=folder, **settings)
    assert ended.code == 2, ended.said
    assert "Traceback" not in ended.said
    assert metrics.read_text() == BEFORE
    return ended


# ---------------------------------------------------------------- the server


def test_nothing_at_the_url(tmp_path: Path) -> None:
    ended = refused(tmp_path)
    assert f"LIVEKIT_URL={NOBODY}: nothing listens there" in ended.err
    assert "livekit-server" in ended.err  # what to do
    assert "signal" not in ended.err  # what the SDK says of each try
    assert "Open" not in ended.out  # a page that would lead nowhere
    refused(tmp_path, LOG_LEVEL="DEBUG")
    assert "signal" in (tmp_path / "voice_node.log").read_text()


@pytest.mark.parametrize("status", [200, 404])
def test_a_url_that_is_not_livekits(tmp_path: Path, status: int) -> None:
    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"<html>a web page</html>")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        url = f"ws://127.0.0.1:{server.server_port}"
        said = refused(tmp_path, url=url).err
        server.shutdown()
        serving.join()
    assert f"LIVEKIT_URL={url}: a web server answers there" in said
    assert "Check host and port of LIVEKIT_URL" in said


def test_the_development_key_for_a_server_elsewhere(tmp_path: Path) -> None:
    said = refused(tmp_path, url="wss://livekit.example.org").err
    assert "LIVEKIT_API_KEY=devkey: " in said
    assert "LIVEKIT_API_SECRET (not shown): " in said
    assert said.count("wss://livekit.example.org") == 2


@pytest.mark.parametrize(
    "wrong", [{"LIVEKIT_API_KEY": "nobodyskey"}, {"LIVEKIT_API_SECRET": "a-secret-that-is-not-the-servers"}]
)
def test_a_key_or_secret_that_is_not_the_servers(
    livekit_url: str, room: str, tmp_path: Path, wrong: dict[str, str]
) -> None:
    ended = refused(tmp_path, url=livekit_url, LK_ROOM=room, **wrong)
    assert "the server refuses the node's token" in ended.err
    assert "Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET" in ended.err
    log = (tmp_path / "voice_node.log").read_text()
    for text in (ended.err, log):
        assert "a-secret-that-is-not" not in text
        assert "eyJ" not in text  # no token either


# ---------------------------------------------------------------- what the node is made of


def test_a_graph_that_is_not_there(tmp_path: Path) -> None:
    assert "graph 'defualt': there is none of that name. Did you mean 'default'?" in refused(
        tmp_path, "--graph", "defualt"
    ).err.replace("“", "'")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("version: 1\nstreams:\n  frames: {from: caller\n", "4:1", ""),
        ("version: 1\nstreams:\n  frames:\n    from: cellar\noutputs: {events: frames}\n", "4:11", "'cellar'"),
    ],
    ids=["broken YAML", "no such stream"],
)
def test_a_graph_that_is_wrong(tmp_path: Path, text: str, place: str, words: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    said = refused(tmp_path, "--graph", "mine.yaml").err
    assert f"mine.yaml:{place}: " in said
    assert words in said


def test_a_vad_backend_that_is_not_there(tmp_path: Path) -> None:
    said = refused(tmp_path, VAD_BACKEND="nonesuch").err
    assert "VAD_BACKEND=nonesuch" in said
    assert "webrtc" in said
    assert "VAD_BACKEND" in said


BRAINS = """
class Lacks:
    def on_speech_started(self, trace_id, ts_monotonic): pass

class Breaks(Lacks):
    on_speech_ended = on_barge_in_detected = get_audio_reply = stop_playback = Lacks.on_speech_started
    def __init__(self): raise RuntimeError("no key for the language model")
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.brain:Brain", "can't import 'nowhere.brain'"),
        ("brain:Nonesuch", "no class 'Nonesuch'. It has: Lacks, Breaks"),
        ("brain:Lacks", "the class lacks get_audio_reply"),
        ("brain:Breaks", "RuntimeError: no key for the language model"),
        ("brain", "package.module:Class"),
    ],
)
def test_an_orchestrator_that_can_not_be_had(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "brain.py").write_text(BRAINS)
    said = refused(tmp_path, ORCHESTRATOR=name).err
    assert f"ORCHESTRATOR={name}" in said
    assert words in said


# ---------------------------------------------------------------- settings, files and ports


def test_every_bad_value_is_told_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, VAD_SPEECH_START_FRAMES=0, AUDIO_TARGET_RATE=44100, MOCK_REPLY="tone:soon").err
    for words in ("VAD_SPEECH_START_FRAMES=0 (environment)", "AUDIO_TARGET_RATE=44100", "MOCK_REPLY=tone:soon"):
        assert words in said
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize("variable", ["LOG_FILE", "METRICS_FILE"])
def test_a_file_that_can_not_be_written(tmp_path: Path, variable: str) -> None:
    for path, why in ((tmp_path, "it is a directory"), (tmp_path / "nowhere" / "file", "")):
        said = refused(tmp_path, **{variable: str(path)}).err
        assert f"{variable}={path}: {why}" in said
        assert "or off" in said


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused(tmp_path, WEB_PORT=port).err
    assert f"WEB_PORT={port}: another program has that port" in said
    assert "WEB_PORT=0" in said


# ---------------------------------------------------------------- in a call


async def turn_of(alice: Caller) -> str:
    """Say something; its trace_id once the node has heard all of it."""
    told = len(alice.events)
    await alice.say(vowel(0.4) + silence(0.3))
    return str((await alice.wait_for_event("speech_ended", after=told))["trace_id"])


WRONG = {
    "Raises": "failed",
    "RaisesMidway": "failed",
    "GivesText": "failed",
    "Hangs": "timeout",
    "HangsMidway": "timeout",
    "Empty": "empty",
    "Odd": "completed",
    "Floods": "barged_in",
    "FloodsForever": "barged_in",
}


def test_an_orchestrator_that_goes_wrong_costs_its_own_turn_alone(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    """In one call, each turn that goes wrong is followed by one that is answered."""
    settings = {"ORCHESTRATOR": "tests.e2e.scripted_orchestrator:ScriptedOrchestrator", "REPLY_TIMEOUT_MS": 500}

    async def scenario() -> None:
        async with (
            NodeProcess(tmp_path, livekit_url, room, **settings) as node,
            caller(livekit_url, room) as alice,
        ):
            await alice.wait_for_event("listening_to", identity="alice")

            async def wrong_then_right(script: str, outcome: str) -> None:
                await alice.wait_for_silence(0.1)
                (tmp_path / SCRIPT).write_text(script)
                bad = await turn_of(alice)
                if outcome == "barged_in":  # an hour of audio: it is the next turn that ends it
                    await alice.wait_for_event("playback_started", trace_id=bad)
                else:
                    await alice.wait_for_event("turn", trace_id=bad)
                (tmp_path / SCRIPT).write_text(GOOD)
                good = await turn_of(alice)
                await alice.wait_for_event("turn", trace_id=good)
                bad_line, good_line = await node.metrics_of(bad), await node.metrics_of(good)
                for line in (bad_line, good_line):
                    check_line(line, room)
                assert bad_line["outcome"] == outcome
                assert (good_line["outcome"], good_line["heard_ms"]) == ("completed", pytest.approx(500, abs=20))
                if script == "Odd":
                    assert bad_line["heard_ms"] == pytest.approx(1000, abs=20)

            for script, outcome in WRONG.items():
                await retries.run(script, partial(wrong_then_right, script, outcome))
            assert not node.logged("session_broke")
        failures = [line for line in node.logged("reply_ended") if line["level"] == "WARNING"]
        assert {"no brain today", "lost the thread"} <= {line["detail"].partition(": ")[2] for line in failures}

    run(scenario())


def test_a_room_that_is_deleted_closes_the_turn_and_the_node_goes_on(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    async def scenario() -> None:
        async with NodeProcess(tmp_path, livekit_url, room, MOCK_REPLY="tone:600") as node:

            async def cut_off() -> None:
                async with caller(livekit_url, room) as alice, server_api(livekit_url) as server:
                    await alice.wait_for_event("listening_to", identity="alice")
                    trace_id = await turn_of(alice)
                    await alice.wait_for_sound()
                    await server.room.delete_room(api.DeleteRoomRequest(room=room))
                    line = await node.metrics_of(trace_id)
                check_line(line, room)
                assert line["outcome"] == "closed"
                assert line["playback_cancelled"]
                await node.until(
                    lambda: node.log[-1]["event"] != "leave" and node.logged("reconnected"), "the room again"
                )

            await retries.run("a deleted room", cut_off)
            assert any("the room was deleted" in line["message"] for line in node.logged("leave"))
            async with caller(livekit_url, room, "bob") as bob:
                await bob.wait_for_event("listening_to", identity="bob")

                async def answered() -> None:
                    await turn_of(bob)
                    await bob.wait_for_sound()

                await retries.run("a turn in the new room", answered)
        assert [line["outcome"] for line in node.metrics][-1] == "closed"  # by the stop

    run(scenario())


def test_a_disk_that_is_full_is_said_once_and_stops_nobody(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    full = Path("/dev/full")
    assert full.exists(), "this test needs Linux"

    async def scenario() -> None:
        async with (
            NodeProcess(tmp_path, livekit_url, room, METRICS_FILE=full, MOCK_REPLY="tone:0.3") as node,
            caller(livekit_url, room) as alice,
        ):
            await alice.wait_for_event("listening_to", identity="alice")

            async def turn() -> None:
                await alice.wait_for_event("turn", trace_id=await turn_of(alice))

            for _ in range(2):
                await retries.run("a turn", turn)
        (line,) = node.logged("metrics_failed")
        assert "No space left" in line["message"]

    run(scenario())
