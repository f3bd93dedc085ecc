"""The graph that answers, and its file: a changed one is read while calls go on, and a broken one changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from loguru import logger

from webapi.voice_node.clock.run import wait_set
from webapi.voice_node.config import Settings
from webapi.voice_node.graph.check import load_to_run
from webapi.voice_node.graph.spec import GraphSpec

LOOK_S = 0.5  # between two looks at the file; who saves it in several steps is left so much time for them


class GraphWatch:
    """Reads the file of `graph` again, when asked to or where it has changed.

    `loaded` gets another graph that is right, `refused` what is wrong with one that is not. The log has both.
    """

    def __init__(
        self,
        graph: GraphSpec,
        settings: Settings,
        *,
        loaded: Callable[[GraphSpec], None],
        refused: Callable[[str], None],
    ) -> None:
        self._path = graph.path
        self._text = graph.text
        self._read = _state(graph.path)
        self._settings = settings
        self._loaded = loaded
        self._refused = refused

    async def follow(self, asked: asyncio.Event, *, watch: bool) -> None:
        """For ever: read it when `asked` is set, and with `watch` soon after it has changed."""
        seen = self._read
        while True:
            await wait_set(asked, LOOK_S if watch else None)
            before, seen = seen, _state(self._path)
            if asked.is_set() or (seen != self._read and seen == before):
                asked.clear()
                self._read = seen
                self.read()

    def read(self) -> None:
        """Read it now, and tell what came of it."""
        log = logger.bind(graph=self._path.stem, path=str(self._path))
        try:
            graph = load_to_run(str(self._path), self._settings)
        except Exception as error:  # UserError; but whatever a file or an orchestrator brings about, calls go on
            why = "; ".join(str(error).splitlines())
            log.bind(event="graph_refused", reason=str(error)).error(
                f"graph {self._path.stem} is refused, the one before goes on: {why}"
            )
            self._refused(str(error))
            return
        if graph.text == self._text:
            log.bind(event="graph_unchanged").info(f"graph {graph.name} is the one that answers already")
            return
        self._text = graph.text
        log.bind(event="graph_loaded").info(f"graph {graph.name} loaded; it takes over as soon as neither side speaks")
        self._loaded(graph)


def _state(path: Path) -> tuple[int, int, int] | None:
    """What shows that a file was written or replaced; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
