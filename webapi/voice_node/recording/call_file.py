"""The files of a recorded call: everything that came into its graph from outside, in order, with its times.

    call.json      session, room, time, versions and settings (never a secret)
    graph.yaml     the graph that answered
    inputs.jsonl   a line for each input: the caller's audio and keys, what the orchestrator gave or asked for, what was
                   played out, when the speaker acted, what was answered at a pause, the end
    caller.wav     the caller's audio of those lines, joined
    replies.wav    the same of the replies
    events.jsonl   what the node decided

The graph is a function of these inputs, so a replay of them gives the same decisions: see replay/call_replay.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeAlias

from webapi.voice_node import events
from webapi.voice_node.events import (
    AudioChunk,
    AudioGap,
    ExpectsAsked,
    HangUpAsked,
    KeyPressed,
    Reply,
    ReplyAudio,
    SayAsked,
    Turn,
)
from webapi.voice_node.inputs import Closed, EndOfTurnAnswered, Input, OrchestratorOutput, PlayedOut, SpeakerActed

VERSION = 1
CALL, GRAPH, INPUTS, CALLER, REPLIES, EVENTS = (
    "call.json", "graph.yaml", "inputs.jsonl", "caller.wav", "replies.wav", "events.jsonl",
)  # fmt: skip

TakePcm: TypeAlias = Callable[[str, int], bytes | None]
"""Returns the next bytes of a WAV, given its name and how many; None where the file ends before them."""


def is_call(path: Path) -> bool:
    """Whether the folder is a recorded call, perhaps one whose call.json is missing."""
    return (path / CALL).is_file() or (path / INPUTS).is_file()


def audio_of(given: Input) -> tuple[str, bytes, int] | None:
    """Return the WAV that an input's audio belongs to, its PCM and its rate in Hz; None for an input without audio."""
    if isinstance(given, AudioChunk):
        return CALLER, given.pcm, given.rate
    if isinstance(given, OrchestratorOutput) and isinstance(given.value, ReplyAudio):
        return REPLIES, given.value.pcm, given.value.rate
    return None


def line_of(given: Input) -> dict[str, Any]:
    """Return an input as a line of inputs.jsonl, which has the size of audio in bytes instead of the audio."""
    if isinstance(given, AudioChunk):
        line: dict[str, Any] = {"in": "audio", "t_us": given.t_us, "bytes": len(given.pcm), "rate": given.rate}
        return {**line, "echo": True} if given.echo else line
    if isinstance(given, AudioGap):
        unheard = {"unheard": True} if given.unheard else {}
        return {"in": "gap", "t_us": given.t_us, "reason": given.reason, **unheard}
    if isinstance(given, KeyPressed):
        return {"in": "key", "t_us": given.t_us, "digit": given.digit}
    if isinstance(given, SayAsked):
        return {"in": "say", "t_us": given.t_us, "trace_id": given.trace_id}
    if isinstance(given, HangUpAsked):
        return {"in": "hang_up", "t_us": given.t_us, "reason": given.reason}
    if isinstance(given, ExpectsAsked):
        return {"in": "expects", "t_us": given.t_us, "what": given.what}
    if isinstance(given, PlayedOut):
        return {"in": "played_out", "t_us": given.t_us, "turn": _turn_ids(given.turn)}
    if isinstance(given, SpeakerActed):
        return {"in": "speaker_acted", "t_us": given.t_us, "cause_us": given.cause_us}
    if isinstance(given, EndOfTurnAnswered):
        return {"in": "end_of_turn", **asdict(given)}
    if isinstance(given, Closed):
        return {"in": "closed", "t_us": given.t_us}
    return {"in": "told", "value": type(given.value).__name__, **_reply_fields(given.value)}


def input_of(line: dict[str, Any], take_pcm: TakePcm) -> Input | None:
    """Return the input of a line; None where its audio is missing.

    Raises ValueError, KeyError, TypeError or AttributeError for a line of another format.
    """
    kind = line.pop("in")
    if kind == "audio":
        pcm = take_pcm(CALLER, line["bytes"])
        return AudioChunk(line["t_us"], pcm, line["rate"], line.get("echo", False)) if pcm is not None else None
    if kind == "gap":
        return AudioGap(**line)
    if kind == "key":
        return KeyPressed(**line)
    if kind == "say":
        return SayAsked(**line)
    if kind == "hang_up":
        return HangUpAsked(**line)
    if kind == "expects":
        return ExpectsAsked(**line)
    if kind == "played_out":
        return PlayedOut(line["t_us"], Turn(*line["turn"]))
    if kind == "speaker_acted":
        return SpeakerActed(**line)
    if kind == "end_of_turn":
        return EndOfTurnAnswered(**line)
    if kind == "closed":
        return Closed(**line)
    if kind != "told":
        raise ValueError(f"an unknown input {kind!r}")
    made = getattr(events, line.pop("value"))
    line["turn"] = Turn(*line["turn"])
    if issubclass(made, ReplyAudio):
        line["pcm"] = take_pcm(REPLIES, line.pop("bytes"))
        if line["pcm"] is None:
            return None
    value: Reply = made(**line)
    return OrchestratorOutput(value)


def _reply_fields(value: Reply) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if field.name == "pcm":
            found["bytes"] = len(content)
        else:
            found[field.name] = _turn_ids(content) if isinstance(content, Turn) else content
    return found


def _turn_ids(turn: Turn) -> list[Any]:
    return [turn.trace_id, turn.number]
