"""Whether the caller has finished, asked at a pause: the backends behind one call, by name.

`silence` asks nobody: a turn ends when the silence has lasted long enough. `smart-turn` judges by the sound of the
speech, `words` by what a recogniser has understood so far. Packages add others.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.errors.advice import SMART_TURN_WEIGHTS, install
from webapi.voice_node.hearing import last_words, smart_turn
from webapi.voice_node.plugins import Plugins

ENTRY_POINTS = "voice_node.ends_of_turn"
SILENCE = "silence"


class Said(NamedTuple):
    """What a backend judges by."""

    pcm: bytes  # int16 mono: the utterance so far, up to its last voiced frame and the pause; 8 s at most
    rate: int  # Hz
    words: str = ""  # the recogniser's words so far; "" where there are none
    expects: str = ""  # what the orchestrator expects: "", "digits" or "email"


Backend: TypeAlias = Callable[[Said], float]
"""Returns the probability, 0 to 1, that the caller is done. It has no state: the same `Said` gives the same.

It is called in a thread, perhaps in several at once, so it may take some time; what it raises costs only the answer.
Optional attributes: `load()`, called before the first question; `reads_words`, True where it is to be asked again when
words come during the pause.
"""


class SmartTurn:
    """Smart Turn v3, with the weights in the file `model`; "": those of the package pipecat-ai."""

    def __init__(self, model: str = "") -> None:
        self._network = smart_turn.SmartTurn(Path(model) if model else None)

    def load(self) -> None:
        """Load the network, which takes some 0.3 s."""
        self._network.load()

    def __call__(self, said: Said) -> float:
        """Return the probability by the sound of the last 8 s. Words and what is expected do not count."""
        return self._network.done(said.pcm, said.rate)


class Words:
    """The words so far: an open sentence, digits that still come. `language`: as of `language_of`."""

    reads_words = True

    def __init__(self, language: str = "") -> None:
        try:
            self._language = language_of(language)
        except ValueError as error:
            raise UserError(f"words: language: {language!r}: {error}") from None

    def __call__(self, said: Said) -> float:
        """Return the probability by the last words. The audio does not count."""
        return last_words.done(said.words, said.expects, self._language)


def language_of(written: str) -> str:
    """The language of the backend `words` that is meant: `en` by `en-US` too; "", any, by "". ValueError for others."""
    language = re.split("[-_]", written.lower())[0]
    there = last_words.OPEN_WORDS
    if language in there or not written:
        return language
    raise ValueError(f"there is no such language.{nearest(language, there)} There are: {', '.join(there)}")


def _wrong(_: str, loaded: Any) -> str:
    """Why a loaded backend can't be used; "" where it can."""
    if isinstance(loaded, type):
        return "it is a class; the entry point must name an instance of it, or a function."
    if inspect.iscoroutinefunction(loaded):
        return "it is asynchronous; it must return the probability."
    return "" if callable(loaded) else "it must be called with what the caller has said, and can't be."


BUILT_IN: Mapping[str, Backend | None] = {SILENCE: None, "smart-turn": SmartTurn(), "words": Words()}
ARGUMENTS: Mapping[str, Callable[..., Backend]] = {"model": SmartTurn, "language": Words}
BACKENDS: Plugins[Backend | None] = Plugins("end of turn", ENTRY_POINTS, BUILT_IN, _wrong)


def backend_named(name: str, **arguments: str) -> Backend | None:
    """Return the backend of that name; None for `silence`.

    `arguments`: `model`, a file, for `smart-turn`; `language` for `words`. An empty one counts as not given. Raises
    UserError for a name or an argument that is not there, and where an installed one can't be loaded.
    """
    if name not in BACKENDS:
        raise UserError(f"end of turn {name!r}: {unknown(name)}")
    backend = BACKENDS[name]
    for argument, value in arguments.items():
        made = ARGUMENTS[argument]
        if value and type(backend) is not made:
            raise UserError(f"end of turn {name!r}: it takes no {argument!r}")
        backend = made(value) if value else backend
    return backend


def probability_of(backend: Backend, said: Said) -> float:
    """Return what the backend answers. Raises what it raises, and ValueError where the answer is no probability."""
    answer = float(backend(said))
    if not 0 <= answer <= 1:
        raise ValueError(f"the answer is {answer}, and must be from 0 to 1")
    return answer


def unknown(name: str) -> str:
    """Why there is no backend of that name; "" where there is one. Nothing is loaded."""
    if name in BACKENDS:
        return ""
    return f"there is no such backend.{nearest(name, BACKENDS)} There are: {', '.join(BACKENDS)}."


def needs(name: str, model: str = "") -> tuple[str, ...]:
    """What to do on this machine before the backend can be used: commands. () where it can, or where `name` is unknown.

    `model`: the file with the weights, where one is named.
    """
    if name != "smart-turn":
        return ()
    missing = smart_turn.missing()
    commands = {smart_turn.RUNTIME: install("smart-turn"), smart_turn.WEIGHTS: SMART_TURN_WEIGHTS}
    return tuple(commands[each] for each in missing if not (model and each == smart_turn.WEIGHTS))
