"""Builds the timeline of a replay from its events, metrics and frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from webapi.voice_node.events import US_PER_S
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.timeline.model import (
    Delay,
    ReplyBar,
    SpokenWords,
    Timeline,
    TimeSpan,
    TurnRow,
    printable,
)
from webapi.voice_node.replay.words import words_of

Line: TypeAlias = dict[str, Any]  # of events.jsonl or of metrics.jsonl
FirstEvents: TypeAlias = Mapping[str, Mapping[str, Line]]  # event name → trace_id → the first event of that name
MAX_PARTS = 12  # of a wait
DELAYS = (  # kind, field of metrics.jsonl, the event at which it begins, that event's field
    ("reply", "latency_speech_end_to_first_bot_chunk_ms", "speech_ended", "t"),
    ("stop", "barge_in_stop_ms", "barge_in", "t_first_voiced"),
)


def timeline(replayed: ReplayResult, mix_seconds: float = 0.0) -> Timeline:
    """Return the timeline of a replay whose mix is `mix_seconds` long."""
    events = replayed.events
    metrics = {str(line["trace_id"]): line for line in replayed.metrics}
    end = max([replayed.seconds, mix_seconds, *(e["t"] for e in events)])
    firsts = _first_events(events)
    begun = {**firsts.get("speech_started", {}), **firsts.get("prompted", {})}
    in_order = dict(sorted(begun.items(), key=lambda each: int(each[1]["turn_index"])))
    speech = {
        trace: _speech_span(started, firsts.get("speech_ended", {}).get(trace), replayed.frame_us / US_PER_S, end)
        for trace, started in in_order.items()
        if "t_first_voiced" in started
    }
    starts = {trace: speech[trace].start if trace in speech else started["t"] for trace, started in in_order.items()}
    return Timeline(
        name=printable(replayed.name),
        graph=printable(replayed.graph),
        seconds=end,
        voiced=_voiced_runs(replayed),
        likely=_probability_steps(replayed),
        speech=list(speech.values()),
        playback=_playback(events, end),
        fillers=list(_fillers(firsts, end)),
        delays=_delays(firsts, metrics),
        events=events,
        turns=[_turn_row(started, starts[trace], metrics.get(trace, {})) for trace, started in in_order.items()],
        words=_words(events, firsts, starts),
    )


def _first_events(events: Sequence[Line]) -> FirstEvents:
    firsts: dict[str, dict[str, Line]] = {}
    for event in events:
        firsts.setdefault(event["event"], {}).setdefault(event["trace_id"], event)
    return firsts


def _speech_span(started: Line, ended: Line | None, frame: float, end: float) -> TimeSpan:
    """Return the speech of a turn; up to `end` where its end was not decided."""
    until = ended["t_last_voiced"] if ended else end
    return TimeSpan(max(0.0, started["t_first_voiced"] - frame), until, started["turn_index"])


def _turn_row(started: Line, start: float, line: Line) -> TurnRow:
    return TurnRow(
        turn=started["turn_index"],
        start=start,
        said_ms=line.get("vad_speech_ms"),
        outcome=str(line.get("outcome", "")),
        reply_ms=line.get("latency_speech_end_to_first_bot_chunk_ms"),
        heard_ms=line.get("heard_ms"),
        stop_ms=line.get("barge_in_stop_ms"),
        wait_ms=line.get("caller_wait_ms"),
        parts=_parts(line),
        prompt=printable(str(started.get("prompt", ""))),
    )


def _parts(line: Line) -> list[dict[str, Any]]:
    """Return the parts of the wait; of very many, the last ones as one."""
    parts = line.get("parts") or []
    if len(parts) <= MAX_PARTS:
        return list(parts)
    rest = sum(part["ms"] for part in parts[MAX_PARTS - 1 :])
    return [*parts[: MAX_PARTS - 1], {"name": "other parts", "ms": rest, "owner": "", "setting": None}]


def _words(events: Sequence[Line], firsts: FirstEvents, starts: Mapping[str, float]) -> list[SpokenWords]:
    """Return what was said, in the order of its turns' times."""
    found = []
    for each in words_of(events):
        begun = firsts["transcript"][each.trace_id]["t"]
        played = firsts.get("playback_started", {}).get(each.trace_id, {"t": begun})["t"]
        start = starts.get(each.trace_id, begun) if each.side == "caller" else played
        found.append(SpokenWords(each.turn, each.side, start, each.heard, each.unheard, each.cut))
    return sorted(found, key=lambda words: words.start)


