"""What answers the caller: the interface that a mock and a real orchestrator meet, and how one is loaded by name."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, Protocol, cast

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.orchestrator_mock import MockOrchestrator
from webapi.voice_node.plugins import Plugins

ENTRY_POINTS = "voice_node.orchestrators"
PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")
Stamp = Callable[[str, float], None]

REQUIRED = (
    "on_speech_started",
    "on_speech_ended",
    "on_barge_in_detected",
    "get_audio_reply",
    "stop_playback",
)
"""Methods without which nothing can be answered. The others are called where they exist."""


class Orchestrator(Protocol):
    """One conversation's brain. PCM is int16 mono at AUDIO_TARGET_RATE (8 kHz unless set); times are monotonic seconds.

    Every method but `get_audio_reply` may be a plain function or an `async def`. Plain ones run between two audio
    frames, so they must not block. Besides these, a class may have `on_partial_audio(trace_id, pcm)` (the utterance
    while it is being spoken) and `on_playback_ended(trace_id, heard_ms, completed)` (how much of the reply was heard).
    """

    on_tts_first_chunk: Stamp | None
    on_llm_request_done: Stamp | None

    def on_speech_started(self, trace_id: str, ts_monotonic: float) -> Any:
        """The caller began to talk."""

    def on_speech_ended(self, trace_id: str, utterance_pcm8k: bytes, t_first_byte: float, t_last_byte: float) -> Any:
        """The caller stopped. `get_audio_reply` follows for the same trace_id."""

    def on_barge_in_detected(self, trace_id: str) -> Any:
        """The caller talked over the reply of `trace_id`, and it is already silent."""

    def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        """The reply, in chunks of any size. It is closed (`aclose`) when the caller talks over it."""
        ...

    def stop_playback(self, trace_id: str) -> Any:
        """The reply is cancelled."""

    def play_filler(self, trace_id: str, key: str) -> Any:
        """The sound that a graph calls `key`: the filler before the reply of `trace_id`, or a prompt that is a turn.

        An async iterator of PCM chunks, as `get_audio_reply` gives, or an awaitable of one. None: nothing is said.
        """


def null_orchestrator() -> Orchestrator:
    """In the orchestrator's place where a recording answers: nothing is called on it."""
    return cast(Orchestrator, SimpleNamespace())


def _wrong(_: str, made: Any) -> str:
    if not inspect.isclass(made):
        return "it is no class."
    missing = [method for method in REQUIRED if not callable(getattr(made, method, None))]
    return f"the class lacks {', '.join(missing)}. docs/orchestrator.md shows a whole one." if missing else ""


BUILT_IN: dict[str, type] = {"mock": MockOrchestrator, "echo": MockOrchestrator}  # echo: MOCK_REPLY, whatever is set
ORCHESTRATORS: Plugins[type] = Plugins("orchestrator", ENTRY_POINTS, BUILT_IN, _wrong)


def find_orchestrator(name: str) -> type:
    """The class that `mock`, `echo`, the name of an installed one, or `package.module:Class` names; it is not made.

    Raises UserError, naming ORCHESTRATOR, where module, class or one of its methods is missing.
    """
    where = f"ORCHESTRATOR={name}"
    return _class_at(name, where) if ":" in name else _named(name, where)


def load_orchestrator(name: str, settings: Settings, rate: int | None = None) -> Orchestrator:
    """`mock`, `echo`, or an instance of what an installed package or `package.module:Class` names.

    It is made without arguments. `rate` (Hz) is that of the turns in its graph; AUDIO_TARGET_RATE unless given.
    Raises UserError as `find_orchestrator` does, and where it can't be made.
    """
    made = find_orchestrator(name)
    if made is MockOrchestrator:
        says = "echo" if name == "echo" else settings.mock_reply
        return MockOrchestrator(says, think_ms=settings.mock_think_ms, rate=rate or settings.audio_target_rate)
    try:
        return cast(Orchestrator, made())
    except Exception as error:
        raise UserError(f"ORCHESTRATOR={name}: making it failed: {type(error).__name__}: {error}") from error


def unknown(name: str) -> str:
    """Why no orchestrator can be called that; "" where it may be one (package.module:Class is not looked for)."""
    if PATH.match(name) or name in ORCHESTRATORS:
        return ""
    if ":" in name:
        return "this is no package.module:Class."
    return (
        f"there is none of that name.{nearest(name, ORCHESTRATORS)} "
        f"There are: {', '.join(ORCHESTRATORS)}; or package.module:Class."
    )


def _named(name: str, where: str) -> type:
    if name not in ORCHESTRATORS:
        raise UserError(f"{where}: {unknown(name)}")
    return ORCHESTRATORS[name]


def _class_at(name: str, where: str) -> type:
    """The class that `package.module:Class` names."""
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise UserError(
            f"{where}: can't import {module_name!r}: {type(error).__name__}: {error}. "
            "It must be on PYTHONPATH or installed."
        ) from error
    made = getattr(module, class_name, None)
    if not inspect.isclass(made):
        classes = ", ".join(n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module_name)
        raise UserError(f"{where}: {module_name!r} has no class {class_name!r}. It has: {classes or 'none'}.")
    reason = _wrong(name, made)
    if reason:
        raise UserError(f"{where}: {reason}")
    return made
