"""The interface that every orchestrator meets, the mock too, and how one is loaded by its name."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol, TypeAlias, cast

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError, describe, nearest
from webapi.voice_node.errors.contained import contained
from webapi.voice_node.errors.hidden_values import without_hidden
from webapi.voice_node.events import Expected, Side
from webapi.voice_node.orchestrator_mock import OrchestratorMock
from webapi.voice_node.plugins import LazyTable, Plugins, yaml_name

ENTRY_POINTS = "voice_node.orchestrators"
PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")
CLOSE_S = 2.0
Stamp = Callable[[str, float], None]

Speech: TypeAlias = bytes | Iterable[bytes] | AsyncIterable[bytes]  # int16 mono PCM, at once or in chunks

RATES_HZ = (8_000, 48_000)
RATES = "a whole number of Hz from 8000 to 48000 is needed"
WHOLE = "OrchestratorMock in webapi/voice_node/orchestrator_mock.py"
REQUIRED = "get_audio_reply"  # the other methods are called where they exist


class Call(Protocol):
    """One call, as `on_call_started` gets it: who calls, and what the orchestrator may do of its own accord.

    The methods may be called from any thread, and return at once. A wrong argument raises TypeError or ValueError.
    All that they do is recorded with the call, and replayed at its time.
    """

    session_id: str
    room: str
    identity: str  # of the caller
    name: str
    kind: str  # standard, or sip for a phone
    number: str  # of the phone; "" for other callers, and where it is withheld
    metadata: str
    attributes: Mapping[str, str]
    rate: int  # Hz of the caller's PCM

    def transcript(self, trace_id: str, text: str, speaker: Side = "caller", final: bool = True) -> None:
        """Tell what was said: by the caller in that turn's utterance, or by the bot in its reply.

        A text with `final=False` is replaced by the next one of that turn and speaker. What is told of the bot just
        before its audio is yielded is what `heard_text` is cut from.
        """

    def mark(self, trace_id: str, name: str) -> None:
        """Put a stamp on a turn, with the time of now: metrics.jsonl has it under `marks`."""

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a JSON message to the room's clients: they get the event `message_sent` with it."""

    def say(self, chunks: Speech, interruptible: bool = True) -> str:
        """Begin a turn of the bot's own, when the caller is silent and no reply is pending. Returns its trace_id.

        `chunks` is PCM as of `get_audio_reply`: an async iterator, an iterable, or bytes.
        """
        ...

    def expects(self, what: Expected = "") -> None:
        """Say what the caller is asked for: "digits" or an "email" address. The node then waits longer in their pauses.

        It holds until it is called again; "" is for everything else.
        """

    def hang_up(self, reason: str = "") -> None:
        """End the call, when what plays or waits to be said was heard."""


