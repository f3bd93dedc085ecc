"""Where the replies of a recorded call come from, when it is replayed: no orchestrator is asked."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from webapi.voice_node.errors import UserError
from webapi.voice_node.events import (
    BYTES_PER_SAMPLE,
    US_PER_S,
    HookFailed,
    Prompted,
    Reply,
    ReplyAudio,
    ReplyEnded,
    ReplyStarted,
    SpeechEnded,
    Turn,
)
from webapi.voice_node.inputs import Input, OrchestratorOutput, PlayedOut
from webapi.voice_node.recording.call_file import EVENTS, RecordedCall

NOTHING_RECORDED = "the recording has no reply to this"
NO_MORE_RECORDED = "the recording has no more of this reply: it was cut off there"
LAST = 1 << 60  # in the order of inputs: after everything else of the same moment


class RecordedReplies:
    """For the same decisions again: the tape's reader hands on what the orchestrator gave, and this knows whom to."""

    def __init__(self) -> None:
        self.tell: Callable[[Reply], None] | None = None

    def connect(self, tell: Callable[[Reply], None]) -> None:
        """The graph's reply stream listens."""
        self.tell = tell

    def answer(self, ended: SpeechEnded) -> None:
        """What was given then comes when it came then."""

    def prompt(self, prompted: Prompted) -> None:
        """So does what was said of its own accord."""

    def cut(self, turn: Turn) -> None:
        """Nothing of it follows on the tape."""


@dataclass
class RecordedReply:
    """A recorded utterance or prompt, and what came from the orchestrator's side for it: (order on the tape, value)."""

    first_us: int  # of the utterance's audio
    last_us: int
    ended_us: int  # when it was decided
    prompt: str = ""  # the name of a prompt, which has no audio of the caller's
    cut_us: int | None = None  # the reply was cut then
    values: list[tuple[int, OrchestratorOutput | PlayedOut]] = field(default_factory=list)


class MatchedReplies(RecordedReplies):
    """For decisions that may be others: an utterance gets the reply that the recorded one most like it got.

    Most like it: the largest intersection over union of the two spans of audio. The reply keeps its own timing from the
    end of the utterance on. Of a reply that was cut, what had come until then is all there is.
    """

    def __init__(self, tape: RecordedCall, origin_us: int) -> None:
        super().__init__()
        self._said = _read(tape, origin_us)
        self._due: list[tuple[int, int, Input]] = []  # a heap by (time, order)
        self._sequence = LAST
        for order, given in enumerate(tape.inputs()):
            if isinstance(given, OrchestratorOutput) and isinstance(given.value, HookFailed):
                self._put(given.value.t_us, given, order)

    def answer(self, ended: SpeechEnded) -> None:
        """What the recording has for it is due from now on."""
        said = max(self._said.values(), key=lambda each: _likeness(each, ended), default=None)
        if said is None or _likeness(said, ended) == 0:
            said = RecordedReply(ended.t_first_byte_us, ended.t_last_byte_us, ended.t_us)
        self._tell_again(said, ended.turn, ended.t_us)

    def prompt(self, prompted: Prompted) -> None:
        """What the recording has for the prompt of that name, the nearest in time, is due from now on."""
        t_us = prompted.t_us
        same = (each for each in self._said.values() if each.prompt == prompted.prompt)
        nearest = min(same, key=lambda each: abs(each.ended_us - t_us), default=RecordedReply(t_us, t_us, t_us))
        self._tell_again(nearest, prompted.turn, t_us)

    def _tell_again(self, said: RecordedReply, turn: Turn, t_us: int) -> None:
        shift_us = t_us - said.ended_us
        for order, given in whole(said, turn):
            if isinstance(given, PlayedOut):
                self._put(given.t_us + shift_us, PlayedOut(given.t_us + shift_us, turn), order)
            else:
                value = replace(given.value, turn=turn, t_us=given.value.t_us + shift_us)
                self._put(value.t_us, OrchestratorOutput(value), order)

    def cut(self, turn: Turn) -> None:
        """Nothing more of the reply comes."""
        self._due = [due for due in self._due if _turn(due[2]) != turn or _is_hook(due[2])]
        heapq.heapify(self._due)

    def among(self, heard: Iterator[tuple[int, Input]]) -> Iterator[Input]:
        """The caller's inputs with what is due between them. Each is acted on before the next one is asked for."""
        for order, given in heard:
            assert not isinstance(given, OrchestratorOutput)  # noqa: S101 - for the type checker: these are the caller's
            while self._due and self._due[0][:2] < (given.t_us, order):
                yield heapq.heappop(self._due)[2]
            yield given

    def _put(self, t_us: int, given: Input, order: int | None) -> None:
        if order is None:
            self._sequence += 1
            order = self._sequence
        heapq.heappush(self._due, (t_us, order, given))


