"""The log: a JSON object a line in LOG_FILE for programs, short lines on stderr for people."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from datetime import timezone
from typing import Any

from loguru import logger

from webapi.voice_node.config import DEV_SECRET, Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.files.line_writer import LineWriter, line_file

MIN_SECRET = 6  # characters; hiding a shorter one would garble every line, and it protects nothing
JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+")
HIDDEN = "[hidden]"
COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "1;31", "SUCCESS": "32", "DEBUG": "2", "TRACE": "2"}


def configure(settings: Settings, *, terminal: bool | None = None) -> Callable[[], None]:
    """Send loguru's and the standard library's records to LOG_FILE and stderr; the returned function ends it.

    `terminal`: whether people read stderr, in colour; None finds out. All sinks that loguru had are replaced.
    The returned function flushes, for at most 2 s each. Raises UserError where LOG_FILE can't be opened.
    """
    hide = _hider([settings.livekit_api_secret.get_secret_value()])
    colour = (sys.stderr.isatty() if terminal is None else terminal) and not os.environ.get("NO_COLOR")
    people = LineWriter(logging.StreamHandler(sys.stderr), on_problem=lambda _: None)  # who could be told?
    writers = [people]
    quiet = settings.log_file is not None and settings.log_level not in ("DEBUG", "TRACE")

    def tell_people(message: Any) -> None:
        # Of one refused connection LiveKit's SDK says ten lines, and the node then one that helps.
        if not (quiet and message.record["extra"].get("logger") == "livekit"):
            people.write(hide(short_line(message.record, colour=colour)))

    sinks: list[Callable[[Any], None]] = [tell_people]
    if settings.log_file:
        path = settings.log_file
        try:
            file = line_file(path, on_problem=lambda why: people.write(f"LOG_FILE {path}: {why}"))
        except OSError as error:
            people.close()
            raise UserError(f"LOG_FILE={path}: {error.strerror}; allowed: a file to write, or off") from None
        writers.append(file)
        sinks.append(lambda m: file.write(hide(json_line(m.record))))
    logger.remove()
    # loguru's own "diagnose" prints the values of variables into tracebacks, secrets among them.
    level = settings.log_level
    ids = [logger.add(sink, level=level, format="{level}", diagnose=False, backtrace=False) for sink in sinks]
    restore = _take_over_logging(level)

    def close() -> None:
        restore()
        for sink in ids:
            logger.remove(sink)
        for writer in reversed(writers):  # the file first: what it has to say about itself goes to stderr
            writer.close()

    return close


# ---------------------------------------------------------------- the two forms of a line


def json_line(record: dict[str, Any]) -> str:
    """time (ISO 8601, UTC, ms), level, message, then all that was bound; `exception` where there is one."""
    utc = record["time"].astimezone(timezone.utc)
    line: dict[str, Any] = {
        "time": utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record["level"].name,
        "message": record["message"],
    }
    for key, value in record["extra"].items():
        line[f"{key}_" if key in line else key] = _plain(value)
    if record["exception"]:
        line["exception"] = "".join(traceback.format_exception(*record["exception"]))
    return json.dumps(line, ensure_ascii=False)


def short_line(record: dict[str, Any], *, colour: bool) -> str:
    """Local time and message, the level from WARNING on, the last line of an exception."""
    level = record["level"].name
    text = f"{level.lower()}: " if record["level"].no >= logging.WARNING else ""
    text += record["message"]
    if record["exception"]:
        text += " (" + traceback.format_exception_only(*record["exception"][:2])[-1].strip() + ")"
    # Names come from callers: no control character of theirs reaches the terminal.
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    time = record["time"].strftime("%H:%M:%S.%f")[:-3]
    return f"\x1b[2m{time}\x1b[0m \x1b[{COLOURS.get(level, '0')}m{text}\x1b[0m" if colour else f"{time} {text}"


def _plain(value: object) -> object:
    """The value where JSON can say it, else its text."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
    return value


def _hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """A last line of defence: a function that takes secrets and access tokens out of a finished line."""
    forms = {form for s in secrets for form in (s, json.dumps(s)[1:-1], json.dumps(s, ensure_ascii=False)[1:-1])}
    known = sorted((s for s in forms if len(s) >= MIN_SECRET and s != DEV_SECRET), key=len, reverse=True)
    pattern = re.compile("|".join([*map(re.escape, known), JWT.pattern]))
    return lambda line: pattern.sub(HIDDEN, line)


# ---------------------------------------------------------------- the standard library's logging


class _ToLoguru(logging.Handler):
    """What livekit, aiohttp and asyncio log, as `event: library`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the library's arguments don't fit its format
            message = str(record.msg)
        known = record.levelname in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        bound = logger.bind(event="library", logger=record.name).opt(exception=record.exc_info)
        bound.log(record.levelname if known else record.levelno, message)


def _take_over_logging(level: str) -> Callable[[], None]:
    """Route the root logger's records to loguru: warnings and worse, or all where we log DEBUG or TRACE."""
    root, handler = logging.getLogger(), _ToLoguru()
    livekit = logging.getLogger("livekit")
    if not livekit.handlers:
        # What its threads say when we have ended must not fall through to stderr: it quotes a refused token.
        livekit.addHandler(logging.NullHandler())
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if level in ("DEBUG", "TRACE") else logging.WARNING)

    def restore() -> None:
        root.removeHandler(handler)
        root.setLevel(before)

    return restore
