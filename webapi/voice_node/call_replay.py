"""A recorded call through the graph again: the same inputs at the same times, so the same decisions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import US_PER_S, AudioChunk, AudioGap, Reply, record
from webapi.voice_node.graph_reader import read_graph
from webapi.voice_node.graph_spec import GraphSpec
from webapi.voice_node.metrics import Metrics
from webapi.voice_node.pipeline import Session
from webapi.voice_node.replay import Mix, Replayed, ReplayMouth
from webapi.voice_node.tape import Closed, Input, PlayedOut, Tape, Told, read_call
from webapi.voice_node.virtual_time import VirtualTimeLoop, run_virtual


class TapeScript:
    """In the orchestrator's place: what it gave, as the reader of the tape hands it on."""

    def __init__(self) -> None:
        self.tell: Callable[[Reply], None] | None = None

    def connect(self, tell: Callable[[Reply], None]) -> None:
        """The graph's reply stream listens."""
        self.tell = tell


def replay_call(folder: Path, mix: Mix | None = None) -> Replayed:
    """Replay the call in `folder`, with the graph and the settings that it was recorded with.

    Raises UserError for a recording that can't be read, or whose graph this program does not understand any more.
    """
    tape = read_call(folder)
    header = tape.header
    result = Replayed(folder.name, str(header.get("graph", "")), recorded=tape.events())
    try:
        who = Who(int(header["origin_us"]), str(header["session_id"]), str(header["room"]))
        settings = Settings.model_construct(**header["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder}: call.json lacks what a replay needs: {error}") from None
    graph = read_graph(tape.graph, folder / f"{result.graph}.yaml", settings)
    run_virtual(_run(tape, who, graph, settings, result, mix), start_us=who.origin_us)
    return result


@dataclass(frozen=True)
class Who:
    """The session that was recorded."""

    origin_us: int
    session_id: str
    room: str


async def _run(tape: Tape, who: Who, graph: GraphSpec, settings: Settings, result: Replayed, mix: Mix | None) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)  # noqa: S101 - for the type checker: run_virtual makes it
    mouth = ReplayMouth(loop)
    script = TapeScript()
    failures: list[Exception] = []
    metrics = Metrics(who.session_id, who.room, graph.name, result.metrics.append)
    session = Session(
        graph,
        settings=settings,
        sink=mouth,
        clock=loop.clock_us,
        session_id=who.session_id,
        room=who.room,
        taps=[lambda event: result.events.append(record(event, who.origin_us)), metrics],
        on_failure=failures.append,
        on_trouble=lambda error: result.trouble.append(str(error)),
        probe=result.watch,
        script=script,
    )
    for given in tape.inputs():
        t_us = given.value.t_us if isinstance(given, Told) else given.t_us
        await loop.until(t_us)
        if isinstance(given, Closed):
            break
        _feed(given, session, script)
        if mix and isinstance(given, AudioChunk):
            mix(given.pcm, mouth.played(len(given.pcm)))
    await session.close()
    metrics.close()
    result.seconds = (loop.now_us - who.origin_us) / US_PER_S
    if failures:
        raise failures[0]


def _feed(given: Input, session: Session, script: TapeScript) -> None:
    if isinstance(given, (AudioChunk, AudioGap)):
        session.feed(given)
    elif isinstance(given, PlayedOut):
        session.played_out(given.t_us)
    elif isinstance(given, Told) and script.tell:
        script.tell(given.value)
