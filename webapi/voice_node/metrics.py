"""Metrics: the events of a session as one line for each turn, written when its reply is over, however it ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loguru import logger

from webapi.voice_node.errors import UserError
from webapi.voice_node.events import Event
from webapi.voice_node.files.line_writer import line_file
from webapi.voice_node.report.open_turns import ClosedTurn, OpenTurns, step
from webapi.voice_node.report.turn_line import turn_line


class Metrics:
    """A tap of one session: is called with every event, and calls `write` with a line for each turn that is over."""

    def __init__(
        self,
        session_id: str,
        room: str,
        graph: str,
        write: Callable[[dict[str, Any]], None],
        origin_us: int = 0,
        words: bool = False,
    ) -> None:
        """`words`: the lines have what was said (LOG_TRANSCRIPTS)."""
        self._names = {"session_id": session_id, "room": room, "graph": graph}
        self._write = write
        self._origin_us = origin_us
        self._words = words
        self._turns: OpenTurns = {}

    def __call__(self, event: Event) -> None:
        """Take the next event, in the order of causes."""
        self._turns, closed = step(self._turns, event)
        self._write_all(closed)

    def close(self) -> None:
        """End the session: turns that are still open get their line too."""
        self._write_all(tuple(ClosedTurn(turn, turn.cut or "closed") for turn in self._turns.values()))
        self._turns = {}

    def _write_all(self, closed: tuple[ClosedTurn, ...]) -> None:
        for turn in closed:
            self._write(turn_line(turn, **self._names, origin_us=self._origin_us, words=self._words))


class MetricsFile:
    """Appends lines to METRICS_FILE in a thread and flushes each. A full disk is logged once, and calls go on.

    Each line gets the name of the `node`, where it has one. The constructor raises UserError where the file can't be
    opened.
    """

    def __init__(self, path: Path, node: str | None = None, *, shared: bool = False) -> None:
        """`shared`: as of `line_file`."""
        self._node = {} if node is None else {"node": node}
        log = logger.bind(event="metrics_failed", path=str(path))
        try:
            self._file = line_file(path, on_problem=lambda why: log.error(f"METRICS_FILE {path}: {why}"), shared=shared)
        except OSError as error:
            raise UserError(f"METRICS_FILE={path}: {error.strerror}; allowed: a file to write, or off") from None

    def write(self, turn: dict[str, Any]) -> None:
        """Append the line of one turn. Never blocks."""
        self._file.write(json.dumps({**turn, **self._node}, ensure_ascii=False))

    def close(self) -> None:
        """Write what is queued; waits 4 s at most."""
        self._file.close()
