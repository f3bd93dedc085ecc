"""The metrics of a process: names, labels and buckets. Names and units follow Prometheus' rules: seconds, bytes."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from webapi.voice_node.node.monitor import labels
from webapi.voice_node.node.monitor.process_size import ProcessSize

# In seconds. Each histogram is finest where its goal lies: a wait of a second; a stop within 0.2 s, or 0.35 s where a
# barge-in needs more evidence.
WAITS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 20)
PARTS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
STOPS = (0.02, 0.05, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.75, 1, 2)
UTTERANCES = (0.2, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60)
LAGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
CALLS = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)


class Series:
    """All metrics. `shared` has those that are summed over the processes of a worker, `own` those of one process."""

    def __init__(self) -> None:
        self.shared = CollectorRegistry(auto_describe=True)
        self.own = CollectorRegistry(auto_describe=True)
        self._calls()
        self._turns()
        self._faults()
        self.shared.register(ProcessSize())
        ProcessCollector(registry=self.own)
        self.ready = self._own_gauge("ready", "1 while the process can take calls.")
        self.draining = self._own_gauge("draining", "1 while calls in progress are ended and no new ones taken.")
        self.max_calls = self._own_gauge("max_calls", "How many calls the process serves at a time (MAX_CALLS).")
        info = Gauge(
            "voice_node_info", "Versions; always 1.", ["version", "python"], registry=self.own
        )  # not prometheus_client.Info: it has no value before it is set
        info.labels(version=_version(), python=platform.python_version()).set(1)

    def _calls(self) -> None:
        self.active_calls = Gauge("voice_node_active_calls", "Calls that are served now.", registry=self.shared)
        self.calls_started = self._counter("calls_started", "Calls that began.", kind=labels.KINDS)
        self.calls_ended = self._counter("calls_ended", "Calls that ended, by why.", reason=labels.ENDED)
        self.call_seconds = self._histogram("call_seconds", "How long calls were.", CALLS)

    def _turns(self) -> None:
        self.turns = self._counter(
            "turns", "Turns that are over.", outcome=labels.TURN_OUTCOMES, begun_by=labels.BEGUN_BY
        )
        self.barge_ins = self._counter("barge_ins", "The caller talked over a reply.")
        self.ducks = self._counter(
            "ducks", "A voice over a reply made it soft; then it was loud again, or stopped.", act=labels.DUCKS
        )
        self.caller_wait = self._histogram(
            "caller_wait_seconds", "From the caller's last voiced sample to the first frame of the reply.", WAITS
        )
        self.wait_parts = Histogram(
            "voice_node_wait_part_seconds",
            "What that wait went into.",
            ["part"],
            buckets=PARTS,
            registry=self.shared,
        )
        self.duck = self._histogram("duck_seconds", "From the first voiced frame over a reply to the soft bot.", STOPS)
        self.barge_in_stop = self._histogram(
            "barge_in_stop_seconds", "From the interrupting speech's first voiced frame to the bot's silence.", STOPS
        )
        self.utterances = self._histogram("utterance_seconds", "Voice in an utterance of a caller.", UTTERANCES)

    def _faults(self) -> None:
        self.reply_failures = self._counter(
            "reply_failures", "Replies whose stream did not complete.", outcome=labels.BAD_REPLIES
        )
        self.hook_failures = self._counter("hook_failures", "Reports of failed hooks.", hook=labels.HOOKS)
        self.dropped_frames = self._counter("dropped_frames", "Pieces of audio that were lost.", where=labels.DROPS)
        self.stalls = self._counter("stalls", "Times that the event loop stood still.", code=labels.CODES)
        self.stall_seconds = self._counter("stall_seconds", "How long it did, in sum.", code=labels.CODES)
        self.loop_lag = self._histogram(
            "loop_lag_seconds", "How late the event loop is for a timer, ten times a second.", LAGS
        )
        self.connection_losses = self._counter("connection_losses", "Connections to a LiveKit room that were lost.")
        self.problems = self._counter("problems", "Problems that the log tells of.", problem=labels.PROBLEMS)
        self.log_messages = self._counter("log_messages", "Lines of the log from WARNING on.", level=labels.LEVELS)

    def _counter(self, name: str, what: str, **allowed: tuple[str, ...]) -> Counter:
        """A counter. Each of its series is there from the start, so that Prometheus sees its first increase."""
        counter = Counter(f"voice_node_{name}", what, list(allowed), registry=self.shared)
        for values in product(*allowed.values()) if allowed else ():
            counter.labels(*values)
        return counter

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"voice_node_{name}", what, buckets=buckets, registry=self.shared)

    def _own_gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"voice_node_{name}", what, registry=self.own)


def _version() -> str:
    try:
        return version("voice-node")
    except PackageNotFoundError:  # it runs from a folder without its metadata
        return "unknown"
