"""Checks that `turn_events` can use the answers of the `end_of_turn` before it: one sees only its own arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webapi.voice_node.end_of_turn import SILENCE
from webapi.voice_node.graph.problem_list import Problems
from webapi.voice_node.graph.spec import StepSpec, StreamSpec
from webapi.voice_node.operators import BUILT_IN

OURS = {operator.name for operator in BUILT_IN}  # one of another package may answer too


def check_waits(streams: Mapping[str, StreamSpec], problems: Problems) -> None:
    """Note a wait that never comes, and answers that always come too late."""
    for stream in streams.values():
        for index, step in enumerate(stream.steps):
            if step.operator == "turn_events":
                _check(step, list(_before(stream, index, streams)), problems)


def _before(stream: StreamSpec, index: int, streams: Mapping[str, StreamSpec]) -> Iterator[StepSpec]:
    """The operators from which something flows into the operator `index` of `stream`."""
    names = list(stream.sources)
    for step in stream.steps[:index]:
        yield step
        names += step.reads.values()
    for source in (streams[name] for name in dict.fromkeys(names) if name in streams):
        yield from _before(source, len(source.steps), streams)


def _check(turn_events: StepSpec, before: list[StepSpec], problems: Problems) -> None:
    asking = next((step for step in before if step.operator == "end_of_turn"), None)
    longest_ms = turn_events.arguments["longest_hold_ms"]
    if asking is None and longest_ms and all(step.operator in OURS for step in before):
        problems.add(
            turn_events.place,
            f"turn_events: longest_hold_ms: {longest_ms}: nothing waits so long without an answer, and no end_of_turn "
            "is before it. Put one there, as end_of_turn: {backend: words}, or give hold_ms instead",
        )
    if asking is not None and asking.arguments["backend"] != SILENCE:
        _check_in_time(asking, turn_events, problems)


def _check_in_time(asking: StepSpec, turn_events: StepSpec, problems: Problems) -> None:
    """Without an answer a turn ends after the usual wait. What the orchestrator expects may make that longer."""
    ms = asking.gives.ms or 20
    answers = {name: -(-asking.arguments[name] // ms) * ms for name in ("ask_ms", "answer_ms")}
    waits = {name: turn_events.arguments[name] // ms * ms for name in ("hold_ms", "patience_ms")}
    waits["end_frames"] = turn_events.arguments["end_frames"] * ms
    usual = max(waits, key=lambda name: waits[name])
    needed_ms = sum(answers.values())
    if needed_ms > waits[usual]:
        problems.add(
            asking.place,
            f"end_of_turn: no answer is ever in time: it counts {needed_ms} ms after the voice (ask_ms "
            f"{answers['ask_ms']}, answer_ms {answers['answer_ms']}), and turn_events in line {turn_events.place.line} "
            f"ends the turn after {waits[usual]} ms ({usual}). Make these two shorter, or give hold_ms: {needed_ms}",
        )
