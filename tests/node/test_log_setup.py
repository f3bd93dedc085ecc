"""The log: what a line holds, that no secret is in it, what people see, and one line for each event."""

from __future__ import annotations

import inspect
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from loguru import logger

from webapi.voice_node import events
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import (
    BargeIn,
    Event,
    FramesDropped,
    HookFailed,
    PlaybackEnded,
    ReplyEnded,
    SpeechEnded,
    SpeechStarted,
    Turn,
)
from webapi.voice_node.node.event_log import event_tap, level_of, sentence
from webapi.voice_node.node.log_setup import configure

SECRET = 's3cr3t-"quoted"-é'
TURN = Turn("t-3", 3)
Lines: TypeAlias = Callable[[], list[dict[str, Any]]]
Logging: TypeAlias = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def logging_to(tmp_path: Path) -> Logging:
    """`with logging_to(terminal=…, log_level=…):` logs to log.jsonl; leaving it flushes."""

    @contextmanager
    def run(terminal: bool = False, **settings: Any) -> Iterator[None]:
        given = {
            "log_file": tmp_path / "log.jsonl",
            "livekit_api_secret": SECRET,
            "log_level": "INFO",
            **settings,
        }
        close = configure(Settings(**given), terminal=terminal)
        try:
            yield
        finally:
            close()

    return run


@pytest.fixture
def written(tmp_path: Path) -> Lines:
    return lambda: [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]


def all_events() -> list[Event]:
    """One of every kind, so that a new kind is not forgotten."""
    values: dict[str, Any] = {
        "t_us": 2_500_000,
        "turn": TURN,
        "by": Turn("t-4", 4),
        "pcm": bytes(320),
        "rate": 8000,
        "reason": "silence",
        "detail": "boom",
        "hook": "on_partial_audio",
        "completed": False,
        "frames": 2,
        "heard_ms": 700,
        "voiced_ms": 300,
    }
    outcomes = {"reply_ended": "failed", "reply_cut": "barged_in"}
    made = []
    for kind in vars(events).values():
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event:
            fields: dict[str, Any] = {}
            for name in inspect.signature(kind).parameters:
                own = name.startswith("t_") and name != "t_us"
                fields[name] = 1_000_000 if own else values.get(name, outcomes.get(kind.name))
            made.append(kind(**fields))
    return made


def test_a_line_is_time_level_message_and_what_was_bound_in_order(logging_to: Logging, written: Lines) -> None:
    with logging_to():
        logger.bind(event="join", room="demo", identity="ingobot").info("joined {braces} stay")
    (line,) = written()
    assert list(line) == ["time", "level", "message", "event", "room", "identity"]
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


# ---------------------------------------------------------------- events


def test_every_kind_of_event_is_one_line_with_its_fields(logging_to: Logging, written: Lines) -> None:
    with logging_to(log_level="DEBUG"):
        tap = event_tap("s-1", "demo", 500_000)
        for event in all_events():
            tap(event)
    lines = written()
    assert len(lines) == len(all_events()) >= 12
    for line, event in zip(lines, all_events(), strict=True):
        keys = ["time", "level", "message", "event", "trace_id", "session_id", "room", "t", "turn_index"]
        assert list(line)[: len(keys)] == keys
        assert line["event"] == ("playback_stopped" if isinstance(event, PlaybackEnded) else event.name)
        assert (line["trace_id"], line["session_id"], line["room"]) == ("t-3", "s-1", "demo")
        assert (line["t"], line["turn_index"]) == (2.0, 3)
        assert line["message"] == sentence(event)
        assert line["level"] == level_of(event)
        assert "turn 3" in line["message"]
        assert event.name not in line["message"]  # a sentence of its own, not the fallback
    ended = next(line for line in lines if line["event"] == "speech_ended")
    assert (ended["utterance_bytes"], ended["t_first_byte"]) == (320, 0.5)
    assert "pcm" not in ended


def test_what_a_caller_notices_is_info_and_a_bad_reply_a_warning() -> None:
    levels = {event.name: level_of(event) for event in all_events()}
    info = {name for name, level in levels.items() if level == "INFO"}
    assert info == {
        "speech_started",
        "speech_ended",
        "barge_in",
        "superseded",
        "prompted",
        "filler_started",
        "playback_started",
        "playback_paused",
        "playback_resumed",
        "playback_ended",
        "frames_dropped",
    }
    assert levels["reply_ended"] == "WARNING"
    assert level_of(ReplyEnded(0, TURN, "completed")) == "DEBUG"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (SpeechStarted(0, TURN, 0), "caller started talking (turn 3)"),
        (
            SpeechEnded(0, TURN, b"", 8000, 0, 0, 0, 0, 1240, "track muted"),
            "caller stopped talking after 1.24 s of voice (turn 3): track muted",
        ),
        (BargeIn(0, TURN, Turn("x", 4), 0), "caller talked over the bot (turn 3)"),
        (ReplyEnded(0, TURN, "failed", "KeyError: 'x'"), "reply failed (turn 3): KeyError: 'x'"),
        (PlaybackEnded(0, TURN, 820, True), "bot finished, 0.82 s heard (turn 3)"),
        (PlaybackEnded(0, TURN, 820, False), "bot fell silent, 0.82 s heard (turn 3)"),
        (PlaybackEnded(0, TURN, 0, False), "nothing of the reply was heard (turn 3)"),
        (FramesDropped(0, TURN, 5, "late"), "5 frames dropped: late (turn 3)"),
    ],
)
def test_sentences(event: Event, text: str) -> None:
    assert sentence(event) == text


def test_a_hook_that_fails_for_every_frame_is_logged_once_a_turn(logging_to: Logging, written: Lines) -> None:
    with logging_to():
        tap = event_tap("s", "r", 0)
        for index in (1, 2):
            turn = Turn(f"t-{index}", index)
            tap(SpeechStarted(0, turn, 0))
            for _ in range(50):
                tap(HookFailed(0, turn, "on_partial_audio", "boom"))
            tap(HookFailed(0, turn, "on_speech_started", "boom"))
    assert [line["hook"] for line in written() if line["event"] == "hook_failed"] == [
        "on_partial_audio",
        "on_speech_started",
    ] * 2


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
