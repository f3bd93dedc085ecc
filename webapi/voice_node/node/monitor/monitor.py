"""Counts what happens in a process, for Prometheus. It is told; it asks nobody, and costs nothing on a frame's way."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from loguru import logger
from prometheus_client.metrics_core import Metric

from webapi.voice_node.events import (
    BargeIn,
    Event,
    FramesDropped,
    HookFailed,
    PlaybackDucked,
    PlaybackRestored,
    ReplyEnded,
)
from webapi.voice_node.node.loop_watch import Blocked
from webapi.voice_node.node.monitor import families, labels
from webapi.voice_node.node.monitor.labels import known
from webapi.voice_node.node.monitor.loop_lag import LoopLag
from webapi.voice_node.node.monitor.series import Series
from webapi.voice_node.node.monitor.snapshots import FOLDER, Snapshots, SnapshotWriter
from webapi.voice_node.node.monitoring import State

DROPPED_IN = {"track_reader": "caller_audio", "track_sink": "bot_audio"}  # by the module that logs it
MS_PER_S = 1000.0


class Monitor:
    """The metrics of one process, or of a worker with the processes of its calls. Every method may be called from any
    thread, raises nothing and never waits.

    It is not ready until `not_ready(None)`. `children`: the folder of `snapshots.shared_folder`, in the parent.
    """

    def __init__(self, *, max_calls: int = 0, children: Path | None = None) -> None:
        self._series = Series()
        self._series.max_calls.set(max_calls)
        self._children = Snapshots(children) if children else None
        self._lock = threading.Lock()
        self._why: str | None = "starting"
        self._loops: dict[asyncio.AbstractEventLoop, tuple[LoopLag, int]] = {}  # with how many asked for it
        self.max_calls = max_calls

    # ------------------------------------------------------------ what happens

    def call_started(self, kind: str = "standard") -> None:
        """A call began. `kind`: of the caller, as LiveKit names it; see labels.KINDS."""
        self._series.calls_started.labels(kind=known(kind, labels.KINDS)).inc()
        self._series.active_calls.inc()

    def call_ended(self, reason: str, seconds: float | None = None) -> None:
        """A call ended. `reason`: one of labels.ENDED. `seconds`: how long it was."""
        self._series.active_calls.dec()
        self._series.calls_ended.labels(reason=known(reason, labels.ENDED)).inc()
        if seconds is not None:
            self._series.call_seconds.observe(max(0.0, seconds))

    def on_event(self, event: Event) -> None:
        """A tap of a session."""
        series = self._series
        if isinstance(event, BargeIn):
            series.barge_ins.inc()
        elif isinstance(event, PlaybackDucked):
            series.ducks.labels(act="ducked").inc()
        elif isinstance(event, PlaybackRestored):
            series.ducks.labels(act="restored").inc()
        elif isinstance(event, ReplyEnded):
            if event.outcome != "completed":
                series.reply_failures.labels(outcome=known(event.outcome, labels.BAD_REPLIES)).inc()
        elif isinstance(event, HookFailed):
            series.hook_failures.labels(hook=known(event.hook, labels.HOOKS)).inc()
        elif isinstance(event, FramesDropped):
            self.dropped(event.frames, "reply_over")

    def on_turn(self, line: Mapping[str, Any]) -> None:
        """A turn is over: its line of metrics.jsonl."""
        series = self._series
        outcome = known(line.get("outcome"), labels.TURN_OUTCOMES)
        begun_by = "caller" if line.get("prompt") is None else "bot"
        series.turns.labels(outcome=outcome, begun_by=begun_by).inc()
        if line.get("duck_stopped"):
            series.ducks.labels(act="stopped").inc()
        for name, histogram in (
            ("caller_wait_ms", series.caller_wait),
            ("duck_ms", series.duck),
            ("barge_in_stop_ms", series.barge_in_stop),
            ("vad_speech_ms", series.utterances),
        ):
            ms = line.get(name)
            if ms is not None:
                histogram.observe(ms / MS_PER_S)
        sums: dict[str, float] = {}
        for part in line.get("parts") or ():  # the node's part comes twice in a turn, and counts with its sum
            name = known(part["name"], labels.PARTS)
            sums[name] = sums.get(name, 0.0) + part["ms"]
        for name, ms in sums.items():
            series.wait_parts.labels(part=name).observe(ms / MS_PER_S)

    def on_blocked(self, blocked: Blocked) -> None:
        """An event loop stood still. The log's lines of that come here by themselves, where it is watched."""
        code = known(blocked.code.replace(" ", "_"), labels.CODES)
        self._series.stalls.labels(code=code).inc()
        self._series.stall_seconds.labels(code=code).inc(blocked.seconds)

    def dropped(self, count: int, where: str) -> None:
        """`count` pieces of audio were lost. `where`: one of labels.DROPS."""
        if count > 0:
            self._series.dropped_frames.labels(where=known(where, labels.DROPS)).inc(count)

    def not_ready(self, why: State | None) -> None:
        """Why the process can take no call from now on; None: it can."""
        with self._lock:
            self._why = why
        self._series.ready.set(why is None)
        self._series.draining.set(why == "draining")

    # ------------------------------------------------------------ what it watches by itself

    def watch_log(self) -> Callable[[], None]:
        """Count lines of the log from WARNING on, with the problems, drops and stalls in them.

        Until the returned function is called. LOG_LEVEL does not matter. Call it after the log was set up, which
        removes what listens to it.
        """
        handler = logger.add(self._on_log, level="WARNING", format="{level}", diagnose=False, backtrace=False)
        return lambda: logger.remove(handler)

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Measure how late this loop is, until the returned function is called. Called in the loop, as that is.

        A loop that is watched already is measured once, until each who asked for it has ended that.
        """
        with self._lock:
            lag, askers = self._loops.get(loop) or (LoopLag(loop, self._series.loop_lag.observe), 0)
            self._loops[loop] = lag, askers + 1
        if not askers:
            lag.start()

        def stop() -> None:
            with self._lock:
                lag, askers = self._loops.pop(loop)
                if askers > 1:
                    self._loops[loop] = lag, askers - 1
                    return
            lag.stop()

        return stop

    # ------------------------------------------------------------ what is read

    @property
    def why_not_ready(self) -> str | None:
        """What `not_ready` was told last."""
        with self._lock:
            return self._why

    def calls(self) -> int:
        """How many calls are served now, in all processes. Reads files where there are children."""
        found = [family for family in self._shared() if family.name == "voice_node_active_calls"]
        return int(sum(sample.value for family in found for sample in family.samples))

    def text(self) -> bytes:
        """All metrics in Prometheus' text format. Reads files where there are children."""
        return families.as_text([*families.without_created(self._series.own.collect()), *self._shared()])

    def own_families(self) -> list[Metric]:
        """What this process counts, to be summed with other processes."""
        return list(families.without_created(self._series.shared.collect()))

    def _shared(self) -> list[Metric]:
        own = self.own_families()
        return families.summed([*own, *self._children.families()]) if self._children else own

    def _on_log(self, message: Any) -> None:
        record = message.record
        extra, series = record["extra"], self._series
        series.log_messages.labels(level=known(record["level"].name.lower(), labels.LEVELS)).inc()
        event = extra.get("event")
        if event == "frames_dropped":
            self.dropped(extra.get("frames", 1), DROPPED_IN.get(str(record["module"]), ""))
        elif event == "reconnecting":
            if "attempt" not in extra:  # of one loss there is a line for each attempt to join again
                series.connection_losses.inc()
        elif event == "loop_blocked":
            self.on_blocked(Blocked(extra["seconds"], "", extra["code"]))
        elif event in labels.PROBLEMS:
            series.problems.labels(problem=event).inc()


def child_monitor() -> tuple[Monitor, Callable[[], None]] | None:
    """In a process that a worker has started: its Monitor, and what ends it. None where the worker has none."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return None
    monitor = Monitor()
    writer = SnapshotWriter(monitor.own_families, Path(folder))
    writer.start()
    return monitor, writer.stop