def whole(said: RecordedReply, turn: Turn) -> Iterator[tuple[int | None, OrchestratorOutput | PlayedOut]]:
    """What was given, with the end that a cut took from it, and when all of it will have been played."""
    if not said.values:  # either nothing like it was said then, or it was cut before anything came
        t_us = said.ended_us if said.cut_us is None else said.cut_us
        yield None, OrchestratorOutput(ReplyStarted(t_us, turn))
        yield None, OrchestratorOutput(ReplyEnded(t_us, turn, "empty", NOTHING_RECORDED))
        yield None, PlayedOut(t_us, turn)
        return
    yield from said.values
    values = [given.value for _, given in said.values if isinstance(given, OrchestratorOutput)]
    t_us = max((value.t_us for value in values), default=said.ended_us)
    played_us = 0
    for value in values:
        if isinstance(value, ReplyAudio):  # as the speaker counts it
            us = len(value.pcm) // BYTES_PER_SAMPLE * US_PER_S // value.rate
            played_us = max(played_us, value.t_us) + us
    if not any(isinstance(value, ReplyEnded) for value in values):
        t_us = max(t_us, said.cut_us or 0)
        heard = any(type(value) is ReplyAudio for value in values)
        yield None, OrchestratorOutput(ReplyEnded(t_us, turn, "completed" if heard else "empty", NO_MORE_RECORDED))
    if not any(isinstance(given, PlayedOut) for _, given in said.values):
        yield None, PlayedOut(max(t_us, played_us), turn)


def _read(tape: RecordedCall, origin_us: int) -> dict[int, RecordedReply]:
    """The recorded utterances and prompts by turn."""

    def us(line: dict[str, Any], name: str) -> int:
        return origin_us + round(float(line[name]) * US_PER_S)

    found: dict[int, RecordedReply] = {}
    try:
        for line in event_lines(tape):
            turn = line["turn_index"]
            if line["event"] == "speech_ended":
                found[turn] = RecordedReply(us(line, "t_first_byte"), us(line, "t_last_byte"), us(line, "t"))
            elif line["event"] == "prompted":
                at_us = us(line, "t")
                found[turn] = RecordedReply(at_us, at_us, at_us, str(line["prompt"]))
            elif line["event"] == "reply_cut" and turn in found:
                found[turn].cut_us = us(line, "t")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{tape.folder / EVENTS}: not what a recording has there: {error}") from None
    for order, given in enumerate(tape.inputs()):
        if isinstance(given, (OrchestratorOutput, PlayedOut)) and not _is_hook(given):
            turn = _turn(given).number
            if turn in found:
                found[turn].values.append((order, given))
    return found


def event_lines(tape: RecordedCall) -> list[dict[str, Any]]:
    """What the node decided when it was recorded, as far as that was written."""
    return [json.loads(text) for text in tape.events().split("\n") if text]


def _likeness(said: RecordedReply, ended: SpeechEnded) -> float:
    """Intersection over union of the two utterances' audio."""
    common = min(said.last_us, ended.t_last_byte_us) - max(said.first_us, ended.t_first_byte_us)
    union = max(said.last_us, ended.t_last_byte_us) - min(said.first_us, ended.t_first_byte_us)
    return max(0, common) / union if union else 0.0


def _turn(given: Input) -> Turn:
    assert isinstance(given, (OrchestratorOutput, PlayedOut))  # noqa: S101 - for the type checker: nothing else is due
    return given.value.turn if isinstance(given, OrchestratorOutput) else given.turn


def _is_hook(given: Input) -> bool:
    return isinstance(given, OrchestratorOutput) and isinstance(given.value, HookFailed)
