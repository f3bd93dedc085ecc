"""The replies of a recorded call for a replay with changes, whose utterances may be others than the recorded ones."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from webapi.voice_node.events import (
    SAY,
    Prompted,
    SpeechEnded,
    Transcript,
    Turn,
)
from webapi.voice_node.inputs import ASKED, FROM_CALLER, Input, OrchestratorOutput, PlayedOut, SpeakerActed
from webapi.voice_node.recording.recorded_call import RecordedCall
from webapi.voice_node.replay.recorded_replies import RecordedReplies
from webapi.voice_node.replay.recorded_reply import RecordedReply, read_output

LAST = 1 << 60  # in the order of inputs: after everything else of the same moment


class _Due(NamedTuple):
    """What comes into the graph at `t_us`."""

    t_us: int
    order: int  # of inputs
    given: Input
    reply: Turn | None  # whose reply it is part of; None: of none, so no cut takes it


class MatchedReplies(RecordedReplies):
    """A `ReplyScript` for other decisions: an utterance gets the reply of the recorded utterance most similar to it.

    Most similar: the largest intersection over union of the two spans of audio. The reply keeps its timing relative to
    the end of the utterance. Of a reply that was cut in the recording, only what came before the cut is given.
    """

    asks_again = True

    def __init__(self, call: RecordedCall, origin_us: int) -> None:
        super().__init__()
        output = read_output(call, origin_us)
        self._recorded = output.replies
        self._due: list[_Due] = []  # a heap
        self._sequence = LAST
        self._turn: Turn | None = None  # of the utterance that goes on, or was the last one
        for order, given in output.alone:
            self._schedule(given.value.t_us if isinstance(given, OrchestratorOutput) else given.t_us, given, order)
        for act in call.inputs():
            if isinstance(act, SpeakerActed):
                self.learn_act(act)

    def begin(self, turn: Turn) -> None:
        """What is understood of the caller belongs to this turn from now on."""
        self._turn = turn

    def answer(self, ended: SpeechEnded) -> None:
        """Schedule the reply of the most similar utterance, from now on."""
        found = max(self._recorded.values(), key=lambda each: each.similarity(ended), default=None)
        if found is None or found.similarity(ended) == 0:
            found = RecordedReply(ended.t_first_byte_us, ended.t_last_byte_us, ended.t_us)
        self._schedule_reply(found, ended.turn, ended.t_us)

    def prompt(self, prompted: Prompted) -> None:
        """Schedule what the recording has for the prompt of that name that is nearest in time, from now on."""
        t_us = prompted.t_us
        names = (prompted.prompt, prompted.turn.trace_id if prompted.prompt == SAY else "")
        same = (each for each in self._recorded.values() if (each.prompt, each.say_id) == names)
        nearest = min(same, key=lambda each: abs(each.ended_us - t_us), default=RecordedReply(t_us, t_us, t_us))
        self._schedule_reply(nearest, prompted.turn, t_us)

    def cut(self, turn: Turn) -> None:
        """Drop what is still scheduled of this turn's reply."""
        self._due = [due for due in self._due if due.reply != turn]
        heapq.heapify(self._due)

    def merged_into(self, inputs: Iterator[Input]) -> Iterator[Input]:
        """Yield the caller's inputs of the recording with what is due between them.

        The graph has acted on each before the next one is taken. The caller's audio may have arrived before it came
        into the session: that was not before anything else which the recording has in front of it.
        """
        came_us = 0
        for order, given in enumerate(inputs):
            came_us = max(came_us, given.value.t_us if isinstance(given, OrchestratorOutput) else given.t_us)
            if not isinstance(given, FROM_CALLER):
                continue
            while self._due and self._due[0][:2] < (came_us, order):
                yield self._of_this_replay(heapq.heappop(self._due))
            yield given

    def _of_this_replay(self, due: _Due) -> Input:
        """What was understood so far, with the turn that it belongs to here: utterances may be others than recorded."""
        given = due.given
        if self._turn is None or due.reply is not None or not isinstance(given, OrchestratorOutput):
            return given
        value = given.value
        if isinstance(value, Transcript):
            return OrchestratorOutput(replace(value, turn=self._turn))
        return given

    def _schedule_reply(self, recorded: RecordedReply, turn: Turn, t_us: int) -> None:
        shift_us = t_us - recorded.ended_us
        came_us = 0  # a mark has an earlier stamp than what came before it
        for order, given in recorded.completed(turn):
            if isinstance(given, PlayedOut):
                moved: Input = PlayedOut(given.t_us + shift_us, turn)
                came_us = max(came_us, given.t_us + shift_us)
            elif isinstance(given, ASKED):
                moved = given._replace(t_us=given.t_us + shift_us)
                came_us = max(came_us, moved.t_us)
            else:
                value = replace(given.value, turn=turn, t_us=given.value.t_us + shift_us)
                moved, came_us = OrchestratorOutput(value), max(came_us, value.t_us)
            self._schedule(came_us, moved, order, None if isinstance(given, ASKED) else turn)

    def _schedule(self, t_us: int, given: Input, order: int | None, reply: Turn | None = None) -> None:
        if order is None:
            self._sequence += 1
            order = self._sequence
        heapq.heappush(self._due, _Due(t_us, order, given, reply))
