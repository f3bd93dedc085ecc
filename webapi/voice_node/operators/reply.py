"""Answer each utterance, say each prompt, and fall silent at once when the caller talks over the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import CompositeDisposable

from webapi.voice_node.context import Context
from webapi.voice_node.events import CutOutcome, Playback, Prompted, Reply, SpeechEnded, Superseded, TurnEvent, Unheard
from webapi.voice_node.operators.kinds import PLAYBACK, REPLIES, TURNS, Kind, Stage, becomes, operator
from webapi.voice_node.orchestrator import load_orchestrator, null_orchestrator, unknown
from webapi.voice_node.reactive.direct import DirectObservable
from webapi.voice_node.reply.filler import FillerRule
from webapi.voice_node.reply.orchestrator_adapter import OrchestratorAdapter
from webapi.voice_node.reply.pacing import QueueDepth
from webapi.voice_node.reply.prompts import Prompt

T = TypeVar("T")
AheadMs = Annotated[int, Field(ge=20, le=2000)]
LateMs = Annotated[int, Field(ge=0, le=60_000)]


def _known(name: str, info: ValidationInfo) -> str:
    reason = "" if (info.context or {}).get("recorded") else unknown(name)
    if reason:
        raise ValueError(reason)
    return name


Answerer = Annotated[str, AfterValidator(_known)]


@operator(takes=TURNS, gives=becomes(REPLIES.name))
def reply(
    *,
    orchestrator: Answerer = "mock",
    ahead_ms: AheadMs = 400,
    filler: Prompt | None = None,
    filler_after_ms: LateMs = 800,
    playback: Annotated[Observable[Playback], PLAYBACK],
    context: Context,
    gives: Kind,
) -> Stage[Reply]:
    """Turn events to reply audio: a `switch_map` over ends of utterances, prompts, and whatever silences the bot.

        turns  --S---E------------SB-----E-----------|
        out    --------R-a-a-a-a--C--------R-a-a-a-Z-C|     R reply started, a audio, C cut, Z ended

    `ahead_ms`: how far the audio may be ahead of the room: that deep is the queue, and half of it rides over a stall.
    `filler`: said where no audio of a reply has come `filler_after_ms` after it was asked for; the reply follows it.
    """

    def apply(source: Observable[TurnEvent]) -> Observable[Reply]:
        def subscribe(
            observer: abc.ObserverBase[Reply], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            assert gives.rate is not None  # noqa: S101 - for the type checker: turns have one
            desk = OrchestratorAdapter(
                null_orchestrator()
                if context.script
                else load_orchestrator(orchestrator, context.settings, gives.rate),
                context,
                QueueDepth(high_ms=ahead_ms, low_ms=ahead_ms // 2),
                gives.rate,
                tell=observer.on_next,
                late=FillerRule(filler, filler_after_ms / 1000) if filler else None,
            )

            def answer(event: Any) -> Observable[Reply]:
                if isinstance(event, SpeechEnded):
                    return desk.answer(event)
                if isinstance(event, Prompted):
                    return desk.prompt(event)
                return desk.cut(event.turn, outcome_of(event), event.t_us)

            voice = source.pipe(ops.filter(desk.hear), ops.map(answer), append_value(desk.close()), ops.switch_latest())
            return CompositeDisposable(desk.follow(playback, scheduler), voice.subscribe(observer, scheduler=scheduler))

        return Observable(subscribe)

    return apply


def outcome_of(silencer: TurnEvent) -> CutOutcome:
    """How the reply ends that the event silences."""
    if isinstance(silencer, Unheard):
        return "closed"
    return "superseded" if isinstance(silencer, Superseded) else "barged_in"


def append_value(value: T) -> Callable[[Observable[T]], Observable[T]]:
    """One more value where the source completes. (`rx.concat` would be late by a round of the loop.)"""

    def apply(source: Observable[T]) -> Observable[T]:
        def subscribe(observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            def on_completed() -> None:
                observer.on_next(value)
                observer.on_completed()

            return source.subscribe(observer.on_next, observer.on_error, on_completed, scheduler=scheduler)

        return DirectObservable(subscribe)

    return apply
