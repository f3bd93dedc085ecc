"""What each call of a worker is made of: its settings and its sessions, by what its metadata chooses."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from dataclasses import dataclass

from webapi.voice_node.config import Settings
from webapi.voice_node.node.call_options import CallOptions
from webapi.voice_node.node.live_session import SessionFactory

MAX_KEPT = 100  # choices, the last used; each has a graph of some kilobytes


@dataclass(frozen=True)
class Made:
    """The settings and sessions of calls that choose the same."""

    settings: Settings
    sessions: SessionFactory


class Choices:
    """Keeps what was made for the calls of before. `sessions` are those of calls that choose nothing.

    Calls in threads of their own share it.
    """

    def __init__(self, settings: Settings, sessions: SessionFactory) -> None:
        self.settings = settings
        self._sessions = sessions
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Made] = OrderedDict()
        self._read = 0  # how often graphs were to be read anew

    async def ready(self, options: CallOptions) -> Made:
        """What such a call is made of. Raises UserError.

        A new choice is made in a thread: a graph can import modules for the first time, which must not stop the loop.
        """
        made = self._before(options)
        return made if made is not None else await asyncio.to_thread(self._make, options)

    def _before(self, options: CallOptions) -> Made | None:
        """What was made for such calls before."""
        if options == CallOptions():
            return Made(self.settings, self._sessions)
        with self._lock:
            made = self._kept.get(options.key)
            if made is not None:
                self._kept.move_to_end(options.key)
            return made

    def _make(self, options: CallOptions) -> Made:
        read = self._read
        graph, settings = options.load(self.settings), options.of_call(self.settings)
        made = Made(settings, self._sessions.with_graph(graph, settings))
        with self._lock:
            if self._read == read:  # else the graph may be that of before
                self._kept[options.key] = made
                while len(self._kept) > MAX_KEPT:
                    self._kept.popitem(last=False)
        return made

    def forget(self) -> None:
        """Graphs are read anew from now on. Calls in progress keep theirs."""
        with self._lock:
            self._read += 1
            self._kept.clear()
