"""Reads the lines of metrics.jsonl, one turn each, and says what is wrong with lines that are no turns."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from types import NoneType
from typing import Any, TypeAlias

from webapi.voice_node.errors import UserError
from webapi.voice_node.report.turn_line import TIMES

TurnLine: TypeAlias = dict[str, Any]  # a line of metrics.jsonl
WAIT = "caller_wait_ms"
MEASURES = {  # fields in ms, and what they are called for people
    WAIT: "caller's last voice to first bot audio",
    "latency_speech_end_to_first_bot_chunk_ms": "end of speech to first bot audio",
    "latency_user_to_first_bot_chunk_ms": "first voice to first bot audio",
    "duck_ms": "caller talks over to bot soft",
    "barge_in_stop_ms": "caller talks over to bot silent",
    "vad_speech_ms": "voice of the caller",
    "heard_ms": "reply heard",
}

TEXTS = ("session_id", "room", "graph", "speech_end", "prompt", "node")
LARGEST = 2**53  # of numbers: sums and products of them fit into floats
DUCKS = ("ducked", "duck_restored", "duck_stopped")  # how often in a turn
FIELDS = tuple(f'"{name}"'.encode() for name in (*TIMES, *MEASURES) if name != "heard_ms")  # that events lack
GIVE = "Give a metrics.jsonl: the file of METRICS_FILE, or the one in the folder of replay --out."


def read_turns(paths: Sequence[str | Path], problems: list[str], repeated: Counter[str]) -> Iterator[TurnLine]:
    """Yield the turns of the files, in order; `-` is standard input.

    A line that an earlier file has too, to the byte, is left out and counted in `repeated`, by its file: a file was
    given twice, or a copy of it. For each line that is no turn, `file:line: what is wrong` is appended to `problems`.
    Raises UserError for a file that can't be read, and for one that has lines but none with a field of FIELDS. An empty
    file is one without turns.
    """
    earlier: set[bytes] = set()
    for path in paths:
        own: set[bytes] = set()
        if str(path) == "-":
            yield from _turns("<stdin>", _new("<stdin>", sys.stdin.buffer, own, earlier, repeated), problems)
        else:
            try:
                with Path(path).open("rb") as file:
                    yield from _turns(str(path), _new(str(path), file, own, earlier, repeated), problems)
            except OSError as error:
                raise UserError(f"{path} can't be read: {error.strerror}") from None
        earlier |= own


def _new(
    name: str, lines: Iterable[bytes], own: set[bytes], earlier: set[bytes], repeated: Counter[str]
) -> Iterator[bytes]:
    """Yield the lines of a file, empty where they are in `earlier`; what identifies them is added to `own`."""
    are_turns: bool | None = None  # None: there is no line yet
    for line in lines:
        text = line.strip()
        if text and not are_turns:  # as bytes: the only line may be cut short
            are_turns = any(field in text for field in FIELDS)
        digest = blake2b(text, digest_size=16).digest()
        own.add(digest)
        if text and digest in earlier:
            repeated[name] += 1
            yield b""
        else:
            yield line
    if are_turns is False:
        raise UserError(f"{name} is no metrics.jsonl: no line of it is a turn. {GIVE}")


def is_prompt(turn: TurnLine) -> bool:
    """Whether it is a prompt: the bot began, with a greeting or after a long silence."""
    return isinstance(turn.get("prompt"), str)


def values(turns: Iterable[TurnLine], name: str) -> list[float]:
    """Return the values of a measure, of all turns that have it."""
    return [turn[name] for turn in turns if turn.get(name) is not None]


def _turns(name: str, lines: Iterable[bytes], problems: list[str]) -> Iterator[TurnLine]:
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            turn = json.loads(text)
        except (ValueError, RecursionError):  # ValueError: not JSON, or not UTF-8
            problems.append(f"{name}:{number}: not a JSON object, or only a part of one")
            continue
        wrong = _wrong(turn)
        if wrong:
            problems.append(f"{name}:{number}: {wrong}")
        else:
            yield turn


def _wrong(turn: object) -> str | None:
    """Return why this is not a line of metrics.jsonl; None where it is one."""
    if not isinstance(turn, dict):
        return "not a JSON object"
    for name in ("trace_id", "outcome"):
        if not isinstance(turn.get(name), str):
            return f"no {name}"
    for name in (*MEASURES, *TIMES):
        value = turn.get(name)
        if value is not None and not _is_number(value):
            return f"{name} is neither a number nor null"
        if value is not None and not -LARGEST <= value <= LARGEST:  # also an infinite one, and one too large for floats
            return f"{name} is out of range"
    if not _are_parts(turn.get("parts")):
        return "parts is no list of parts, and not null"
    for name in TEXTS:
        if not isinstance(turn.get(name), (str, NoneType)):
            return f"{name} is neither a text nor null"
    for name in DUCKS:
        if not _is_count(turn.get(name)):
            return f"{name} is neither a whole number nor null"
    if not _is_count(turn.get("turn_index")):
        return "turn_index is neither a whole number nor null"
    return None


def _are_parts(value: object) -> bool:
    """Whether this is what `parts.parts` gives."""
    return value is None or (
        isinstance(value, list)
        and all(
            isinstance(part, dict)
            and isinstance(part.get("name"), str)
            and isinstance(part.get("owner"), str)
            and isinstance(part.get("setting"), (str, NoneType))
            and _is_number(part.get("ms"))
            and 0 <= part["ms"] <= LARGEST
            for part in value
        )
    )


def _is_count(value: object) -> bool:
    """Whether it is a whole number that may be a count, or None."""
    return value is None or (type(value) is int and 0 <= value <= LARGEST)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value  # not NaN
