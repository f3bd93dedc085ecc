"""The two forms of a log line: a JSON object for programs, and a short line for people. Neither shows a secret."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Callable, Iterable
from datetime import timezone
from typing import Any

from webapi.voice_node.config import DEV_SECRET
from webapi.voice_node.errors.hidden_values import without_hidden

MIN_SECRET = 6  # characters; to hide a shorter one would garble every line, and it protects nothing
JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+")
HIDDEN = "[hidden]"
COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "1;31", "SUCCESS": "32", "DEBUG": "2", "TRACE": "2"}


def json_line(record: dict[str, Any], hide: Callable[[str], str], node: str) -> str:
    """A loguru record as JSON: time (ISO 8601, UTC, ms), level, message, node, all bound values, and any `exception`.

    `hide` gets each text by itself: in the finished line it could replace a number, and the line is no JSON then.
    """
    utc = record["time"].astimezone(timezone.utc)
    line: dict[str, Any] = {
        "time": utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record["level"].name,
        "message": record["message"],
        "node": node,
    }
    for key, value in record["extra"].items():
        line[f"{key}_" if key in line else key] = _plain(value)
    if record["exception"]:
        line["exception"] = "".join(traceback.format_exception(*record["exception"]))
    return json.dumps(_with_texts(line, hide), ensure_ascii=False)


def short_line(record: dict[str, Any], *, colour: bool) -> str:
    """A loguru record for people: local time, message, the level from WARNING on, the last line of an exception."""
    level = record["level"].name
    text = f"{level.lower()}: " if record["level"].no >= logging.WARNING else ""
    text += record["message"]
    if record["exception"]:
        text += " (" + traceback.format_exception_only(*record["exception"][:2])[-1].strip() + ")"
    # Callers choose their names: a control character in one must not reach the terminal.
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    time = record["time"].strftime("%H:%M:%S.%f")[:-3]
    return f"\x1b[2m{time}\x1b[0m \x1b[{COLOURS.get(level, '0')}m{text}\x1b[0m" if colour else f"{time} {text}"


def hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that replaces these secrets, access tokens and hidden values in a text."""
    forms = {form for s in secrets for form in (s, json.dumps(s)[1:-1], json.dumps(s, ensure_ascii=False)[1:-1])}
    known = sorted((s for s in forms if len(s) >= MIN_SECRET and s != DEV_SECRET), key=len, reverse=True)
    pattern = re.compile("|".join([*map(re.escape, known), JWT.pattern]))
    return lambda line: without_hidden(pattern.sub(HIDDEN, line))


def _plain(value: object) -> object:
    """The value where it can be written as JSON, else its text."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
    return value


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The value with its texts changed, in lists and maps too; names stay as they are."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _with_texts(each, change) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_texts(each, change) for each in value]
    return value