class Orchestrator(Protocol):
    """Answers one caller. PCM is int16 mono at AUDIO_TARGET_RATE (8 kHz unless set); times are monotonic seconds.

    Only `get_audio_reply` is required. The other methods may be plain functions or `async def`. Plain ones run between
    two audio frames, so they must not block. An exception in `on_speech_ended`, `get_audio_reply` or `is_interruptible`
    ends the turn with the outcome `failed`; in another method it becomes a HookFailed event. A class may also have:

    - `on_call_started(call)`: first of all hooks, with a `Call`; no reply is asked for until it has returned;
    - `on_call_ended(reason)`: last of all hooks;
    - `on_partial_audio(trace_id, pcm)`: a piece of the utterance that goes on;
    - `on_playback_ended(trace_id, heard_ms, completed[, heard_text])`: how much of the reply was heard. A method that
      takes four arguments gets the words too: None where no words of the reply were told;
    - `on_dtmf(digit)`: the caller has pressed a key of their phone: one of `0123456789*#ABCD`. It may be called at any
      time of a call;
    - `is_interruptible(trace_id) -> bool`: whether the caller may interrupt the reply.

    The node sets `on_tts_first_chunk` and `on_llm_request_done`. Call them with `(trace_id, ts)`, from any thread,
    when the first audio of a reply is there and when the language model is done.
    """

    on_tts_first_chunk: Stamp | None
    on_llm_request_done: Stamp | None

    def on_speech_started(self, trace_id: str, ts_monotonic: float) -> Any:
        """The caller has begun to talk."""

    def on_speech_ended(self, trace_id: str, utterance_pcm8k: bytes, t_first_byte: float, t_last_byte: float) -> Any:
        """The caller has stopped. `get_audio_reply` follows for the same `trace_id`."""

    def on_barge_in_detected(self, trace_id: str) -> Any:
        """The caller has interrupted the reply of `trace_id`. It is already silent."""

    def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        """The reply to an utterance, in chunks of any size. It is closed (`aclose`) when the reply is cancelled."""
        ...

    def stop_playback(self, trace_id: str) -> Any:
        """The reply is cancelled."""

    def play_filler(self, trace_id: str, key: str) -> Any:
        """The sound that a graph names `key`: the filler before the reply of `trace_id`, or a prompt with its own turn.

        Returns an async iterator of PCM chunks, as `get_audio_reply` does, or an awaitable of one; None for no sound.
        """


def null_orchestrator() -> Orchestrator:
    """Stands for the orchestrator where a recording gives the replies. It has no methods."""
    return cast(Orchestrator, SimpleNamespace())


def _wrong(_: str, made: Any) -> str:
    """What keeps `made` from being an orchestrator, or ""."""
    if not inspect.isclass(made):
        return "it is no class."
    reply = getattr(made, REQUIRED, None)
    if not callable(reply):
        return f"the class lacks {REQUIRED}. {WHOLE} is a whole one."
    if not takes(reply, None, "trace_id", b""):
        return f"{REQUIRED} does not take (self, trace_id, user_pcm). {WHOLE} is a whole one."
    rate = getattr(made, "reply_rate", None)
    if not (rate is None or hasattr(rate, "__get__") or _is_rate(rate)):
        return f"reply_rate is {rate!r}; {RATES}."
    abstract = getattr(made, "__abstractmethods__", None)
    if abstract:
        return f"the class is abstract: it lacks {', '.join(sorted(abstract))}."
    return ""


