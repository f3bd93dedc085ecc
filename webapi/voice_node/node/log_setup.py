"""Sets up the log: JSON lines in LOG_FILE, and short lines on stderr."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from loguru import logger

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.files.line_writer import LineWriter, line_file
from webapi.voice_node.files.node_name import node_name
from webapi.voice_node.node.log_lines import hider, json_line, short_line

# Libraries that the parts of a conversation use. They log whole requests, answers and messages at DEBUG.
WORDY = re.compile(r"(openai|httpx2?|httpcore2?|websockets|wyoming|faster_whisper|piper|livekit\.(agents|plugins))\b")


def configure(settings: Settings, *, terminal: bool | None = None, shared: bool = False) -> Callable[[], None]:
    """Send loguru's and the standard library's records to LOG_FILE and stderr. Replaces all sinks that loguru had.

    `terminal`: whether stderr is a terminal, which gets colours; None finds out. `shared`: as of `line_file`. The
    returned function ends the log: it flushes each output, for 2 s at most. Raises UserError where LOG_FILE can't be
    opened.
    """
    hide = hider([settings.livekit_api_secret.get_secret_value()])
    colour = (sys.stderr.isatty() if terminal is None else terminal) and not os.environ.get("NO_COLOR")
    people = LineWriter(logging.StreamHandler(sys.stderr), on_problem=lambda _: None)  # there is no place to report it
    writers = [people]
    quiet = settings.log_file is not None and settings.log_level not in ("DEBUG", "TRACE")

    def to_stderr(message: Any) -> None:
        # LiveKit's SDK logs ten lines for one refused connection; the node's own message is enough for people.
        if not (quiet and message.record["extra"].get("logger") == "livekit"):
            people.write(hide(short_line(message.record, colour=colour)))

    sinks: list[Callable[[Any], None]] = [to_stderr]
    if settings.log_file:
        path = settings.log_file
        try:
            file = line_file(path, on_problem=lambda why: people.write(f"LOG_FILE {path}: {why}"), shared=shared)
        except OSError as error:
            people.close()
            raise UserError(f"LOG_FILE={path}: {error.strerror}; allowed: a file to write, or off") from None
        writers.append(file)
        node = node_name(settings)
        sinks.append(lambda message: file.write(json_line(message.record, hide, node)))
    logger.remove()
    # loguru's own "diagnose" would print the values of variables into tracebacks, and secrets are among them.
    level = settings.log_level
    ids = [logger.add(sink, level=level, format="{level}", diagnose=False, backtrace=False) for sink in sinks]
    restore = _take_over_logging(level, words=settings.log_transcripts)

    def close() -> None:
        restore()
        for sink in ids:
            logger.remove(sink)
        for writer in reversed(writers):  # the file first, as its problems are reported on stderr
            writer.close()

    return close


class _ToLoguru(logging.Handler):
    """Passes the records of livekit, aiohttp and asyncio on to loguru, with the event `library`.

    Without `words`, the debug records of WORDY libraries are left out.
    """

    def __init__(self, *, words: bool) -> None:
        super().__init__()
        self._words = words

    def emit(self, record: logging.LogRecord) -> None:
        if not self._words and record.levelno < logging.INFO and WORDY.match(record.name):
            return
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the arguments don't fit the format
            message = str(record.msg)
        known = record.levelname in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        bound = logger.bind(event="library", logger=record.name).opt(exception=record.exc_info)
        bound.log(record.levelname if known else record.levelno, message)


def _take_over_logging(level: str, *, words: bool) -> Callable[[], None]:
    """Send the root logger's records to loguru: from WARNING on, or all where the node logs DEBUG or TRACE.

    The returned function undoes that.
    """
    root, handler = logging.getLogger(), _ToLoguru(words=words)
    livekit = logging.getLogger("livekit")
    if not livekit.handlers:
        # A record of LiveKit's threads after the end must not go to stderr as it is: it may have a refused token.
        livekit.addHandler(logging.NullHandler())
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if level in ("DEBUG", "TRACE") else logging.WARNING)

    def restore() -> None:
        root.removeHandler(handler)
        root.setLevel(before)

    return restore
