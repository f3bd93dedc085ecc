"""Find where the caller starts and stops talking, and which reply they talk over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable

from webapi.voice_node.events import (
    US_PER_MS,
    US_PER_S,
    Asked,
    AudioGap,
    Expected,
    KeyPressed,
    Playback,
    Transcript,
    Turn,
    TurnEvent,
    Voiced,
)
from webapi.voice_node.hearing.expectations import BOUNDS
from webapi.voice_node.hearing.turn_rule import DuckRule, TurnRule
from webapi.voice_node.operators.kinds import (
    ASKED,
    KEYS,
    PLAYBACK,
    TURNS,
    VOICED,
    WORDS,
    BuildInfo,
    Kind,
    Stage,
    operator,
)
from webapi.voice_node.operators.turn_arguments import do_not_go_together
from webapi.voice_node.operators.turn_scan import TurnScan
from webapi.voice_node.reactive.direct import DirectObservable
from webapi.voice_node.reply.prompts import Prompt

FrameCount = Annotated[int, Field(ge=1, le=500)]
Ms = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[int, Field(ge=1, le=3600)]
CoughMs = Annotated[int, Field(ge=20, le=5000)]
Share = Annotated[float, Field(ge=0, le=1)]
STEADY_S = 15  # nobody talks so long without one frame that webrtc takes for unvoiced: 7.8 was the longest measured
COUGH_MS = 500  # LiveKit Agents' min_interruption_duration
TURN_MS = 640  # of voice over a soft reply: see hearing/turn_or_not.py
GOES_ON_MS = 400  # after which a voice over it that is as loud as at its loudest is a turn
SOFT_MS = 200  # without a voice, after which a soft reply is loud again
LONGEST_SOFT_MS = 1000  # of a voice in which no utterance begins
LONGEST_S = 120  # of one utterance: 2 MB at 8 kHz, so that endless noise can't fill the memory


@operator(takes=VOICED, gives=lambda kind, _: Kind(TURNS.name, kind.rate), check=do_not_go_together)
def turn_events(
    *,
    start_frames: FrameCount = 6,
    end_frames: FrameCount = 10,
    preroll_ms: Ms = 240,
    longest_s: Seconds = LONGEST_S,
    barge_in: Literal["stop", "pause", "duck", "ignore"] = "stop",
    cough_ms: CoughMs = COUGH_MS,
    turn_ms: CoughMs = TURN_MS,
    patience_ms: Ms = 0,
    hold_ms: Ms = 0,
    longest_hold_ms: Ms = 0,
    done_at: Share = 0.7,
    open_at: Share = 0.3,
    answered: bool = True,
    greeting: Prompt | None = None,
    idle_prompt: Prompt | None = None,
    idle_s: Seconds = 20,
    playback: Annotated[Observable[Playback], PLAYBACK],
    asked: Annotated[Observable[Asked], ASKED],
    keys: Annotated[Observable[KeyPressed], KEYS],
    words: Annotated[Observable[Transcript], WORDS],
    info: BuildInfo,
) -> Stage[TurnEvent]:
    """Voiced frames to turn events: the turn reducer scanned over them, with the audio put back in.

    voiced    --111111111--000000000000--------111111--
    playback  ----------------------------▶▶▶▶▶▶▶▶▶▶▶▶▶
    out       -------Sppppppppppp-E-----------------SB-      S started, p partial audio, E ended, B barge-in

    `barge_in: pause`: a reply that is talked over halts at once. If the caller stops before they have spoken for
    `cough_ms`, the reply goes on where it halted and the utterance is not answered; else it is interrupted then.
    `barge_in: duck`: a reply that is talked over becomes soft, with half of `start_frames` already, and is interrupted
    if that is a turn: a voice of `turn_ms`, or with other evidence (hearing/turn_or_not.py). Else it is loud again, and
    the utterance is not answered.
    `barge_in: ignore`: the reply is played to its end, and the caller is not heard meanwhile. A caller who is still
    talking then starts an utterance at that moment.

    `patience_ms`: the longest wait after the speech of a caller who pauses often, instead of `end_frames`. See
    hearing/pause_estimator.py.

    `hold_ms`: the wait after speech, where it is more than `end_frames`. `longest_hold_ms`: how long the operator
    `end_of_turn` may make it. The wait is `end_frames` where the probability that the caller is done is `done_at` or
    more, `longest_hold_ms` where it is `open_at` or less, and on the line between them in between: see
    hearing/endpoint.py.
    What the orchestrator expects (`asked`) makes all three longer: see hearing/expectations.py.

    `answered: false`: for a graph without a reply. Otherwise each turn waits for a reply, and an utterance that begins
    before it is heard carries the audio of the one before. `greeting` is played with the caller's first frame,
    `idle_prompt` once when nobody has spoken for `idle_s` of the caller's audio: each is a turn of its own, played by
    `reply`. `asked` are the requests of the orchestrator: see hearing/requests.py. Of `keys`
    each becomes a `Dtmf`, and begins the silence before `idle_prompt` anew. `words` are evidence for `duck`.
    """

    def duck_rule(frame_us: int) -> DuckRule:
        return DuckRule(
            max(1, start_frames // 2),
            hold_frames=SOFT_MS * US_PER_MS // frame_us,
            longest_frames=LONGEST_SOFT_MS * US_PER_MS // frame_us,
            likely_frames=start_frames,
            goes_on_frames=GOES_ON_MS * US_PER_MS // frame_us,
            turn_frames=turn_ms * US_PER_MS // frame_us,
        )

    def rule_for(frame_us: int, expects: Expected) -> TurnRule:
        bounds = BOUNDS[expects]
        return TurnRule(
            start_frames,
            end_frames=max(end_frames, bounds.least * US_PER_MS // frame_us),
            preroll_frames=preroll_ms * US_PER_MS // frame_us,
            max_frames=longest_s * US_PER_S // frame_us,
            steady_frames=STEADY_S * US_PER_S // frame_us,
            barge_in=barge_in != "ignore",
            min_interruption_frames=cough_ms * US_PER_MS // frame_us if barge_in == "pause" else 0,
            duck=duck_rule(frame_us) if barge_in == "duck" else None,
            answered=answered,
            greeting=greeting or "",
            idle_prompt=idle_prompt or "",
            idle_frames=idle_s * US_PER_S // frame_us,
            patience_frames=patience_ms * US_PER_MS // frame_us,
            hold_frames=max(hold_ms, bounds.usual) * US_PER_MS // frame_us,
            longest_hold_frames=max(longest_hold_ms, bounds.longest) * US_PER_MS // frame_us,
            done_at=done_at,
            open_at=open_at,
        )

    return _scanned(rule_for, info.context.turn, playback, asked, keys, words)


def _scanned(
    rule_for: Callable[[int, Expected], TurnRule],
    name: Callable[[int], Turn],
    playback: Observable[Playback],
    asked: Observable[Asked],
    keys: Observable[KeyPressed],
    words: Observable[Transcript],
) -> Stage[TurnEvent]:
    """The operator that scans frames, keys, words and playback with a TurnScan of its own in each subscription."""

    def apply(source: Observable[Voiced | AudioGap]) -> Observable[TurnEvent]:
        def subscribe(
            observer: abc.ObserverBase[TurnEvent], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            scan = TurnScan(rule_for, name, observer.on_next)
            return CompositeDisposable(
                playback.subscribe(scan.on_playback, observer.on_error, scheduler=scheduler),
                asked.subscribe(scan.on_asked, observer.on_error, scheduler=scheduler),
                keys.subscribe(scan.on_key, observer.on_error, scheduler=scheduler),
                words.subscribe(scan.on_words, observer.on_error, scheduler=scheduler),
                source.subscribe(scan.on_next, observer.on_error, observer.on_completed, scheduler=scheduler),
            )

        return DirectObservable(subscribe)

    return apply
