"""The log: what a line holds, that no secret is in it, and what people see."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from tests.node.conftest import SECRET, Lines, Logging
from webapi.voice_node.errors import UserError, hidden_values


def test_a_line_is_time_level_message_and_what_was_bound_in_order(logging_to: Logging, written: Lines) -> None:
    with logging_to():
        logger.bind(event="join", room="demo", identity="ingobot").info("joined {braces} stay")
    (line,) = written()
    assert list(line) == ["time", "level", "message", "node", "event", "room", "identity"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert (line["level"], line["message"], line["identity"]) == ("INFO", "joined {braces} stay", "ingobot")


def test_any_value_can_be_bound_and_nothing_hides_the_time(logging_to: Logging, written: Lines) -> None:
    with logging_to():
        logger.bind(
            path=Path("a/b"),
            nan=float("nan"),
            pcm=bytes(320),
            deep={"x": [1, None]},
            time="mine",
            odd={(1, 2): 3},
        ).info("été\n\x1b[31m \udcff")
    (line,) = written()
    assert line["path"] == "a/b"
    assert line["nan"] == "nan"
    assert line["pcm"] == "320 bytes"
    assert line["deep"] == {"x": [1, None]}
    assert line["odd"] == "{(1, 2): 3}"
    assert line["time_"] == "mine"
    assert line["message"] == "été\n\x1b[31m \udcff"


def test_less_than_the_level_is_not_logged(logging_to: Logging, written: Lines) -> None:
    with logging_to(log_level="WARNING"):
        logger.info("quiet")
        logger.warning("loud")
    assert [line["message"] for line in written()] == ["loud"]


def test_secrets_and_tokens_never_arrive(
    logging_to: Logging, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.abc_def-123"
    with logging_to():
        logger.bind(secret=SECRET, nested={"k": [SECRET]}).info(f"the secret is {SECRET}, the token {token}")
        try:
            inner = SECRET
            raise RuntimeError(f"refused: {inner}")
        except RuntimeError:
            logger.exception("it failed")
        logging.getLogger("livekit").warning("ws://x/rtc?access_token=%s", token)
    text = (tmp_path / "log.jsonl").read_text("utf-8") + capsys.readouterr().err
    assert text.count("[hidden]") >= 8
    for form in (SECRET, "s3cr3t", token, "eyJ"):
        assert form not in text


def test_a_hidden_value_is_replaced_inside_of_texts_only_so_that_a_line_stays_json(
    logging_to: Logging, written: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hidden_values, "_HIDDEN", {})
    hidden_values.hide({"PIN": "160000", "PASSPHRASE": "message", "QUOTED": 'a "b" \\c'})
    with logging_to():
        logger.bind(utterance_bytes=160000, deep=[{"message": 'x a "b" \\c', "n": 1600001}]).info("160000 of message")
    (line,) = written()
    assert line["message"] == "${PIN} of ${PASSPHRASE}"
    assert line["utterance_bytes"] == 160000
    assert line["deep"] == [{"message": "x ${QUOTED}", "n": 1600001}]


def test_the_word_secret_stays_readable_with_the_development_key(logging_to: Logging, written: Lines) -> None:
    with logging_to(livekit_api_secret="secret"):
        logger.info("no secret here")
    assert written()[0]["message"] == "no secret here"


def test_an_exception_is_in_the_line_without_values(logging_to: Logging, written: Lines) -> None:
    with logging_to():
        try:
            number = 4711
            raise KeyError("k") if number else AssertionError
        except KeyError:
            logger.exception("it failed")
    (line,) = written()
    assert line["exception"].startswith("Traceback")
    assert "KeyError: 'k'" in line["exception"]
    assert "4711" not in line["exception"].replace("number = 4711", "")


def test_people_get_one_short_line(logging_to: Logging, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to():
        logger.bind(event="x").info("all is well")
        logger.warning("beware of\n\x1b[31m\x9b\u202ered")
        try:
            raise OSError("gone")
        except OSError:
            logger.exception("lost it")
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d\.\d{3} ", "", line) for line in lines] == [
        "all is well",
        "warning: beware of\\n\\x1b[31m\\x9b\\u202ered",
        "error: lost it (OSError: gone)",
    ]


def test_colour_on_a_terminal_only_and_not_against_the_users_wish(
    logging_to: Logging, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    with logging_to(terminal=True):
        logger.warning("x")
    assert "\x1b[33mwarning: x\x1b[0m" in capsys.readouterr().err
    monkeypatch.setenv("NO_COLOR", "1")
    with logging_to(terminal=True):
        logger.warning("x")
    assert "\x1b" not in capsys.readouterr().err


def test_libraries_are_heard_from_warnings_on_and_the_root_logger_is_given_back(
    logging_to: Logging, written: Lines
) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with logging_to():
        logging.getLogger("livekit").info("chatter")
        logging.getLogger("livekit").warning("room %s: {odd}", "demo")
        # To our handler alone: pytest's own raises for a message that its arguments don't fit.
        bad = logging.LogRecord("livekit", logging.WARNING, "", 0, "%d", ("no number",), None)
        root.handlers[-1].handle(bad)
        logging.getLogger("aiohttp").log(35, "own level")
    assert (root.level, list(root.handlers)) == before
    assert [(line["message"], line["level"], line["event"], line["logger"]) for line in written()] == [
        ("room demo: {odd}", "WARNING", "library", "livekit"),
        ("%d", "WARNING", "library", "livekit"),
        ("own level", "Level 35", "library", "aiohttp"),
    ]


@pytest.mark.parametrize(
    ("settings", "heard"), [({}, False), ({"log_level": "DEBUG"}, True), ({"log_file": "off"}, True)]
)
def test_the_sdks_own_lines_are_for_the_file_where_there_is_one(
    capsys: pytest.CaptureFixture[str], logging_to: Logging, settings: dict[str, Any], heard: bool
) -> None:
    with logging_to(**settings):
        logging.getLogger("livekit").warning("failed to connect, retrying")
        logging.getLogger("asyncio").warning("a slow callback")
    said = capsys.readouterr().err
    assert ("retrying" in said) is heard
    assert "a slow callback" in said


def test_libraries_say_all_when_we_debug(logging_to: Logging, written: Lines) -> None:
    with logging_to(log_level="DEBUG"):
        logging.getLogger("livekit").debug("chatter")
    assert [line["message"] for line in written()] == ["chatter"]


def test_no_file_when_it_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str], logging_to: Logging) -> None:
    with logging_to(log_file="off"):
        logger.info("only here")
    assert "only here" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_opened_is_the_users_to_mend(tmp_path: Path, logging_to: Logging) -> None:
    with pytest.raises(UserError, match=r"LOG_FILE=.*directory"), logging_to(log_file=tmp_path):
        pass


def test_what_libraries_say_after_the_end_is_not_printed_as_it_is(tmp_path: Path) -> None:
    """livekit's thread may log a refused token, whole, when the log is already closed."""
    program = (
        "import logging\n"
        "from webapi.voice_node.config import load_settings\n"
        "from webapi.voice_node.node.log_setup import configure\n"
        "configure(load_settings(None), terminal=False)()\n"
        "logging.getLogger('livekit').warning('invalid token: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl')\n"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "eyJ" not in said.stdout + said.stderr
