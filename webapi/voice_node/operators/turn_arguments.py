"""Why arguments of `turn_events` don't go together: said when a graph is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapi.voice_node.operators.kinds import Kind


def do_not_go_together(kind: Kind, arguments: Mapping[str, Any]) -> str:
    """The reason, or "" where they do. `kind` is what turn_events gives: its `ms` is the length of a frame."""
    ms = kind.ms or 0
    return _prompt_without_reply(arguments) or _wrong_holds(ms, arguments) or _no_room(ms, arguments)


def _prompt_without_reply(arguments: Mapping[str, Any]) -> str:
    prompt = next((name for name in ("greeting", "idle_prompt") if arguments[name]), None)
    if prompt and not arguments["answered"]:
        return f"{prompt}: nobody says it where `answered` is false: leave that out, and let `reply` follow"
    return ""


def _wrong_holds(ms: int, arguments: Mapping[str, Any]) -> str:
    """Each wait is longer than the one before it, where it is given at all."""
    end_ms = arguments["end_frames"] * ms
    for name in ("patience_ms", "hold_ms", "longest_hold_ms"):
        if 0 < arguments[name] <= end_ms:
            return f"{name}: {arguments[name]}: end_frames waits {end_ms} ms already; give more, or 0"
    hold_ms, longest_ms = arguments["hold_ms"], arguments["longest_hold_ms"]
    if 0 < longest_ms < hold_ms:
        return f"longest_hold_ms: {longest_ms}: hold_ms waits {hold_ms} ms already; give more, or 0"
    if arguments["open_at"] >= arguments["done_at"]:
        return f"open_at: {arguments['open_at']}: it must be less than done_at, which is {arguments['done_at']}"
    return ""


def _no_room(ms: int, arguments: Mapping[str, Any]) -> str:
    """An utterance holds what is before its start and the silence at its end: it must be longer than these."""
    longest_s = arguments["longest_s"]
    before_ms = max(arguments["preroll_ms"], arguments["start_frames"] * ms)
    cough_ms = arguments["cough_ms"]
    if arguments["barge_in"] == "pause" and longest_s * 1000 < before_ms + cough_ms - arguments["start_frames"] * ms:
        return (
            f"cough_ms: {cough_ms}: nobody could interrupt a reply: "
            f"whoever talks for longest_s ({longest_s} s, with preroll_ms) is still taken for a cough"
        )
    waits = {name: arguments[name] for name in ("patience_ms", "hold_ms", "longest_hold_ms") if arguments[name]}
    longest = max(waits, key=lambda name: waits[name], default="end_frames")
    least_ms = before_ms + waits.get(longest, arguments["end_frames"] * ms)
    if longest_s * 1000 > least_ms:
        return ""
    return (
        f"longest_s: {longest_s}: an utterance has at least {least_ms / 1000:g} s here: "
        f"{before_ms} ms up to its start (preroll_ms, start_frames) and {least_ms - before_ms} ms of {longest}"
    )
