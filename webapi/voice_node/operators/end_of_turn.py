"""Ask at each pause whether the caller has finished."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable

from webapi.voice_node.end_of_turn import SILENCE, Backend, backend_named, language_of, needs, unknown
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import Asked, AudioGap, Playback, Transcript, Voiced
from webapi.voice_node.operators.kinds import ASKED, PLAYBACK, VOICED, WORDS, BuildInfo, Kind, Stage, operator
from webapi.voice_node.operators.pause_questions import PauseQuestions, compute, load
from webapi.voice_node.reactive.direct import DirectObservable

AskMs = Annotated[int, Field(ge=20, le=1000)]
AnswerMs = Annotated[int, Field(ge=20, le=1000)]


class LackingError(ValueError):
    """The backend is right, and this machine lacks something. `needs`: as of a UserError."""

    def __init__(self, commands: tuple[str, ...]) -> None:
        super().__init__(f"this machine needs {' and '.join(commands)}")
        self.needs = commands


def _known(name: str, info: ValidationInfo) -> str:
    if (info.context or {}).get("recorded"):
        return name
    reason = unknown(name)
    if reason:
        raise ValueError(reason)
    if lacking := needs(name, info.data.get("model", "")):
        raise LackingError(lacking)
    try:
        backend_named(name)
    except UserError as error:  # an installed one that can't be loaded: better now than with the first caller
        raise ValueError(str(error)) from error
    return name


def _file(model: str, info: ValidationInfo) -> str:
    given = info.context or {}
    if model and not given.get("recorded") and not (given.get("folder", Path()) / model).is_file():
        raise ValueError("there is no such file")
    return model


def _do_not_go_together(_: Kind, arguments: Mapping[str, Any]) -> str:
    for argument, of in (("model", "smart-turn"), ("language", "words")):
        if arguments[argument] and arguments["backend"] != of:
            return f"{argument}: only the backend {of} takes one"
    return ""


BackendName = Annotated[str, AfterValidator(_known)]


@operator(takes=VOICED, check=_do_not_go_together)
def end_of_turn(
    *,
    model: Annotated[str, AfterValidator(_file)] = "",
    language: Annotated[str, AfterValidator(language_of)] = "",
    backend: BackendName = SILENCE,
    ask_ms: AskMs = 100,
    answer_ms: AnswerMs = 100,
    words: Annotated[Observable[Transcript], WORDS],
    asked: Annotated[Observable[Asked], ASKED],
    playback: Annotated[Observable[Playback], PLAYBACK],
    info: BuildInfo,
) -> Stage[Any]:
    """Voiced frames unchanged, but in a pause they say how probable it is that the caller has finished (`done`).

        in    --1--1--0--0--0--0--0--0--0--1--      a frame each; 1 voiced
        asks  --------------?-----------------      after `ask_ms` of unvoiced frames
        out   --1--1--0--0--0--0--d--d--d--1--      d with the answer: from `answer_ms` later on, until the next voice

    `backend`: one of end_of_turn.py. It gets the utterance so far: since the last reply was heard, or the caller was
    silent for long, and the last 8 s of it. It runs beside the loop, so the audio never waits for it. An answer that
    comes later than `answer_ms` is used from the frame with which it comes. Where the backend fails, `done` stays
    unknown. `model` is a file for `smart-turn`, `language` one for `words`. `turn_events` makes a wait of the answer.
    """
    context = info.context

    def apply(source: Observable[Any]) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            replayed = context.script is not None and not context.script.asks_again
            asks = None if replayed else _backend(backend, context.folder, model, language)
            if asks is not None:
                compute(context, backend, partial(load, asks), _ignore)
            questions = PauseQuestions(backend, asks, context, info.gives, ask_ms, answer_ms)

            def on_next(value: Voiced | AudioGap) -> None:
                observer.on_next(questions.next(value))

            return CompositeDisposable(
                words.subscribe(questions.on_words, observer.on_error, scheduler=scheduler),
                asked.subscribe(questions.on_asked, observer.on_error, scheduler=scheduler),
                playback.subscribe(questions.on_playback, observer.on_error, scheduler=scheduler),
                source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler),
            )

        return DirectObservable(subscribe)

    return (lambda source: source) if backend == SILENCE else apply


def _backend(name: str, folder: Path, model: str, language: str) -> Backend | None:
    """The backend. Raises UserError where it can't be used on this machine."""
    path = str(folder / model) if model else ""
    if path and not Path(path).is_file():
        raise UserError(
            f"end_of_turn: model: there is no file {path}\n"
            "A path is looked for beside the graph. A recorded call keeps no model: put the file there, or name "
            "a graph that has one with --against."
        )
    lacking = needs(name, path)
    if lacking:
        raise UserError(f"end_of_turn: {name}: this machine needs {' and '.join(lacking)}", lacking)
    return backend_named(name, model=path, language=language)


def _ignore(_: object) -> None:
    """Nothing waits for what is loaded: a failure shows again where the backend is asked."""
