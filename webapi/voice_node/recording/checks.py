"""Checks what is read from a recorded call against the types of the inputs: somebody else may have made the files."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from webapi.voice_node.config import Settings
from webapi.voice_node.errors.bad_settings import is_secret
from webapi.voice_node.errors.plain_text import shortened
from webapi.voice_node.events import US_PER_S, Reply
from webapi.voice_node.inputs import CallerInfo, Input, OrchestratorOutput

LONGEST_S = 18 * 3600  # of a call: a longer mix does not fit into a WAV
EARLY_S = 60  # how long before the session's start an input may have its stamp
LATEST_ORIGIN_US = 4 * 10**15  # from here on, floats hold no whole microseconds
LARGEST = 2**53  # of other whole numbers
LARGEST_PIECE = 60 * 48_000 * 2  # bytes: a minute of audio
RATES_HZ = (8_000, 48_000)


def check_input(given: Input, origin_us: int) -> None:
    """Raise ValueError where a value has another type than its field, or is out of range.

    `origin_us`: start of the session, as call.json has it.
    """
    value: Any = given
    if isinstance(given, OrchestratorOutput):
        value = given.value
        if not isinstance(value, get_args(Reply)):
            raise ValueError(f"{type(value).__name__} does not come from an orchestrator")
    made: Any = type(value)
    for name, kind in _fields(made):
        content = getattr(value, name)
        _check(name, content, kind)
        if name == "t_us" and not -EARLY_S * US_PER_S <= content - origin_us <= LONGEST_S * US_PER_S:
            limit = f"at most {LONGEST_S // 3600} hours after origin_us, which is {origin_us}"
            raise ValueError(f"{name} is {content}, and must be {limit}")
        if name == "rate" and not RATES_HZ[0] <= content <= RATES_HZ[1]:
            raise ValueError(f"rate is {content}, and must be from {RATES_HZ[0]} to {RATES_HZ[1]} Hz")


def check_size(size: Any) -> int:
    """Return the `bytes` of a line. Raises ValueError where that is no size of int16 PCM."""
    if type(size) is not int or size % 2 or not 0 <= size <= LARGEST_PIECE:
        raise ValueError(f"bytes is {_shown(size)}, and must be an even number from 0 to {LARGEST_PIECE}")
    return size


def check_origin(origin_us: Any) -> int:
    """Return the `origin_us` of call.json. Raises ValueError where it is no time in microseconds."""
    if type(origin_us) is not int or not 0 <= origin_us <= LATEST_ORIGIN_US:
        raise ValueError(f"origin_us is {_shown(origin_us)}, and must be a whole number from 0 to {LATEST_ORIGIN_US}")
    return origin_us


def check_caller(recorded: Any) -> CallerInfo:
    """Return the `caller` of call.json; an old recording has none. Raises ValueError for what is none."""
    if recorded is None:
        return CallerInfo()
    try:
        # As JSON: a strict check of Python values takes no dict for a dataclass.
        return TypeAdapter(CallerInfo).validate_json(json.dumps(recorded), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"caller: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def check_settings(recorded: Any) -> dict[str, Any]:
    """Return the `settings` of call.json, as far as this program knows them. Raises ValueError for a wrong value."""
    if not isinstance(recorded, dict):
        raise ValueError("settings is no object")
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        if name not in recorded or is_secret(Settings, name):
            continue
        kind: Any = field.annotation
        for check in () if name == "mock_reply" else field.metadata:  # the WAV that it names may be elsewhere
            kind = Annotated[kind, check]
        try:
            found[name] = TypeAdapter(kind).validate_python(recorded[name])
        except ValidationError:
            allowed = field.json_schema_extra["allowed"] if isinstance(field.json_schema_extra, dict) else ""
            raise ValueError(f"{name.upper()} is {_shown(recorded[name])}; allowed: {allowed}") from None
    return found


@cache
def _fields(made: Any) -> tuple[tuple[str, Any], ...]:
    """The fields of an input's class, each with its type."""
    hints = get_type_hints(made)
    if is_dataclass(made):
        return tuple((field.name, hints[field.name]) for field in fields(made))
    return tuple((name, hints[name]) for name in made._fields)  # a NamedTuple


def _check(name: str, content: Any, kind: Any) -> None:
    if not _fits(content, kind):
        raise ValueError(f"{name} is {_shown(content)}, and must be {_words(kind)}")
    if hasattr(kind, "_fields"):  # a turn
        for part, of_part in _fields(kind):
            _check(f"{name}: {part}", getattr(content, part), of_part)


def _fits(content: Any, kind: Any) -> bool:
    origin = get_origin(kind)
    if origin is Literal:
        return any(content == each and type(content) is type(each) for each in get_args(kind))
    if origin in (Union, types.UnionType):
        return any(_fits(content, each) for each in get_args(kind))
    if origin is Mapping:
        return isinstance(content, dict)  # read from JSON, so all in it is
    if kind is int:
        return type(content) is int and 0 <= content <= LARGEST
    if kind is float:
        return type(content) in (int, float) and math.isfinite(content)
    return isinstance(content, kind)


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) is Mapping:
        return "an object"
    names = {int: f"a whole number from 0 to {LARGEST}", str: "a text", bool: "true or false", float: "a number"}
    return names.get(kind, getattr(kind, "__name__", str(kind)))


def _shown(content: Any) -> str:
    return shortened(repr(content), 40)
