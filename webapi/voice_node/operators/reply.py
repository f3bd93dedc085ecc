"""Answer each utterance, say each prompt, and cut the reply at once when the caller talks over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import CompositeDisposable

from webapi.voice_node.events import CutOutcome, Playback, Prompted, Reply, SpeechEnded, Superseded, TurnEvent, Unheard
from webapi.voice_node.operators.kinds import PLAYBACK, REPLIES, TURNS, BuildInfo, Stage, becomes, operator
from webapi.voice_node.orchestrator import null_orchestrator, unknown
from webapi.voice_node.reactive.direct import DirectObservable
from webapi.voice_node.reply.filler import FillerRule
from webapi.voice_node.reply.given_arguments import GivenArguments, make_orchestrator
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
    with_: GivenArguments | None = None,
    ahead_ms: AheadMs = 400,
    filler: Prompt | None = None,
    filler_after_ms: LateMs = 800,
    playback: Annotated[Observable[Playback], PLAYBACK],
    info: BuildInfo,
) -> Stage[Reply]:
    """Turn events to reply audio: a `switch_map` over ends of utterances, prompts, and whatever silences the bot.

        turns  --S---E------------SB-----E-----------|
        out    --------R-a-a-a-a--C--------R-a-a-a-Z-C|     R reply started, a audio, C cut, Z ended

    `with`: keyword arguments of the orchestrator's constructor.
    `ahead_ms`: how far the audio may be ahead of the room: that deep is the queue, and half of it rides over a stall.
    `filler`: said where no audio of a reply has come `filler_after_ms` after it was asked for; the reply follows it.
    """
    depth = QueueDepth(high_ms=ahead_ms, low_ms=ahead_ms // 2)
    late = FillerRule(filler, filler_after_ms / 1000) if filler else None

    def apply(source: Observable[TurnEvent]) -> Observable[Reply]:
        def subscribe(
            observer: abc.ObserverBase[Reply], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            adapter = _adapter((orchestrator, with_), info, depth, late, observer.on_next)

            def answer(event: Any) -> Observable[Reply]:
                if isinstance(event, SpeechEnded):
                    return adapter.answer(event)
                if isinstance(event, Prompted):
                    return adapter.prompt(event)
                return adapter.cut(event.turn, _outcome_of(event), event.t_us)

            voice = source.pipe(
                ops.filter(adapter.hear), ops.map(answer), _append_value(adapter.close()), ops.switch_latest()
            )
            return CompositeDisposable(
                adapter.follow(playback, scheduler), voice.subscribe(observer, scheduler=scheduler)
            )

        return Observable(subscribe)

    return apply


def _adapter(
    made: tuple[str, GivenArguments | None],
    info: BuildInfo,
    depth: QueueDepth,
    late: FillerRule | None,
    tell: Callable[[Reply], None],
) -> OrchestratorAdapter:
    """The orchestrator of a name, made with arguments, ready for one session; in a recorded call it is never asked."""
    context, rate = info.context, info.gives.rate
    assert rate is not None  # noqa: S101 - for the type checker: turns have one
    name, given = made
    orchestrator = null_orchestrator() if context.script else make_orchestrator(name, context.settings, rate, given)
    return OrchestratorAdapter(orchestrator, context, depth, rate, tell, late)


def _outcome_of(event: TurnEvent) -> CutOutcome:
    """The outcome of the reply that the event cuts."""
    if isinstance(event, Unheard):
        return "closed"
    return "superseded" if isinstance(event, Superseded) else "barged_in"


def _append_value(value: T) -> Callable[[Observable[T]], Observable[T]]:
    """One more value when the source completes. (`rx.concat` would give it one round of the loop later.)"""

    def apply(source: Observable[T]) -> Observable[T]:
        def subscribe(observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            def on_completed() -> None:
                observer.on_next(value)
                observer.on_completed()

            return source.subscribe(observer.on_next, observer.on_error, on_completed, scheduler=scheduler)

        return DirectObservable(subscribe)

    return apply
