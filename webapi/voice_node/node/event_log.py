"""A session's events as log lines: the same fields as everywhere, and a sentence for people."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger

from webapi.voice_node.events import (
    BargeIn,
    Event,
    FillerStarted,
    FramesDropped,
    HookFailed,
    LlmRequestDone,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    Prompted,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    SpeechEnded,
    SpeechStarted,
    Superseded,
    TtsFirstChunk,
    Uninterruptible,
    record,
)


def event_tap(session_id: str, room: str, origin_us: int) -> Callable[[Event], None]:
    """A tap that logs each event. `t` and other times of the line are seconds since `origin_us`.

    A failing method of the orchestrator is logged once a turn: one that gets every frame can fail as often.
    """
    failed: set[tuple[str, str]] = set()

    def tap(event: Event) -> None:
        if isinstance(event, SpeechStarted):
            failed.clear()
        if isinstance(event, HookFailed):
            if (event.turn.trace_id, event.hook) in failed:
                return
            failed.add((event.turn.trace_id, event.hook))
        fields = record(event, origin_us)
        if isinstance(event, PlaybackEnded):
            fields["event"] = "playback_stopped"  # its name in the log
        if isinstance(event, SpeechEnded):
            fields["utterance_bytes"] = len(event.pcm)
        ids = {key: fields.pop(key) for key in ("event", "trace_id")}
        bound = logger.bind(**ids, session_id=session_id, room=room, **fields)
        bound.log(level_of(event), sentence(event))

    return tap


def level_of(event: Event) -> str:
    """INFO for what a caller could notice, DEBUG for the steps between, WARNING for a reply gone wrong."""
    if isinstance(event, HookFailed):
        return "WARNING"
    if isinstance(event, ReplyEnded):
        return "DEBUG" if event.outcome == "completed" else "WARNING"
    between = isinstance(event, ReplyStarted | LlmRequestDone | TtsFirstChunk | Uninterruptible | ReplyCut)
    return "DEBUG" if between else "INFO"


def sentence(event: Event) -> str:
    """What happened, in a few words; turns are numbered from 0 as in the files."""
    turn = f"(turn {event.turn.number})"
    if isinstance(event, SpeechStarted):
        return f"caller started talking {turn}"
    if isinstance(event, SpeechEnded):
        why = "" if event.reason == "silence" else f": {event.reason}"
        return f"caller stopped talking after {_s(event.voiced_ms)} of voice {turn}{why}"
    if isinstance(event, BargeIn):
        return f"caller talked over the bot {turn}"
    if isinstance(event, Superseded):
        return f"caller went on before the bot answered {turn}"
    if isinstance(event, Prompted):
        return f"the bot is to say {event.prompt} {turn}"
    if isinstance(event, ReplyStarted):
        return f"orchestrator called {turn}"
    if isinstance(event, LlmRequestDone):
        return f"language model done {turn}"
    if isinstance(event, TtsFirstChunk):
        return f"first audio of the reply is there {turn}"
    if isinstance(event, Uninterruptible):
        return f"the reply is to be heard to its end {turn}"
    if isinstance(event, ReplyEnded):
        return f"reply {event.outcome} {turn}" + (f": {event.detail}" if event.detail else "")
    if isinstance(event, ReplyCut):
        return f"reply cancelled, {event.outcome} {turn}"
    if isinstance(event, FillerStarted):
        return f"the reply is late, bot says a filler {turn}"
    if isinstance(event, PlaybackStarted):
        return f"bot started talking {turn}"
    if isinstance(event, PlaybackPaused):
        return f"bot halted, {_s(event.heard_ms)} heard so far {turn}"
    if isinstance(event, PlaybackResumed):
        return f"bot goes on {turn}"
    if isinstance(event, PlaybackEnded):
        if not event.heard_ms:
            return f"nothing of the reply was heard {turn}"
        return f"bot {'finished' if event.completed else 'fell silent'}, {_s(event.heard_ms)} heard {turn}"
    if isinstance(event, FramesDropped):
        return f"{event.frames} frames dropped: {event.reason} {turn}"
    if isinstance(event, HookFailed):
        return f"the orchestrator's {event.hook} failed {turn}: {event.detail}"
    return f"{event.name} {turn}"


def _s(ms: int) -> str:
    return f"{ms / 1000:.2f} s"
