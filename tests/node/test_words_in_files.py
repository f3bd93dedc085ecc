"""LOG_TRANSCRIPTS: without it, nothing that was said is in the log or in the metrics."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.node.conftest import Lines, Logging
from tests.speech import silence, vowel
from tests.stage import CHUNK_BYTES, RATE_HZ, Ear
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.events import Digit, Event
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.metrics import MetricsFile
from webapi.voice_node.node.live_session import LiveSession
from webapi.voice_node.room.session_port import SessionRequest

CALLER, PART_OF_IT = "my number is 4711", "my number"
BOT = ("Of course, 4711.", "For how many people?")
CARD = "4711-0815"
KEY: Digit = "A"
SAID = ("4711", "number is", "my number", "Of course", "how many", "people", CARD)
ORCHESTRATOR = "tests.reply.talkative:Confiding"
SCRIPT = silence(0.5) + vowel(0.6) + silence(1.8) + vowel(0.6) + silence(3)


def talk(tmp_path: Path, **given: Any) -> tuple[list[Event], list[dict[str, Any]]]:
    """A live session in virtual time, with its metrics in a file. Returns its events, and what clients were sent."""
    settings = load_settings(None, orchestrator=ORCHESTRATOR, vad_backend="webrtc", **given)

    async def main() -> tuple[list[Event], list[dict[str, Any]]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        events: list[Event] = []
        sent: list[dict[str, Any]] = []
        broken: list[Exception] = []
        metrics = MetricsFile(tmp_path / "metrics.jsonl", "node-1")
        request = SessionRequest(
            session_id="s", room="demo", caller=CallerInfo("anna"), sink=Ear(loop), clock=loop.clock_us,
            since_us=loop.now_us, tap=events.append, send=lambda message: sent.append(dict(message)),
            broke=broken.append,
        )  # fmt: skip
        graph = load_graph("default", settings)
        session = LiveSession(request, graph, settings, metrics.write, is_outdated=lambda: False)
        for at in range(0, len(SCRIPT), CHUNK_BYTES):
            if at % (100 * CHUNK_BYTES) == 0:
                session.press(KEY, loop.clock_us())
            await asyncio.sleep(0.01)
            session.hear(SCRIPT[at : at + CHUNK_BYTES], RATE_HZ)
        await session.close()
        metrics.close()
        assert broken == []
        return events, sent

    return run_virtual(main())


def test_words_are_in_neither_file_unless_they_are_asked_for(
    tmp_path: Path, logging_to: Logging, capfd: pytest.CaptureFixture[str]
) -> None:
    with logging_to(log_level="DEBUG"):
        events, sent = talk(tmp_path)
    names = [event.name for event in events]
    assert {"transcript", "heard_text", "message_sent", "hook_failed", "barge_in", "hung_up"} <= set(names)
    log, metrics = ((tmp_path / name).read_text("utf-8") for name in ("log.jsonl", "metrics.jsonl"))
    assert names.count("transcript") == log.count('"event": "transcript"') > 4
    keys = [line for line in map(json.loads, log.splitlines()) if line["event"] == "dtmf"]
    assert {(line["message"], line["level"], line.get("digit")) for line in keys} == {
        ("caller pressed a key (turn 0)", "INFO", None),
        ("caller pressed a key (turn 1)", "INFO", None),
    }
    assert len(keys) == names.count("dtmf") == 7
    failed = [line for line in map(json.loads, log.splitlines()) if line.get("hook") == "on_dtmf"]
    assert {line["detail"] for line in failed} >= {"KeyError"}
    assert "KeyError: " not in log
    for place in (log, metrics, capfd.readouterr().err, json.dumps(sent)):
        assert place
        assert [words for words in SAID if words in place] == []


def test_with_the_setting_they_are_in_both(tmp_path: Path, logging_to: Logging, written: Lines) -> None:
    with logging_to():
        _, sent = talk(tmp_path, log_transcripts=True)
    lines = written()
    told = [(line["speaker"], line["text"]) for line in lines if line["event"] == "transcript"]
    assert told[:3] == [("caller", CALLER), *(("bot", text) for text in BOT)]
    assert next(line["message"] for line in lines if line["event"] == "transcript") == f"caller said (turn 0): {CALLER}"
    heard = next(line for line in lines if line["event"] == "heard_text")
    assert heard["text"].startswith(BOT[0])
    (*_, key) = (line for line in lines if line["event"] == "dtmf")
    assert (key["digit"], key["message"]) == ("A", "caller pressed a key (turn 1): A")
    assert any(line.get("detail") == "KeyError: 'A'" for line in lines)
    assert next(line for line in lines if line["event"] == "message_sent")["message_"] == {"card": CARD}
    turns = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert turns[0]["words"] == {"caller": CALLER, "bot": " ".join(BOT)}
    assert [message for message in sent if "words" in message] == []  # clients have them by the events
    assert [message["trace_id"] for message in sent if message["event"] == "turn"] == [t["trace_id"] for t in turns]


def test_the_turn_of_a_wrong_call_is_named(tmp_path: Path) -> None:
    """A mistake that has no words in it is shown, so that it can be found."""
    events, _ = talk(tmp_path)
    failed = [getattr(event, "detail", "") for event in events if event.name == "hook_failed"]
    assert "this call has no turn with the trace_id 's-9999'" in failed
    assert "this call has no turn with the trace_id 17 characters" in failed


@pytest.mark.parametrize("words", [False, True])
def test_debug_lines_of_libraries_that_quote_requests_are_left_out(
    logging_to: Logging, written: Lines, words: bool
) -> None:
    names = ["openai._base_client", "httpcore.http11", "livekit.agents", "websockets.client", "asyncio", "openaix"]
    with logging_to(log_level="DEBUG", log_transcripts=words):
        for name in names:
            logging.getLogger(name).debug("Request options: %s", CALLER)
            logging.getLogger(name).info("done")
    lines = [line for line in written() if line.get("logger") in names]
    quoted = [line["logger"] for line in lines if CALLER in line["message"]]
    assert quoted == (names if words else ["asyncio", "openaix"])
    assert [line["logger"] for line in lines if line["message"] == "done"] == names
