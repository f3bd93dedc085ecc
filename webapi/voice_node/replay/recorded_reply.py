"""The utterances and prompts of a recorded call, each with what the orchestrator gave for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from webapi.voice_node.errors import UserError
from webapi.voice_node.events import (
    SAY,
    US_PER_S,
    Asked,
    HookFailed,
    Reply,
    ReplyAudio,
    ReplyEnded,
    ReplyStarted,
    SpeechEnded,
    Transcript,
    Turn,
    length_us,
)
from webapi.voice_node.inputs import ASKED, FROM_CALLER, Input, OrchestratorOutput, PlayedOut
from webapi.voice_node.recording.call_file import EVENTS
from webapi.voice_node.recording.recorded_call import RecordedCall

NOTHING_RECORDED = "the recording has no reply to this"
NO_MORE_RECORDED = "the recording has no more of this reply: it was cut off there"

Given: TypeAlias = OrchestratorOutput | PlayedOut | Asked


@dataclass
class RecordedReply:
    """A recorded utterance or prompt, and what the orchestrator gave for it. Times are those of the recording (µs)."""

    first_us: int  # start of the utterance's audio
    last_us: int  # its end
    ended_us: int  # when the end was decided
    prompt: str = ""  # the name of a prompt, which has no audio of the caller
    say_id: str = ""  # the trace_id of what the orchestrator asked to say
    cut_us: int | None = None  # when the reply was cut, and had not been played to its end
    values: list[tuple[int, Given]] = field(default_factory=list)  # (order of inputs, value)

    def similarity(self, ended: SpeechEnded) -> float:
        """Return the intersection over union of this utterance's audio and another's: 0 to 1."""
        common = min(self.last_us, ended.t_last_byte_us) - max(self.first_us, ended.t_first_byte_us)
        union = max(self.last_us, ended.t_last_byte_us) - min(self.first_us, ended.t_first_byte_us)
        return max(0, common) / union if union else 0.0

    def completed(self, turn: Turn) -> Iterator[tuple[int | None, Given]]:
        """Yield what was given as (order of inputs, value), and what a cut took from it, whose order is None.

        A cut takes the end of the reply, and the moment at which all of it has been played.
        """
        if not self.values:  # nothing similar was said in the recording, or it was cut before anything came
            t_us = self.ended_us if self.cut_us is None else self.cut_us
            yield None, OrchestratorOutput(ReplyStarted(t_us, turn))
            yield None, OrchestratorOutput(ReplyEnded(t_us, turn, "empty", NOTHING_RECORDED))
            yield None, PlayedOut(t_us, turn)
            return
        yield from self.values
        values = [given.value for _, given in self.values if isinstance(given, OrchestratorOutput)]
        t_us = max((value.t_us for value in values), default=self.ended_us)
        if not any(isinstance(value, ReplyEnded) for value in values):
            t_us = max(t_us, self.cut_us or 0)
            heard = any(type(value) is ReplyAudio for value in values)
            yield None, OrchestratorOutput(ReplyEnded(t_us, turn, "completed" if heard else "empty", NO_MORE_RECORDED))
        if not any(isinstance(given, PlayedOut) for _, given in self.values):
            audio = [value for value in values if isinstance(value, ReplyAudio)]
            yield None, PlayedOut(max(t_us, _played_out_us(audio), self.cut_us or 0), turn)


def _played_out_us(audio: list[ReplyAudio]) -> int:
    """Return when all of the audio has been played, as the speaker counts it; 0 where there is none."""
    played_us = 0
    for value in audio:
        us = length_us(value.pcm, value.rate)
        played_us = max(played_us, value.t_us) + us
    return played_us


@dataclass
class RecordedOutput:
    """What the orchestrator gave in a recorded call."""

    replies: dict[int, RecordedReply]  # by turn number
    alone: list[tuple[int, Given]]  # (order of inputs, value): what is no part of a reply and keeps its recorded time


def read_output(call: RecordedCall, origin_us: int) -> RecordedOutput:
    """Return what the orchestrator gave. Raises UserError for events of another format.

    What the orchestrator asked for while it answered belongs to that reply.
    """
    found = RecordedOutput(_turns(call, origin_us), [])
    replying: RecordedReply | None = None
    heard_us = 0  # the latest of what came from the caller: an utterance is over when the graph has got its end
    for order, given in enumerate(call.inputs()):
        if isinstance(given, FROM_CALLER):
            heard_us = max(heard_us, given.t_us)
        elif isinstance(given, ASKED):
            if replying is not None and (replying.cut_us is None or given.t_us <= replying.cut_us):
                replying.values.append((order, given))
            else:
                found.alone.append((order, given))
        elif isinstance(given, (OrchestratorOutput, PlayedOut)):
            turn = turn_of(given).number
            if isinstance(given, PlayedOut):
                replying = None
            elif isinstance(given.value, ReplyStarted):
                replying = found.replies.get(turn)
            if isinstance(given, OrchestratorOutput) and _comes_alone(given.value, found.replies.get(turn), heard_us):
                found.alone.append((order, given))
            elif turn in found.replies:
                found.replies[turn].values.append((order, given))
    return found


def _turns(call: RecordedCall, origin_us: int) -> dict[int, RecordedReply]:
    """The recorded utterances and prompts by turn number, without what was given for them."""

    def us(line: dict[str, Any], name: str) -> int:
        if type(line[name]) not in (int, float):
            raise ValueError(f"{name} is no number")
        return origin_us + round(float(line[name]) * US_PER_S)

    found: dict[int, RecordedReply] = {}
    number = 0  # of the line
    try:
        for line in event_lines(call):
            number += 1
            turn = line["turn_index"]
            if type(turn) is not int:
                raise ValueError("turn_index is no whole number")
            if line["event"] == "speech_ended":
                found[turn] = RecordedReply(us(line, "t_first_byte"), us(line, "t_last_byte"), us(line, "t"))
            elif line["event"] == "prompted":
                at_us = us(line, "t")
                prompt = str(line["prompt"])
                found[turn] = RecordedReply(at_us, at_us, at_us, prompt, str(line["trace_id"]) if prompt == SAY else "")
            elif line["event"] == "reply_cut" and turn in found:
                found[turn].cut_us = us(line, "t")
            elif line["event"] == "playback_ended" and turn in found and found[turn].cut_us is not None:
                found[turn].cut_us = us(line, "t")  # the cut has the stamp of its cause, which may have arrived before
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        where = f"{call.folder / EVENTS}:{max(1, number)}"
        raise UserError(f"{where}: not what a recording has there: {error}") from None
    return found


def event_lines(call: RecordedCall) -> Iterator[dict[str, Any]]:
    """Yield what the node decided when the call was recorded, as far as that was written."""
    return (json.loads(text) for text in call.events().split("\n") if text)


def turn_of(given: Input) -> Turn:
    """Return the turn of an orchestrator's output, or of the end of a playback."""
    assert isinstance(given, (OrchestratorOutput, PlayedOut))  # noqa: S101 - for the type checker: no other has a turn
    return given.value.turn if isinstance(given, OrchestratorOutput) else given.turn


def _comes_alone(value: Reply, reply: RecordedReply | None, heard_us: int) -> bool:
    """Whether this is no part of the turn's reply: a hook that has failed, or what was understood while it was said.

    Final words that were told after the end of the utterance are part of the reply. Interim ones are not: a recogniser
    that hears the caller all the time is still behind the voice then.
    """
    if not isinstance(value, Transcript):
        return isinstance(value, HookFailed)
    if value.speaker != "caller":
        return False
    speaking = reply is None or (not reply.prompt and heard_us < reply.ended_us)
    return speaking or not value.final
