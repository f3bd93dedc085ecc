"""The rules that are compared: ours, by the node's own reducer, and the peers', from their published parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from bench.hearing.features import FRAME_S, WINDOW_S, Features
from webapi.voice_node.events import Frame, Voiced
from webapi.voice_node.hearing import turn_reducer
from webapi.voice_node.hearing.bot_heard import BotHeard, counted
from webapi.voice_node.hearing.decisions import Decision, Ended, Started
from webapi.voice_node.hearing.interruption import PendingReply
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.turn_state import TurnState
from webapi.voice_node.hearing.utterance import Utterance
from webapi.voice_node.replay.sweep.scoring import Heard
from webapi.voice_node.vad import SURE

FRAME_US = 20_000
Flags: TypeAlias = tuple[bool, ...]
Probabilities: TypeAlias = tuple[float, ...]
RULE = TurnRule(start_frames=6, end_frames=10, preroll_frames=12, max_frames=6000, answered=False)
NO_BOT = BotHeard()
NO_FRAME = Frame(0, b"", 8000, 0)
NOBODY = Utterance(turn=-1, first_frame=0, first_voiced_us=0, last_voiced_us=0, voiced_frames=0)
PLAYS = PendingReply(NOBODY, playing=True)


class Rule(NamedTuple):
    """A rule by name, with what it is."""

    name: str
    hear: Callable[[Features], list[Heard]]
    what: str


def _reducer(f: Features, flags: Flags, probabilities: Probabilities | None, playing: bool = False) -> list[Heard]:
    """What the node's own reducer decides with N = 6, M = 10. `playing`: a reply plays all the time."""
    state = TurnState(reply=PLAYS if playing else None)
    heard: list[Heard] = []
    starts: list[tuple[float, float]] = []  # when it was decided, the first voiced frame

    def note(decisions: tuple[Decision, ...], now_s: float) -> None:
        for decision in decisions:
            if isinstance(decision, Started):
                starts.append((now_s, decision.voiced_us / 1e6))
            elif isinstance(decision, Ended):
                heard.append(Heard(*starts[-1], now_s))

    for at, flag in enumerate(flags):
        p = probabilities[at] if probabilities else None
        state, decisions = turn_reducer.frame(state, flag, at, at * FRAME_US, RULE, p)
        note(decisions, (at + 1) * FRAME_S)
        if playing and state.utterance is None and state.reply is None:
            state = state._replace(reply=PLAYS)
    note(turn_reducer.gap(state, len(flags) - 1, "over", RULE)[1], f.length_s)
    return heard


def webrtc(f: Features) -> list[Heard]:
    """The flag alone."""
    return _reducer(f, f.flags, None)


def silero(f: Features) -> list[Heard]:
    """Silero alone."""
    return _reducer(f, tuple(p >= 0.5 for p in f.silero), f.silero)


def confirm(f: Features) -> list[Heard]:
    """Both: the default."""
    evidence = [
        counted(NO_BOT, Voiced(NO_FRAME, flag, p, second=second))
        for flag, p, second in zip(f.voiced, f.confirm, f.second, strict=True)
    ]
    return _reducer(f, tuple(each.voiced for each in evidence), tuple(each.probability or 0.0 for each in evidence))


def no_background(f: Features) -> list[Heard]:
    """The default, were a voice far away as good as a near one, and a soft one not amplified."""
    return _reducer(f, tuple(flag or p >= SURE for flag, p in zip(f.flags, f.silero, strict=True)), f.silero)


def barge_in(f: Features) -> list[Heard]:
    """The default while the bot talks."""
    return _reducer(f, f.voiced, f.confirm, playing=True)


def _livekit(f: Features, start_s: float) -> list[Heard]:
    """The VAD of livekit-agents: Silero, smoothed (0.35), from .5 on for `start_s`, until below .35 for 0.25 s."""
    heard: list[Heard] = []
    smooth, speech_s, silence_s = 0.0, 0.0, 0.0
    began: tuple[float, float] | None = None
    for frame, p in f.windows():
        now_s = (frame + 1) * FRAME_S
        smooth = 0.35 * smooth + 0.65 * p
        if smooth >= (0.35 if began else 0.5):
            speech_s, silence_s = speech_s + WINDOW_S, 0.0
            if began is None and speech_s >= start_s:
                began = now_s, now_s - speech_s
        else:
            silence_s, speech_s = silence_s + WINDOW_S, 0.0
            if began and silence_s >= 0.25:
                heard.append(Heard(*began, now_s))
                began = None
    return [*heard, Heard(*began, f.length_s)] if began else heard


def livekit(f: Features) -> list[Heard]:
    """livekit-agents' VAD: start after 50 ms."""
    return _livekit(f, 0.05)


def livekit_interruption(f: Features) -> list[Heard]:
    """livekit-agents' interruption: 0.5 s of speech."""
    return _livekit(f, 0.5)


def pipecat(f: Features) -> list[Heard]:
    """The VAD of pipecat: Silero at .7 for 0.2 s, in whole windows. Its volume gate, on top of that, is left out."""
    heard: list[Heard] = []
    need = round(0.2 / WINDOW_S)
    yes = no = 0
    began: tuple[float, float] | None = None
    for frame, p in f.windows():
        now_s = (frame + 1) * FRAME_S
        yes, no = (yes + 1, 0) if p >= 0.7 else (0, no + 1)
        if began is None and yes >= need:
            began = now_s, now_s - yes * WINDOW_S
        elif began and no >= need:
            heard.append(Heard(*began, now_s))
            began = None
    return [*heard, Heard(*began, f.length_s)] if began else heard


RULES = (
    Rule("webrtc", webrtc, "mode 3, N = 6, M = 10: without the extra `silero`"),
    Rule("silero", silero, "Silero alone, N = 6, M = 10"),
    Rule("confirm", confirm, "webrtc opens, Silero confirms and closes, the background does not count: the default"),
    Rule("confirm, any level", no_background, "the same, but the background counts, and soft voices get no gain"),
    Rule("confirm, barge-in", barge_in, "the default while the bot talks"),
    Rule("livekit-agents VAD", livekit, "Silero ≥ .5 for 50 ms, end < .35 for 250 ms"),
    Rule("livekit-agents interruption", livekit_interruption, "the same for 0.5 s"),
    Rule("pipecat VAD", pipecat, "Silero ≥ .7 for 0.2 s, end below it for 0.2 s"),
)
