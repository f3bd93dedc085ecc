"""Logs the events of a session: the fields of `events.record`, and a sentence for people.

What was said, and which keys were pressed, is in the log only where LOG_TRANSCRIPTS is on; else a line says how many
characters it had.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from loguru import logger

from webapi.voice_node.errors.plain_text import shortened
from webapi.voice_node.events import (
    SAY,
    BargeIn,
    Dtmf,
    Event,
    FillerStarted,
    FramesDropped,
    HeardText,
    HookFailed,
    HungUp,
    LlmRequestDone,
    Mark,
    MessageSent,
    PlaybackDucked,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackRestored,
    PlaybackResumed,
    PlaybackStarted,
    Prompted,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    SpeechEnded,
    SpeechStarted,
    Superseded,
    Transcript,
    TtsFirstChunk,
    Uninterruptible,
    record,
)

SENTENCES: dict[type[Event], str] = {  # of events without a value to tell
    SpeechStarted: "caller started talking",
    BargeIn: "caller talked over the bot",
    Superseded: "caller went on before the bot answered",
    ReplyStarted: "orchestrator called",
    LlmRequestDone: "language model done",
    TtsFirstChunk: "first audio of the reply is there",
    Uninterruptible: "the reply is to be heard to its end",
    FillerStarted: "the reply is late, bot says a filler",
    PlaybackStarted: "bot started talking",
    PlaybackResumed: "bot goes on",
    PlaybackRestored: "bot is loud again",
}
STEPS = (ReplyStarted, LlmRequestDone, TtsFirstChunk, Uninterruptible, ReplyCut, Mark)  # a caller does not notice these
WORDS = {Transcript: "text", HeardText: "text", MessageSent: "message", Dtmf: "digit"}  # the fields with what was said
KEY_HOOK = "on_dtmf"
SHOWN_CHARACTERS = 200  # in a sentence; the field has all


def event_tap(session_id: str, room: str, origin_us: int, *, words: bool = False) -> Callable[[Event], None]:
    """A tap that logs each event. `t` and the other times of a line are seconds since `origin_us`.

    `words`: lines have what was said; else they have the number of its characters, at DEBUG.

    A method of the orchestrator that fails is logged once a turn: one that is called for each frame can fail as often.
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
        if not words:
            _leave_words_out(event, fields)
        ids = {key: fields.pop(key) for key in ("event", "trace_id")}
        bound = logger.bind(**ids, session_id=session_id, room=room, **fields)
        bound.log(level_of(event, words), sentence(event, words))

    return tap


def level_of(event: Event, words: bool = False) -> str:
    """INFO for what a caller could notice, DEBUG for the steps between, WARNING for errors.

    What was said is INFO where the log has the `words`.
    """
    if isinstance(event, HookFailed):
        return "WARNING"
    if isinstance(event, ReplyEnded):
        return "DEBUG" if event.outcome == "completed" else "WARNING"
    if isinstance(event, Dtmf):
        return "INFO"
    if type(event) in WORDS:
        return "INFO" if words and getattr(event, "final", True) else "DEBUG"
    return "DEBUG" if isinstance(event, STEPS) else "INFO"


def sentence(event: Event, words: bool = False) -> str:
    """What happened, in a few words. Turns are numbered from 0, as in the files. `words`: with what was said."""
    what, detail = _what_was_said(event, words) if type(event) in WORDS else _what_happened(event)
    if isinstance(event, HookFailed) and not words:
        detail = _without_key(event)
    return f"{what} (turn {event.turn.number})" + (f": {detail}" if detail else "")


def _what_happened(event: Event) -> tuple[str, str]:
    """A sentence without its turn, and the detail that stands behind the turn or ""."""
    if isinstance(event, SpeechEnded):
        detail = "" if event.reason == "silence" else event.reason
        return f"caller stopped talking after {_seconds(event.voiced_ms)} of voice", detail
    if isinstance(event, Prompted):
        return ("the bot begins a turn" if event.prompt == SAY else f"the bot is to say {event.prompt}"), ""
    if isinstance(event, ReplyEnded):
        return f"reply {event.outcome}", event.detail
    if isinstance(event, ReplyCut):
        return f"reply cancelled, {event.outcome}", ""
    if isinstance(event, PlaybackPaused):
        return f"bot halted, {_seconds(event.heard_ms)} heard so far", ""
    if isinstance(event, PlaybackDucked):
        return f"bot became soft, {_seconds(event.heard_ms)} heard so far", ""
    if isinstance(event, PlaybackEnded):
        if not event.heard_ms:
            return "nothing of the reply was heard", ""
        return f"bot {'finished' if event.completed else 'fell silent'}, {_seconds(event.heard_ms)} heard", ""
    if isinstance(event, FramesDropped):
        return f"{event.frames} frames dropped: {event.reason}", ""
    if isinstance(event, HookFailed):
        return f"the orchestrator's {event.hook} failed", event.detail
    if isinstance(event, Mark):
        return "the orchestrator set a mark", event.mark
    if isinstance(event, HungUp):
        return "the bot hangs up", event.reason
    return SENTENCES.get(type(event), event.name), ""


def _what_was_said(event: Event, words: bool) -> tuple[str, str]:
    """The sentence of an event in WORDS, and what was said where that is to be told."""
    text = _words_of(event)
    if isinstance(event, Dtmf):
        return "caller pressed a key", text if words else ""
    detail = shortened(text, SHOWN_CHARACTERS) if words else f"{len(text)} characters"
    if isinstance(event, Transcript):
        who = "caller said" if event.speaker == "caller" else "the bot's words"
        return who if event.final else f"{who}, so far", detail
    return ("heard of the bot's words" if isinstance(event, HeardText) else "message to the room"), detail


def _words_of(event: Event) -> str:
    """What was said in an event in WORDS; a message as JSON."""
    said = getattr(event, WORDS[type(event)])
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def _leave_words_out(event: Event, fields: dict[str, Any]) -> None:
    """Put the number of characters in place of what was said."""
    if type(event) in WORDS:
        del fields[WORDS[type(event)]]
        fields["characters"] = len(_words_of(event))
    elif isinstance(event, HookFailed):
        fields["detail"] = _without_key(event)


def _without_key(event: HookFailed) -> str:
    """The detail; of an error about a pressed key only its type: `KeyError: '5'` would tell the key."""
    return event.detail.partition(":")[0] if event.hook == KEY_HOOK else event.detail


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.2f} s"