def _fillers(firsts: FirstEvents, end: float) -> Iterator[TimeSpan]:
    """Yield each filler, until its reply is heard, or it halts, or nothing is heard any more."""
    over = ("playback_started", "playback_paused", "playback_ended")
    for trace, began in firsts.get("filler_started", {}).items():
        ends = [firsts[name][trace]["t"] for name in over if trace in firsts.get(name, {})]
        yield TimeSpan(began["t"], min(ends, default=end), began["turn_index"])


def _playback(events: Sequence[Line], end: float) -> list[ReplyBar]:
    """Return each stretch of playback: from where it starts, goes on or changes its volume up to the next of these."""
    steps: dict[str, list[Line]] = {}  # of each reply, in order
    for event in events:
        if event["event"].startswith("playback_"):
            steps.setdefault(event["trace_id"], []).append(event)
    found = []
    for of_one in steps.values():
        cut_off = not of_one[-1].get("completed", True)
        heard = ducked = False  # heard: of the reply itself, as a filler that halts does not go on
        for began, over in zip(of_one, [*of_one[1:], None], strict=True):
            name = began["event"]
            heard = heard or name == "playback_started"
            ducked = name == "playback_ducked" or (ducked and name != "playback_restored")
            if heard and name not in ("playback_paused", "playback_ended"):
                until = over["t"] if over else end
                halts = [line for line in of_one[-2:-1] if line["event"] == "playback_paused"]
                cut = cut_off and over in (of_one[-1], *halts)  # that ends it, or it pauses and does not go on
                heard_ms = over.get("heard_ms") if over else None
                found.append(ReplyBar(began["t"], until, began["turn_index"], heard_ms, cut, ducked))
    return sorted(found, key=lambda playback: playback.start)


def _delays(firsts: FirstEvents, metrics: Mapping[str, Line]) -> list[Delay]:
    """Return where the two latencies of metrics.jsonl lie."""
    found = []
    for kind, field, start, key in DELAYS:
        for trace, first in firsts.get(start, {}).items():
            ms = metrics.get(trace, {}).get(field)
            if ms is not None:
                found.append(Delay(first[key], round(first[key] + ms / 1000, 6), first["turn_index"], kind, ms))
    return sorted(found, key=lambda delay: delay.start)


def _probability_steps(replayed: ReplayResult) -> list[tuple[float, float]]:
    """Return where the probability of a voice changes, in hundredths: in silence it changes little."""
    steps: list[tuple[float, float]] = []
    for at_us, likely in zip(replayed.arrived_us, replayed.likely, strict=False):
        if likely is None:
            continue
        p = round(likely, 2)
        if not steps or p != steps[-1][1]:
            steps.append((max(0, at_us - replayed.frame_us) / US_PER_S, p))
    return steps


def _voiced_runs(replayed: ReplayResult) -> list[TimeSpan]:
    frame_us = replayed.frame_us
    runs: list[list[int]] = []  # from, to: µs
    for last_us, voiced in zip(replayed.arrived_us, replayed.voiced, strict=True):
        if voiced:
            first_us = max(0, last_us - frame_us)
            if runs and (first_us - runs[-1][1]) * 2 <= frame_us:
                runs[-1][1] = max(runs[-1][1], last_us)
            else:
                runs.append([first_us, last_us])
    return [TimeSpan(first_us / US_PER_S, last_us / US_PER_S) for first_us, last_us in runs]
