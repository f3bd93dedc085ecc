"""Find where the caller starts and stops talking, and whom they talk over."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable

from webapi.voice_node.context import Context
from webapi.voice_node.events import (
    US_PER_MS,
    US_PER_S,
    AudioGap,
    BargeIn,
    Frame,
    HaltReply,
    PartialAudio,
    Playback,
    Prompted,
    ResumeReply,
    SpeechEnded,
    SpeechStarted,
    Superseded,
    TurnEvent,
    Unheard,
    Voiced,
)
from webapi.voice_node.hearing import turn_reducer as turns
from webapi.voice_node.hearing import turn_state
from webapi.voice_node.operators.kinds import PLAYBACK, TURNS, VOICED, Kind, Stage, operator
from webapi.voice_node.reactive.direct import DirectObservable
from webapi.voice_node.reply.prompts import Prompt

FrameCount = Annotated[int, Field(ge=1, le=500)]
Ms = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[int, Field(ge=1, le=3600)]
CoughMs = Annotated[int, Field(ge=20, le=5000)]
STEADY_S = 15  # nobody talks so long without one frame that webrtc takes for unvoiced: 7.8 was the longest measured
COUGH_MS = 500  # LiveKit Agents' min_interruption_duration
LONGEST_S = 120  # of one utterance: 2 MB at 8 kHz, so that endless noise can't fill the memory


def _odd(kind: Kind, arguments: Mapping[str, Any]) -> str:
    """Prompts are replies, so somebody must give them."""
    prompt = next((name for name in ("greeting", "idle_prompt") if arguments[name]), None)
    if prompt and not arguments["answered"]:
        return f"{prompt}: nobody says it where `answered` is false: leave that out, and let `reply` follow"
    return _room(kind, arguments)


def _room(kind: Kind, arguments: Mapping[str, Any]) -> str:
    """An utterance has what is before its start, and the silence at its end: room for less is room for none."""
    ms, longest_s = kind.ms or 0, arguments["longest_s"]
    before_ms = max(arguments["preroll_ms"], arguments["start_frames"] * ms)
    end_ms, patience_ms = arguments["end_frames"] * ms, arguments["patience_ms"]
    if 0 < patience_ms <= end_ms:
        return f"patience_ms: {patience_ms}: end_frames waits {end_ms} ms already; give more, or 0"
    cough_ms = arguments["cough_ms"]
    if arguments["barge_in"] == "pause" and longest_s * 1000 < before_ms + cough_ms - arguments["start_frames"] * ms:
        return (
            f"cough_ms: {cough_ms}: nobody could interrupt a reply: "
            f"whoever talks for longest_s ({longest_s} s, with preroll_ms) is still taken for a cough"
        )
    least_ms = before_ms + max(end_ms, patience_ms)
    if longest_s * 1000 > least_ms:
        return ""
    return (
        f"longest_s: {longest_s}: an utterance has at least {least_ms / 1000:g} s here: "
        f"{before_ms} ms up to its start (preroll_ms, start_frames) and {least_ms - before_ms} ms of "
        f"{'patience_ms' if patience_ms else 'end_frames'}"
    )


@operator(takes=VOICED, gives=lambda kind, _: Kind(TURNS.name, kind.rate), check=_odd)
def turn_events(
    *,
    start_frames: FrameCount = 6,
    end_frames: FrameCount = 10,
    preroll_ms: Ms = 240,
    longest_s: Seconds = LONGEST_S,
    barge_in: Literal["stop", "pause", "ignore"] = "stop",
    cough_ms: CoughMs = COUGH_MS,
    patience_ms: Ms = 0,
    answered: bool = True,
    greeting: Prompt | None = None,
    idle_prompt: Prompt | None = None,
    idle_s: Seconds = 20,
    playback: Annotated[Observable[Playback], PLAYBACK],
    context: Context,
) -> Stage[TurnEvent]:
    """Voiced frames to turn events: `turns.frame` scanned over them, with the audio put back in.

    voiced    --111111111--000000000000--------111111--
    playback  ----------------------------▶▶▶▶▶▶▶▶▶▶▶▶▶
    out       -------Sppppppppppp-E-----------------SB-      S started, p partial audio, E ended, B barge-in

    `barge_in: pause`: a reply that is talked over halts at once. It goes on where it halted if the caller stops before
    they have spoken for `cough_ms`, and nobody answers that; else it is interrupted then. `ignore`: the bot finishes.
    What the caller says meanwhile is not heard; who talks on is heard from where it ended.

    `patience_ms`: who pauses often is waited for longer than `end_frames`, at most so long. See pauses.py.

    `answered: false`: for a graph without a reply. Else each turn waits for one, and the next takes it for a pause and
    carries its audio on. `greeting` is said with the caller's first frame, `idle_prompt` once where for `idle_s` of the
    caller's audio nobody spoke: each is a turn of its own, and `reply` says it.
    """

    def apply(source: Observable[Voiced | AudioGap]) -> Observable[TurnEvent]:
        def subscribe(
            observer: abc.ObserverBase[TurnEvent], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            state = turn_state.TurnState()
            speaking = context.turn(0)  # the turn of the last utterance that started
            kept: deque[Frame] = deque()  # the frames that an utterance may still ask for
            rule: turn_state.TurnRule | None = None

            def on_voiced(value: Voiced | AudioGap) -> None:
                nonlocal state, rule
                if isinstance(value, AudioGap):
                    if kept and rule:
                        # The state is renewed before anything is told: what follows may come back through playback.
                        state, decisions = turns.gap(state, kept[-1].number, value.reason, rule)
                        tell(decisions, value.t_us)
                    if value.unheard:
                        state, silenced = turns.unheard(state)
                        if silenced is not None:
                            observer.on_next(Unheard(value.t_us, context.turn(silenced)))
                    return
                frame = value.frame
                if rule is None:
                    rule = rule_for(frame)
                kept.append(frame)
                state, decisions = turns.frame(
                    state, value.voiced, frame.number, frame.t_us, rule, value.probability, frame.echo_left
                )
                if decisions:
                    tell(decisions, frame.t_us)
                if state.speech and not any(isinstance(each, turn_state.Started) for each in decisions):
                    observer.on_next(PartialAudio(frame.t_us, speaking, frame.pcm))
                oldest = turns.oldest_needed(state, frame.number, rule)
                while kept[0].number < oldest:
                    kept.popleft()

            def tell(decisions: tuple[turn_state.Decision, ...], t_us: int) -> None:
                nonlocal speaking
                for decision in decisions:
                    if isinstance(decision, turn_state.Started):
                        speaking = context.turn(decision.speech.turn)
                        pcm = b"".join(f.pcm for f in kept if f.number >= decision.speech.from_index)
                        observer.on_next(SpeechStarted(t_us, speaking, decision.voiced_us, kept[-1].number))
                        partials.append(PartialAudio(t_us, speaking, pcm))
                    elif isinstance(decision, turn_state.Ended):
                        observer.on_next(ended(decision, t_us))
                    elif isinstance(decision, turn_state.Halted):
                        observer.on_next(HaltReply(t_us, context.turn(decision.turn)))
                    elif isinstance(decision, turn_state.Resumed):
                        observer.on_next(ResumeReply(t_us, context.turn(decision.turn)))
                    elif isinstance(decision, turn_state.PromptDue):
                        observer.on_next(Prompted(t_us, context.turn(decision.turn), decision.prompt))
                    else:
                        observer.on_next(interrupted(decision, t_us))
                while partials:  # after the barge-in, which must not wait for them
                    observer.on_next(partials.pop())

            partials: list[PartialAudio] = []

            def ended(decision: turn_state.Ended, t_us: int) -> SpeechEnded:
                speech = decision.speech
                frames = [f for f in kept if speech.from_index <= f.number <= decision.to_index]
                return SpeechEnded(
                    t_us,
                    context.turn(speech.turn),
                    pcm=b"".join(f.pcm for f in frames),
                    rate=frames[0].rate,
                    t_first_byte_us=frames[0].t_us - frame_us(frames[0]),
                    t_last_byte_us=frames[-1].t_us,
                    t_first_voiced_us=speech.first_voiced_us,
                    t_last_voiced_us=speech.last_voiced_us,
                    voiced_ms=speech.voiced_frames * frame_us(frames[0]) // 1000,
                    reason=decision.reason,
                    frame=decision.to_index,
                )

            def interrupted(decision: turn_state.Interrupted, t_us: int) -> TurnEvent:
                turn, by = context.turn(decision.turn), context.turn(decision.by)
                if decision.playing:
                    return BargeIn(t_us, turn, by, decision.voiced_us, kept[-1].number)
                return Superseded(t_us, turn, by)

            def on_playback(event: Playback) -> None:
                nonlocal state
                state = turns.playback(state, event)

            def rule_for(frame: Frame) -> turn_state.TurnRule:
                us = frame_us(frame)
                return turn_state.TurnRule(
                    start_frames,
                    end_frames,
                    preroll_frames=preroll_ms * US_PER_MS // us,
                    max_frames=longest_s * US_PER_S // us,
                    steady_frames=STEADY_S * US_PER_S // us,
                    barge_in=barge_in != "ignore",
                    cough_frames=cough_ms * US_PER_MS // us if barge_in == "pause" else 0,
                    answered=answered,
                    greeting=greeting or "",
                    idle_prompt=idle_prompt or "",
                    idle_frames=idle_s * US_PER_S // us,
                    patience_frames=patience_ms * US_PER_MS // us,
                )

            return CompositeDisposable(
                playback.subscribe(on_playback, observer.on_error, scheduler=scheduler),
                source.subscribe(on_voiced, observer.on_error, observer.on_completed, scheduler=scheduler),
            )

        return DirectObservable(subscribe)

    return apply


def frame_us(frame: Frame) -> int:
    """How long the frame lasts."""
    return len(frame.pcm) // 2 * US_PER_S // frame.rate