def _wrong_arguments(name: str, made: type, given: Iterable[str]) -> str:
    """What keeps the constructor from being called with arguments of these names, or ""."""
    try:
        signature = inspect.signature(made)
    except ValueError:  # written in C
        return ""
    try:
        signature.bind(**dict.fromkeys(given))
    except TypeError as error:
        needed = [
            yaml_name(each.name)
            for each in signature.parameters.values()
            if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
        missing = [each for each in needed if each not in {yaml_name(one) for one in given}]
        if not missing:
            return f"its constructor can't be called so: {error}."
        return (
            f"its constructor needs arguments: {', '.join(missing)}. Give them in the graph, as "
            f"reply: {{orchestrator: {name}, with: {{{missing[0]}: …}}}}, or give each of them a default."
        )
    return ""


def _is_rate(rate: object) -> bool:
    return isinstance(rate, int) and not isinstance(rate, bool) and RATES_HZ[0] <= rate <= RATES_HZ[1]


def reply_rate_of(orchestrator: Any, default: int) -> int:
    """The rate in Hz of its replies: its attribute `reply_rate`, or `default`. Raises UserError for what is no rate."""
    rate = getattr(orchestrator, "reply_rate", None)
    if rate is None:
        return default
    if not _is_rate(rate):
        raise UserError(f"{type(orchestrator).__name__}.reply_rate is {rate!r}; {RATES}.")
    return int(rate)


def takes(function: Callable[..., Any], *args: Any) -> bool:
    """Whether it can be called with these. Where Python can't tell, it can."""
    try:
        inspect.signature(function).bind(*args)
    except TypeError:
        return False
    except ValueError:  # no signature: written in C
        return True
    return True


# echo: the mock with that as its MOCK_REPLY. converse is imported when it is asked for: the mock starts without it.
BUILT_IN: Mapping[str, type] = LazyTable(
    {"mock": OrchestratorMock, "echo": OrchestratorMock, "converse": "webapi.voice_node.converse.converse:Converse"}
)
ORCHESTRATORS: Plugins[type] = Plugins("orchestrator", ENTRY_POINTS, BUILT_IN, _wrong)


def find_class(name: str) -> type:
    """The class that `name` names: `mock`, `echo`, that of an installed package, or `package.module:Class`.

    Raises UserError, which names ORCHESTRATOR, where the module, the class or one of its methods is missing.
    """
    where = f"ORCHESTRATOR={name}"
    return _class_at(name, where) if ":" in name else _named(name, where)


def find_orchestrator(name: str, given: Iterable[str] = ()) -> type:
    """The class that `find_class(name)` gives. `given`: the names of the arguments that it will be made with.

    Raises UserError as `find_class` does, and where its constructor needs other arguments.
    """
    made = find_class(name)
    reason = _wrong_arguments(name, made, given)
    if reason:
        raise UserError(f"ORCHESTRATOR={name}: {reason}")
    return made


def told_by_node(name: str, made: type) -> tuple[str, ...]:
    """The arguments that the node gives to the constructor itself, and a graph therefore can't."""
    if made is not OrchestratorMock:
        return ()
    return ("reply", "rate") if name == "echo" else ("rate",)


def load_orchestrator(
    name: str, settings: Settings, rate: int | None = None, arguments: Mapping[str, Any] | None = None
) -> Orchestrator:
    """A new orchestrator of the class that `find_orchestrator(name)` gives, made with these keyword arguments.

    `rate` (Hz) is that of the turns in its graph; AUDIO_TARGET_RATE unless given. Only the mock is told of it.
    Raises UserError as `find_orchestrator` does, and where the constructor raises.
    """
    given = dict(arguments or {})
    made = find_orchestrator(name, given)
    if made is OrchestratorMock:
        says = "echo" if name == "echo" else settings.mock_reply
        told = {"reply": says, "think_ms": settings.mock_think_ms, "rate": rate or settings.audio_target_rate}
        return OrchestratorMock(**{**told, **given})
    try:
        return cast(Orchestrator, made(**given))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = describe(error)
        cause = error if without_hidden(str(error)) == str(error) else None  # a traceback shows the cause's own text
    raise UserError(f"ORCHESTRATOR={name}: making it failed: {reason}") from cause


async def close_orchestrator(orchestrator: Any) -> None:
    """Close one that was made and serves no call, if it has `aclose` or `close`. What these raise is ignored."""
    close = getattr(orchestrator, "aclose", None) or getattr(orchestrator, "close", None)
    with contained():
        result = close() if callable(close) else None
        if inspect.isawaitable(result):
            await asyncio.wait_for(result, CLOSE_S)


def unknown(name: str) -> str:
    """Why `name` can't name an orchestrator, or "". A `package.module:Class` is not imported to find out."""
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
        module = import_here(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UserError(
            f"{where}: can't import {module_name!r}: {describe(error)}. "
            "It must be in the working directory, on PYTHONPATH or installed."
        ) from error
    made = getattr(module, class_name, None)
    if not inspect.isclass(made):
        classes = ", ".join(n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module_name)
        raise UserError(f"{where}: {module_name!r} has no class {class_name!r}. It has: {classes or 'none'}.")
    reason = _wrong(name, made)
    if reason:
        raise UserError(f"{where}: {reason}")
    return made


def import_here(module_name: str) -> ModuleType:
    """Import a module; one in the working directory is found too, after what is installed, as with `python -m`."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    return importlib.import_module(module_name)
