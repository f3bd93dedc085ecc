"""The turns of a session that are not over yet, and what each event adds to them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from webapi.voice_node.events import (
    SHORT_INTERRUPTION,
    BargeIn,
    Event,
    LlmRequestDone,
    Mark,
    PlaybackDucked,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackRestored,
    PlaybackResumed,
    PlaybackStarted,
    Prompted,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    SpeechEnded,
    SpeechStarted,
    Superseded,
    Transcript,
    TtsFirstChunk,
    Turn,
)

MAX_OPEN = 32  # turns. Two or three are open at a time; a bug elsewhere must not fill the memory


class OpenTurn(NamedTuple):
    """What is known of a turn so far. Times are in µs; None: it has not happened."""

    turn: Turn
    times: tuple[int | None, ...]  # t1 to t6
    voiced_ms: int | None = None
    speech_end: str | None = None  # why the utterance ended
    done: float | None = None  # the probability, at its end, that the caller was done, where the graph asks
    ended: str | None = None  # the outcome of the orchestrator's stream
    cut: str | None = None  # the outcome of a cancel; it has precedence
    barge_us: int | None = None  # the interrupting speech's first voiced frame
    stopped_us: int | None = None  # from here on nothing of the reply is heard
    ducked_us: tuple[int, int] | None = None  # of the first duck: its first voiced frame, and the fall of the volume
    ducks: int = 0  # how often it became soft
    restores: int = 0  # how often it was loud again
    heard_ms: int | None = None
    heard_all: bool = False
    last_voiced_us: int | None = None  # of the utterance
    marks: Mapping[str, int] = MappingProxyType({})  # the orchestrator's stamps by name; the first counts
    said: Mapping[str, str] = MappingProxyType({})  # the words of the caller and of the bot
    prompt: str | None = None  # the name of a prompt: the bot began, without a turn of the caller

    @property
    def unanswered(self) -> bool:
        """Whether the caller has stopped talking, and no orchestrator was called."""
        return self.times[1] is not None and self.times[2] is None

    def at(self, which: int, t_us: int) -> OpenTurn:
        """Return the turn with `t<which>` set, unless it is set already: the first time counts."""
        i = which - 1
        return self if self.times[i] is not None else replace(self, times=_with_time(self.times, i, t_us))


def replace(turn: OpenTurn, **changes: Any) -> OpenTurn:
    """Return the turn with changes. (That of dataclasses takes five times as long, for each event.)"""
    return turn._replace(**changes)


@dataclass(frozen=True, slots=True)
class ClosedTurn:
    """A turn that is over, and how it went."""

    turn: OpenTurn
    outcome: str  # one of OUTCOMES


OpenTurns: TypeAlias = Mapping[str, OpenTurn]  # by trace_id, the oldest first


def step(turns: OpenTurns, event: Event) -> tuple[OpenTurns, tuple[ClosedTurn, ...]]:
    """Return the open turns after an event, and the turns that it closed. Pure; unknown turns change nothing."""
    trace_id = event.turn.trace_id
    if isinstance(event, (SpeechStarted, Prompted)):
        if trace_id in turns:
            return turns, ()
        opened = {**turns, trace_id: _open(event)}
        return _closed(opened, [next(iter(opened))], "closed") if len(opened) > MAX_OPEN else (opened, ())
    turn = turns.get(trace_id)
    if turn is None:
        return turns, ()
    if isinstance(event, PlaybackEnded):
        stopped_us = event.t_us if turn.stopped_us is None else turn.stopped_us
        turn = replace(turn, stopped_us=stopped_us, heard_ms=event.heard_ms, heard_all=event.completed)
        return _closed({**turns, trace_id: turn}, [trace_id], _outcome(turn))
    if isinstance(event, Superseded) and turn.times[2] is None:  # no reply: no end of a playback will come
        return _closed(turns, [trace_id], "superseded")
    turns = {**turns, trace_id: _learn(turn, event)}
    if isinstance(event, SpeechEnded):
        if event.reason == SHORT_INTERRUPTION:
            return _closed(turns, [trace_id], "empty")
        # Not at the next start of speech: just after that, a reply that is being prepared may be superseded.
        silent = [key for key, t in turns.items() if t.unanswered and key != trace_id]
        return _closed(turns, silent, "empty")
    return turns, ()


def _open(event: SpeechStarted | Prompted) -> OpenTurn:
    if isinstance(event, Prompted):
        return OpenTurn(event.turn, (None,) * 6, prompt=event.prompt)
    return OpenTurn(event.turn, (event.t_first_voiced_us, *[None] * 5))


def _learn(turn: OpenTurn, event: Event) -> OpenTurn:
    """Return the turn with what an event adds to it."""
    if isinstance(event, SpeechEnded):
        # A superseded utterance is carried into this one, which then began earlier than its own first frame.
        times = _with_time(turn.times, 0, event.t_first_voiced_us)
        turn = replace(turn, times=times, voiced_ms=event.voiced_ms, speech_end=event.reason, done=event.done)
        return replace(turn, last_voiced_us=event.t_last_voiced_us).at(2, event.t_us)
    if isinstance(event, Mark):
        return turn if event.mark in turn.marks else replace(turn, marks={**turn.marks, event.mark: event.t_us})
    if isinstance(event, Transcript):
        return _with_words(turn, event) if event.final else turn
    if isinstance(event, ReplyStarted):
        return turn.at(3, event.t_us)
    if isinstance(event, LlmRequestDone):
        return turn.at(4, event.t_us)
    if isinstance(event, TtsFirstChunk):
        return turn.at(5, event.t_us)
    if isinstance(event, PlaybackStarted):
        return turn.at(6, event.t_us)
    if isinstance(event, PlaybackPaused):
        return replace(turn, stopped_us=event.t_us)
    if isinstance(event, PlaybackResumed):
        return replace(turn, stopped_us=None)
    if isinstance(event, PlaybackDucked):
        first = turn.ducked_us or (event.t_first_voiced_us, event.t_us)
        return replace(turn, ducks=turn.ducks + 1, ducked_us=first)
    if isinstance(event, PlaybackRestored):
        return replace(turn, restores=turn.restores + 1)
    if isinstance(event, BargeIn):
        return replace(turn, barge_us=event.t_first_voiced_us)
    if isinstance(event, ReplyEnded):
        return replace(turn, ended=turn.ended or event.outcome)
    if isinstance(event, ReplyCut):
        return replace(turn, cut=turn.cut or event.outcome)
    return turn


def _with_words(turn: OpenTurn, event: Transcript) -> OpenTurn:
    """Return the turn with more words of the caller or of the bot."""
    before = turn.said.get(event.speaker, "")
    return replace(turn, said={**turn.said, event.speaker: f"{before} {event.text}".strip()})


def _outcome(turn: OpenTurn) -> str:
    """Return the outcome of a turn whose playback is over. Only a reply that was heard to its end is completed."""
    if turn.cut:
        return turn.cut
    if turn.ended and turn.ended != "completed":
        return turn.ended
    return "completed" if turn.heard_all else "closed"


def _with_time(times: tuple[int | None, ...], i: int, t_us: int) -> tuple[int | None, ...]:
    return (*times[:i], t_us, *times[i + 1 :])


def _closed(turns: OpenTurns, keys: Iterable[str], outcome: str) -> tuple[OpenTurns, tuple[ClosedTurn, ...]]:
    gone = set(keys)
    closed = tuple(ClosedTurn(t, outcome) for key, t in turns.items() if key in gone)
    return {key: t for key, t in turns.items() if key not in gone}, closed
