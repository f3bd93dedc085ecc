"""What a timeline of a replay shows, in seconds: who spoke when, what was decided, how long it took. No pixels here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from webapi.voice_node.events import US_PER_S
from webapi.voice_node.replay.wav_replay import ReplayResult

UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML and UTF-8 can't carry


@dataclass(frozen=True)
class TimeSpan:
    """Something that lasted."""

    start: float  # s
    end: float  # s
    turn: int = 0


@dataclass(frozen=True)
class ReplyBar(TimeSpan):
    """The reply to a turn, from its first audio until nothing of it was heard any more."""

    heard_ms: int | None = None  # None: the replay ended before it
    cut: bool = False


@dataclass(frozen=True)
class Delay(TimeSpan):
    """A time that somebody waited: from the decided end of speech to the bot's first audio (`reply`), or from the
    first voiced frame of who talks over the bot to its silence (`stop`)."""

    kind: str = "reply"
    ms: float = 0.0  # as metrics.jsonl has it


@dataclass(frozen=True)
class TurnRow:
    """A turn, or a prompt, as a line of the list. What did not happen is None."""

    turn: int
    start: float  # s: its first voiced frame; of a prompt, when it was decided
    said_ms: int | None  # voiced frames
    outcome: str
    reply_ms: float | None  # end of speech to first bot audio
    heard_ms: int | None  # of the reply
    stop_ms: float | None  # barge-in: first voiced frame to silence
    prompt: str = ""  # what the bot said of its own accord


@dataclass(frozen=True)
class Timeline:
    """All of it, in order of time."""

    name: str
    graph: str
    seconds: float  # how far the axis goes
    voiced: list[TimeSpan]  # runs of voiced frames
    likely: list[tuple[float, float]]  # (s, probability of a voice from there on), where it changes; none is known: []
    speech: list[TimeSpan]
    playback: list[ReplyBar]
    fillers: list[TimeSpan]  # from a filler on until its reply, or until nothing was heard any more
    delays: list[Delay]
    events: list[dict[str, Any]]  # the lines of events.jsonl
    turns: list[TurnRow]


def timeline(replayed: ReplayResult, mix_seconds: float = 0.0) -> Timeline:
    """The timeline of a replay whose mix is that long."""
    events = replayed.events
    metrics = {str(line["trace_id"]): line for line in replayed.metrics}
    end = max([replayed.seconds, mix_seconds, *(e["t"] for e in events)])
    firsts: dict[str, dict[str, dict[str, Any]]] = {}  # event name → trace_id → the first of that name
    for event in events:
        firsts.setdefault(event["event"], {}).setdefault(event["trace_id"], event)
    frame = replayed.frame_us / US_PER_S
    speech, turns = [], []
    delays = _delays(firsts, metrics)
    begun = {**firsts.get("speech_started", {}), **firsts.get("prompted", {})}
    for trace, started in sorted(begun.items(), key=lambda each: int(each[1]["turn_index"])):
        start = started["t"]
        if "t_first_voiced" in started:
            ended = firsts.get("speech_ended", {}).get(trace)
            said_until = ended["t_last_voiced"] if ended else end
            start = max(0.0, started["t_first_voiced"] - frame)
            speech.append(TimeSpan(start, said_until, started["turn_index"]))
        line = metrics.get(trace, {})
        turns.append(
            TurnRow(
                started["turn_index"],
                start,
                line.get("vad_speech_ms"),
                str(line.get("outcome", "")),
                line.get("latency_speech_end_to_first_bot_chunk_ms"),
                line.get("heard_ms"),
                line.get("barge_in_stop_ms"),
                printable(str(started.get("prompt", ""))),
            )
        )
    playback = _playback(events, end)
    fillers = []
    for trace, began in firsts.get("filler_started", {}).items():
        ends = [
            firsts[name][trace]["t"] for name in ("playback_started", "playback_ended") if trace in firsts.get(name, {})
        ]
        fillers.append(TimeSpan(began["t"], min(ends, default=end), began["turn_index"]))
    return Timeline(
        printable(replayed.name),
        printable(replayed.graph),
        end,
        _runs(replayed),
        _steps(replayed),
        speech,
        playback,
        fillers,
        delays,
        events,
        turns,
    )


def printable(text: str) -> str:
    """The text without what a file can't carry: a file's name may hold anything."""
    return UNPRINTABLE.sub("\ufffd", text)


def merged(spans: Sequence[TimeSpan], gap: float) -> list[TimeSpan]:
    """Spans that are no more than `gap` seconds apart as one."""
    out: list[TimeSpan] = []
    for span in spans:
        if out and span.start - out[-1].end <= gap:
            out[-1] = TimeSpan(out[-1].start, max(out[-1].end, span.end))
        else:
            out.append(span)
    return out


def _playback(events: Sequence[dict[str, Any]], end: float) -> list[ReplyBar]:
    """Each from where it starts or goes on until the reply is over, or halts."""
    steps: dict[str, list[dict[str, Any]]] = {}  # of each reply, in order
    for event in events:
        if event["event"].startswith("playback_"):
            steps.setdefault(event["trace_id"], []).append(event)
    found = []
    for of_one in steps.values():
        cut_off = not of_one[-1].get("completed", True)
        for began, over in zip(of_one, [*of_one[1:], None], strict=True):
            if began["event"] in ("playback_started", "playback_resumed"):
                until = over["t"] if over else end
                cut = cut_off and over in of_one[-2:]  # that ends it, or it halts and does not go on
                heard_ms = over["heard_ms"] if over else None
                found.append(ReplyBar(began["t"], until, began["turn_index"], heard_ms, cut))
    return sorted(found, key=lambda playback: playback.start)


def _delays(firsts: dict[str, dict[str, dict[str, Any]]], metrics: dict[str, dict[str, Any]]) -> list[Delay]:
    """Where the two latencies of metrics.jsonl lie."""
    found = []
    for kind, field, start, key in (
        ("reply", "latency_speech_end_to_first_bot_chunk_ms", "speech_ended", "t"),
        ("stop", "barge_in_stop_ms", "barge_in", "t_first_voiced"),
    ):
        for trace, first in firsts.get(start, {}).items():
            ms = metrics.get(trace, {}).get(field)
            if ms is not None:
                found.append(Delay(first[key], round(first[key] + ms / 1000, 6), first["turn_index"], kind, ms))
    return sorted(found, key=lambda delay: delay.start)


def _steps(replayed: ReplayResult) -> list[tuple[float, float]]:
    """In hundredths: in silence little changes."""
    steps: list[tuple[float, float]] = []
    for at_us, likely in zip(replayed.arrived_us, replayed.likely, strict=False):
        p = round(likely or 0.0, 2)
        if likely is not None and (not steps or p != steps[-1][1]):
            steps.append((max(0, at_us - replayed.frame_us) / US_PER_S, p))
    return steps


def _runs(replayed: ReplayResult) -> list[TimeSpan]:
    frame_us = replayed.frame_us
    frames = zip(replayed.arrived_us, replayed.voiced, strict=True)
    heard = [
        TimeSpan(max(0, last - frame_us) / US_PER_S, last / US_PER_S)
        for voiced, group in groupby(frames, key=lambda each: each[1])
        if voiced
        for last, _ in group
    ]
    return merged(heard, frame_us / US_PER_S / 2)
