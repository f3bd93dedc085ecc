"""Metrics of several processes on one page: each child writes its own into a folder, and the parent adds them up.

This is not the multiprocess mode of prometheus-client: that is chosen for the whole process when the library is first
imported, its files grow with each process that ever was, and livekit-agents empties their folder when it starts.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client.metrics_core import Metric

from webapi.voice_node.node.monitor.families import as_json, counted, from_json, summed

FOLDER = "VOICE_NODE_MONITOR_FOLDER"  # the variable by which children know the folder; users don't set it
EVERY_S = 2.0  # a child that is killed loses what it counted since


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder for the snapshots of the processes that are started meanwhile. It is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="voice-node-metrics-"))
    os.environ[FOLDER] = str(folder)
    try:
        yield folder
    finally:
        del os.environ[FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


class Snapshots:
    """The parent's side. What a child counted stays when it is gone; its gauges go with it. Is thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._gone: list[Metric] = []  # the sums of the processes that are gone
        self._lock = threading.Lock()

    def families(self) -> list[Metric]:
        """The sums over all children that are or were."""
        with self._lock:
            living: list[Metric] = []
            ended: list[Metric] = []
            newest: set[int] = set()  # the numbers of processes are used again
            for path in sorted(self._folder.glob("*.json"), key=_began, reverse=True):
                pid = int(path.name.split("-")[0])
                found = _read(path)
                if pid in newest or not _runs(pid):
                    ended += counted(found)
                    path.unlink(missing_ok=True)
                else:
                    newest.add(pid)
                    living += found
            if ended:
                self._gone = summed([*self._gone, *ended])
            return summed([*living, *self._gone])


class SnapshotWriter:
    """The child's side: a thread that writes what `families` gives into `folder`, until `stop`."""

    def __init__(self, families: Callable[[], Iterable[Metric]], folder: Path, every_s: float = EVERY_S) -> None:
        self._families = families
        self._path = folder / f"{os.getpid()}-{time.time_ns()}.json"
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics-snapshots", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Write a last time, and end. Waits a second at most."""
        self._ended.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self._write()
        self._write()

    def _write(self) -> None:
        made = self._path.with_suffix(".new")
        with suppress(OSError):  # the parent is gone, or the disk is full: the next one may work
            made.write_text(as_json(self._families()), encoding="utf-8")
            made.replace(self._path)


def _began(path: Path) -> int:
    return int(path.stem.split("-")[1])


def _read(path: Path) -> list[Metric]:
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # removed meanwhile, or damaged
        return []


def _runs(pid: int) -> bool:
    if sys.platform == "win32":  # there, a signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
