"""What a replay gives: events, metrics and frames, which marbles, pictures and files are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webapi.voice_node.events import Event, Voiced, length_us, record
from webapi.voice_node.hearing import bot_heard
from webapi.voice_node.hearing.bot_heard import BotHeard
from webapi.voice_node.replay.event_diff import first_difference
from webapi.voice_node.replay.event_letters import REPLY_FAILED, kind_of


@dataclass
class ReplayResult:
    """The result of one replay. Times are stream seconds, unless a name ends in `_us`."""

    name: str  # of the recording
    graph: str  # its name
    seconds: float = 0.0  # length of the recording
    truncated: bool = False  # the file is shorter than its header says
    events: list[dict[str, Any]] = field(default_factory=list)  # the lines of events.jsonl
    metrics: list[dict[str, Any]] = field(default_factory=list)  # the lines of metrics.jsonl
    voiced: list[bool] = field(default_factory=list)  # of each frame
    likely: list[float | None] = field(default_factory=list)  # of each frame: the probability of a voice, where known
    arrived_us: list[int] = field(default_factory=list)  # of each frame: when it was complete, from the session's start
    frame_us: int = 0  # length of a frame
    origin_us: int = 0  # of a recorded call: when its session started, on the clock of that machine
    recorded: str | None = None  # of a recorded call: the text of the events.jsonl that it was recorded with
    problems: list[str] = field(default_factory=list)  # what went wrong beside the graph
    taps: list[str] = field(default_factory=list)  # the files that the graph's taps wrote
    vads: list[str] = field(default_factory=list)  # the VAD backends that the graph names
    threads: list[str] = field(default_factory=list)  # that ran in real time, so the result may differ next time
    unwritten_taps: list[str] = field(default_factory=list)  # of taps that wrote nothing: their `file`
    before: ReplayResult | None = None  # the result that this one is compared with
    diverged: int | None = None  # position of the first event that differs from `before`
    without_effect: list[str] = field(default_factory=list)  # why some of the changes can make no difference

    def __post_init__(self) -> None:
        self._bot = BotHeard()
        self.name = self.name.encode("utf-8", "replace").decode()  # a file may have a name that no text can hold

    @property
    def failed_replies(self) -> int:
        """How many replies ended as `failed` or `timeout`."""
        return sum(kind_of(event) == REPLY_FAILED for event in self.events)

    def mark_divergence(self, events: Sequence[Mapping[str, Any]], tolerance_s: float = 0.0) -> None:
        """Mark the first event that differs from `events`, and all events after it, with the key `parted`."""
        self.diverged = first_difference(events, self.events, tolerance_s)
        if self.diverged is not None:
            for event in self.events[self.diverged :]:
                event["parted"] = True

    def add(self, event: Event) -> None:
        """Add an event."""
        self.events.append(record(event, self.origin_us))
        self._bot = bot_heard.at_playback(self._bot, event)

    def watch(self, value: Any) -> None:
        """Note whether a frame was voiced, and how likely: a probe of the graph."""
        if type(value) is Voiced:
            value = bot_heard.counted(self._bot, value)
            (t_us, pcm, rate, at, _), voiced, probability, _, _ = value
            if at >= len(self.voiced):
                self.voiced.append(voiced)
                self.likely.append(probability)
                self.arrived_us.append(t_us - self.origin_us)
                self.frame_us = self.frame_us or length_us(pcm, rate)
            else:
                self.voiced[at] = voiced  # where several detectors judge a frame, the last one counts
                self.likely[at] = probability
