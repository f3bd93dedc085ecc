"""What may flow between operators, and how an operator says what it takes and gives.

An operator is a function with keyword arguments that returns `Observable -> Observable`. Its name, its arguments, their
types and limits stand in its signature and nowhere else: the graph loader reads them from there.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model
from reactivex import Observable

from webapi.voice_node.context import Context
from webapi.voice_node.events import ROOM_RATE_HZ

P = ParamSpec("P")
T = TypeVar("T")
Stage: TypeAlias = Callable[[Observable[Any]], Observable[T]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a stream carries. `rate` (Hz) and `ms` (frame length) are None where they mean nothing."""

    name: str
    rate: int | None = None
    ms: int | None = None

    def __str__(self) -> str:
        parts = [self.name]
        if self.rate:
            parts.append(f"{self.rate // 1000} kHz")
        if self.ms:
            parts.append(f"{self.ms} ms")
        return " ".join(parts)


AUDIO = Kind("audio")  # AudioChunk, AudioGap
FRAMES = Kind("frames")  # Frame, AudioGap
VOICED = Kind("voiced")  # Voiced, AudioGap
TURNS = Kind("turns")  # SpeechStarted, PartialAudio, SpeechEnded, BargeIn, Superseded, Prompted, Unheard
REPLIES = Kind("replies")  # ReplyStarted, ReplyAudio, ReplyEnded, ReplyCut, …
PLAYBACK = Kind("playback")  # FillerStarted, PlaybackStarted, PlaybackEnded, FramesDropped
PLAYED = Kind("played", ROOM_RATE_HZ)  # ReplyAudio as the speaker plays it, PlaybackEnded

Gives: TypeAlias = Callable[[Kind, Mapping[str, Any]], Kind]
Check: TypeAlias = Callable[[Kind, Mapping[str, Any]], str]


def same(kind: Kind, _: Mapping[str, Any]) -> Kind:
    """Gives what it takes."""
    return kind


def anything(_: Kind, __: Mapping[str, Any]) -> str:
    """All arguments go together."""
    return ""


def becomes(name: str) -> Gives:
    """Gives another kind at the same rate and frame length."""
    return lambda kind, _: replace(kind, name=name)


class Operator(Generic[P, T]):
    """An operator of the table: called with its arguments it gives the stage, as the plain function does."""

    def __init__(
        self, build: Callable[P, Stage[T]], takes: tuple[Kind, ...], gives: Gives, check: Check = anything
    ) -> None:
        self.build = build
        self.takes = takes
        self.gives = gives
        self.check = check
        self.name = build.__name__
        functools.update_wrapper(self, build)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Stage[T]:
        """The stage: `Observable -> Observable`."""
        return self.build(*args, **kwargs)

    def accepts(self, kind: Kind) -> bool:
        """Whether a stream of `kind` may flow in. A rate or length that `takes` leaves out does not matter."""
        return any(kind.name == t.name and t.rate in (None, kind.rate) and t.ms in (None, kind.ms) for t in self.takes)

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.build, include_extras=True)

    @functools.cached_property
    def streams(self) -> dict[str, Kind]:
        """Arguments that name another stream, with what it must carry: annotated `Annotated[Observable[X], KIND]`."""
        found = {}
        for name, hint in self._hints.items():
            kinds = [extra for extra in get_args(hint)[1:] if isinstance(extra, Kind)]
            if name != "return" and kinds:
                found[name] = kinds[0]
        return found

    @functools.cached_property
    def wants_context(self) -> bool:
        """Whether the session's Context is passed in (an argument named `context`)."""
        return self._hints.get("context") is Context

    @functools.cached_property
    def wants_kind(self) -> bool:
        """Whether the kind that it gives in its graph is passed in (an argument named `gives`)."""
        return self._hints.get("gives") is Kind

    @functools.cached_property
    def wants_next(self) -> bool:
        """Whether the kind is passed in that the operator behind it gives (an argument named `then`)."""
        return self._hints.get("then") is Kind

    @functools.cached_property
    def arguments(self) -> type[BaseModel]:
        """The YAML-given arguments as a pydantic model, derived from the signature."""
        fields: dict[str, Any] = {}
        for name, parameter in inspect.signature(self.build).parameters.items():
            if name in self.streams or self._hints.get(name) in (Context, Kind):
                continue
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (self._hints[name], default)
        return create_model(f"{self.name} arguments", __config__=ConfigDict(extra="forbid", strict=True), **fields)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.build) or "").split("\n", 1)[0]


def operator(
    *, takes: Kind | tuple[Kind, ...], gives: Gives = same, check: Check = anything
) -> Callable[[Callable[P, Stage[T]]], Operator[P, T]]:
    """Declare what flows in and out of an operator; `check` says why arguments don't go together."""
    kinds = takes if isinstance(takes, tuple) else (takes,)
    return lambda build: Operator(build, kinds, gives, check)
