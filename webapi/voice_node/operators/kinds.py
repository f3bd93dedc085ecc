"""What may flow between operators, and how an operator declares what it takes and gives.

An operator is a function with keyword arguments that returns `Observable -> Observable`. Its name, its arguments, their
types and limits stand in its signature and nowhere else: the graph loader reads them from there. An
argument whose name is a keyword of Python has an underscore behind it in the signature: `with_`.
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
from webapi.voice_node.plugins import yaml_name

P = ParamSpec("P")
T = TypeVar("T")
Stage: TypeAlias = Callable[[Observable[Any]], Observable[T]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a stream carries. In what an operator takes, a `rate` or `ms` of None means any."""

    name: str  # which values: see the constants of this module
    rate: int | None = None  # Hz, of audio
    ms: int | None = None  # length of a frame

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
TURNS = Kind("turns")  # TurnEvent: SpeechStarted, PartialAudio, SpeechEnded, BargeIn, …
REPLIES = Kind("replies")  # Reply: ReplyStarted, ReplyAudio, ReplyEnded, ReplyCut, …
PLAYBACK = Kind("playback")  # Playback: PlaybackStarted, PlaybackEnded, …
ASKED = Kind("asked")  # Asked: SayAsked, HangUpAsked, ExpectsAsked
KEYS = Kind("keys")  # KeyPressed
WORDS = Kind("words")  # Transcript: what the caller said, as the orchestrator tells it
PLAYED = Kind("played", ROOM_RATE_HZ)  # Played: ReplyAudio as the speaker plays it, PlaybackPaused, PlaybackEnded

Gives: TypeAlias = Callable[[Kind, Mapping[str, Any]], Kind]  # from what comes in and the arguments: what goes out
Check: TypeAlias = Callable[[Kind, Mapping[str, Any]], str]  # from the same: what is wrong with the arguments, or ""


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What an operator may need to know and a graph can't write. It is passed to an argument `info: BuildInfo`."""

    context: Context  # the session: its settings, its loop, its clock
    gives: Kind  # what the operator gives in this graph
    following: Kind  # what the operator after it in its stream gives; of the last operator, `gives`


def same(kind: Kind, _: Mapping[str, Any]) -> Kind:
    """A `gives` of an operator that gives what it takes."""
    return kind


def anything(_: Kind, __: Mapping[str, Any]) -> str:
    """A `check` that accepts all arguments."""
    return ""


def becomes(name: str) -> Gives:
    """A `gives` of an operator that gives the kind `name` at the rate and frame length that come in."""
    return lambda kind, _: replace(kind, name=name)


class Operator(Generic[P, T]):
    """An operator of the table. Called with its arguments it returns the stage, as the plain function does."""

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

    def made_with(self, arguments: Mapping[str, Any]) -> Stage[T]:
        """The stage, with arguments by the names that graphs use: `with` for the parameter `with_`."""
        build: Callable[..., Stage[T]] = self.build
        return build(**{self._parameters[name]: value for name, value in arguments.items()})

    def accepts(self, kind: Kind) -> bool:
        """Whether a stream of `kind` may flow in. A rate or length that is None in `takes` may be any."""
        return any(kind.name == t.name and t.rate in (None, kind.rate) and t.ms in (None, kind.ms) for t in self.takes)

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.build, include_extras=True)

    @functools.cached_property
    def _parameters(self) -> dict[str, str]:
        """The parameters of the function by the names that graphs use."""
        return {yaml_name(name): name for name in inspect.signature(self.build).parameters}

    @functools.cached_property
    def streams(self) -> dict[str, Kind]:
        """Arguments that name another stream, with what it must carry: annotated `Annotated[Observable[X], KIND]`."""
        found = {}
        for name, hint in self._hints.items():
            kinds = [extra for extra in get_args(hint)[1:] if isinstance(extra, Kind)]
            if name != "return" and kinds:
                found[yaml_name(name)] = kinds[0]
        return found

    @functools.cached_property
    def wants_info(self) -> bool:
        """Whether a BuildInfo is passed in (an argument `info: BuildInfo`)."""
        return self._hints.get("info") is BuildInfo

    @functools.cached_property
    def arguments(self) -> type[BaseModel]:
        """The YAML-given arguments as a pydantic model, derived from the signature."""
        fields: dict[str, Any] = {}
        parameters = inspect.signature(self.build).parameters
        for written, name in self._parameters.items():
            if written in self.streams or (name == "info" and self.wants_info):
                continue
            default = parameters[name].default
            fields[written] = (self._hints[name], ... if default is inspect.Parameter.empty else default)
        return create_model(f"{self.name} arguments", __config__=ConfigDict(extra="forbid", strict=True), **fields)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.build) or "").split("\n", 1)[0]


def operator(
    *, takes: Kind | tuple[Kind, ...], gives: Gives = same, check: Check = anything
) -> Callable[[Callable[P, Stage[T]]], Operator[P, T]]:
    """Declare an operator: the kinds that it takes, the kind that it gives, and a check of arguments that depend on
    each other or on what comes in."""
    kinds = takes if isinstance(takes, tuple) else (takes,)
    return lambda build: Operator(build, kinds, gives, check)
