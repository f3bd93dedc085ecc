"""Reads the file of the running graph again. Calls go on meanwhile, and a file with mistakes changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from loguru import logger

from webapi.voice_node.clock.run import wait_set
from webapi.voice_node.config import Settings
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.graph.spec import GraphSpec

POLL_S = 0.5  # between two looks at the file; a program that saves it in several steps has this time for them

FileState = tuple[int, int, int]


class GraphReloader:
    """Reads the file of `graph` again, on request or after it has changed.

    `on_loaded` gets a graph that differs from the one before; `on_refused` gets the mistakes in a file, as text. The
    log gets both too.
    """

    def __init__(
        self,
        graph: GraphSpec,
        settings: Settings,
        *,
        on_loaded: Callable[[GraphSpec], None],
        on_refused: Callable[[str], None],
    ) -> None:
        self._path = graph.path
        self._text = graph.text
        self._read_state = _state(graph.path)
        self._settings = settings
        self._on_loaded = on_loaded
        self._on_refused = on_refused

    async def run(self, asked: asyncio.Event, *, watch: bool) -> None:
        """Read the file when `asked` is set and, with `watch`, after it has changed and settled. Never returns."""
        seen = self._read_state
        while True:
            await wait_set(asked, POLL_S if watch else None)
            before, seen = seen, _state(self._path)
            if asked.is_set() or (seen != self._read_state and seen == before):
                asked.clear()
                self._read_state = seen
                self.read()

    def read(self) -> None:
        """Read the file now, and call `on_loaded` or `on_refused`; neither where the graph is the same as before."""
        log = logger.bind(graph=self._path.stem, path=str(self._path))
        try:
            graph = load_and_check(str(self._path), self._settings)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a UserError, or anything that an import raises: calls go on all the same
            why = "; ".join(str(error).splitlines())
            log.bind(event="graph_refused", reason=str(error)).error(
                f"graph {self._path.stem} is refused, the one before goes on: {why}"
            )
            self._on_refused(str(error))
            return
        if graph.text == self._text:
            log.bind(event="graph_unchanged").info(f"graph {graph.name} is the one that answers already")
            return
        self._text = graph.text
        log.bind(event="graph_loaded").info(f"graph {graph.name} loaded; it takes over as soon as neither side speaks")
        self._on_loaded(graph)


def _state(path: Path) -> FileState | None:
    """Values that differ after the file was written or replaced; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
