"""A recorded call through a graph again: the same inputs at the same times, so the same decisions.

Or, where something is to be different (`Changes`), what that would have decided: the caller says what they said then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webapi.voice_node.clock.replay_loops import Pace, run_paced, this_loop
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import BYTES_PER_SAMPLE, US_PER_S, AudioChunk, AudioGap, record
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.graph.settings_used import settings_used
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.inputs import Closed, Input, OrchestratorOutput, PlayedOut
from webapi.voice_node.metrics import Metrics
from webapi.voice_node.pipeline import Session
from webapi.voice_node.recording.call_file import RecordedCall, read_call
from webapi.voice_node.replay.recorded_replies import MatchedReplies, RecordedReplies
from webapi.voice_node.replay.wav_replay import TELL_CHUNKS, Mix, NullSink, ReplayResult, ReplaySink, Tell

OF_THE_ORCHESTRATOR = ("ORCHESTRATOR", "MOCK_REPLY", "MOCK_THINK_MS")  # settings
LIVE_TOLERANCE_S = 0.05  # an orchestrator that is asked again never answers in the same millisecond; nor is real time


@dataclass(frozen=True)
class Changes:
    """What is to be different from the recording: a graph, settings by attribute, the orchestrator asked again."""

    graph: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    live: bool = False
    pace: Pace = "virtual"

    @property
    def tolerance_s(self) -> float:
        """How far two times may be apart and still count as the same."""
        return LIVE_TOLERANCE_S if self.live or self.pace == "real" else 0.0

    def idle(self, graph: GraphSpec, *, asked: bool) -> list[str]:
        """Why some of the settings make no difference in `graph`. `asked`: an orchestrator is, not the recording."""
        names = [name.upper() for name in self.settings]
        used = settings_used(graph)
        unused = [f"the graph {graph.name} does not use {name}" for name in names if name not in used]
        unheard = [
            f"{name} changes nothing where the recording answers; --orchestrator live asks again"
            for name in names
            if name in used.intersection(OF_THE_ORCHESTRATOR) and not asked
        ]
        return unused + unheard

    def __bool__(self) -> bool:
        return bool(self.graph or self.settings or self.live)

    def __str__(self) -> str:
        graph = [f"graph {self.graph}"] if self.graph else []
        settings = [f"{name.upper()}={value}" for name, value in self.settings.items()]
        return ", ".join([*graph, *settings, *(["the orchestrator asked again"] if self.live else [])])


NO_CHANGES = Changes()


def replay_call(
    folder: Path, mix: Mix | None = None, instead: Changes = NO_CHANGES, tell: Tell | None = None
) -> ReplayResult:
    """Replay the call in `folder`, with the graph and the settings that it was recorded with, but for `instead`.

    With that, it is marked from where it parts from what the call gives without: its `before`.
    Raises UserError for a recording that can't be read, or whose graph this program does not understand any more.
    """
    tape = read_call(folder)
    header = tape.header
    try:
        who = RecordedSession(int(header["origin_us"]), str(header["session_id"]), str(header["room"]))
        settings = Settings.model_construct(**{**header["settings"], **checked(instead.settings)})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder}: call.json lacks what a replay needs: {error}") from None
    if instead.graph:
        graph = load_graph(instead.graph, settings)
    else:
        graph = read_graph(tape.graph, folder / f"{header.get('graph', '')}.yaml", settings, recorded=not instead.live)
    result = ReplayResult(folder.name, graph.name, recorded=None if instead else tape.events(), taps=graph.taps)
    result.origin_us = who.origin_us
    run_paced(_run(tape, who, graph, settings, result, mix, instead, tell), instead.pace, start_us=who.origin_us)
    if instead:
        result.before = replay_call(folder)
        result.part_from(result.before.events, instead.tolerance_s)
        result.idle = instead.idle(graph, asked=instead.live)
    return result


@dataclass(frozen=True)
class RecordedSession:
    """The session that was recorded."""

    origin_us: int
    session_id: str
    room: str


class _CallMix:
    """What both sides said, on the session's clock.

    The caller's audio goes on without a hole, however unevenly it came; after a gap it begins where it came.
    """

    def __init__(self, mouth: ReplaySink, mix: Mix) -> None:
        self._mouth = mouth
        self._mix = mix
        self._silent = True  # nothing of the caller was heard yet, or no longer

    def take(self, given: Input) -> None:
        """The next input, at its time."""
        if isinstance(given, AudioGap):
            self._silent = True
        elif isinstance(given, AudioChunk):
            if self._silent:
                self.until(given.t_us - len(given.pcm) // BYTES_PER_SAMPLE * US_PER_S // given.rate)
                self._silent = False
            self._mix(given.pcm, self._mouth.played(len(given.pcm)))

    def until(self, t_us: int) -> None:
        """Silence of the caller up to then."""
        for bot in self._mouth.played_until(t_us):
            self._mix(bytes(len(bot)), bot)


def checked(settings: Mapping[str, object]) -> dict[str, Any]:
    """Settings as the rest of the program has them: checked (UserError), and of their types."""
    loaded = load_settings(None, **settings)
    return {name: getattr(loaded, name) for name in settings}


async def _run(
    tape: RecordedCall,
    who: RecordedSession,
    graph: GraphSpec,
    settings: Settings,
    result: ReplayResult,
    mix: Mix | None,
    instead: Changes,
    tell: Tell | None,
) -> None:
    loop = this_loop()
    mouth = ReplaySink(loop)
    script, inputs = _script(tape, who.origin_us, instead)
    failures: list[Exception] = []
    metrics = Metrics(who.session_id, who.room, graph.name, result.metrics.append)
    session = Session(
        graph,
        settings=settings,
        sink=mouth if mix else NullSink(),
        clock=loop.clock_us,
        session_id=who.session_id,
        room=who.room,
        taps=[lambda event: result.events.append(record(event, who.origin_us)), metrics],
        on_failure=failures.append,
        on_trouble=lambda error: result.trouble.append(str(error)),
        probe=result.watch,
        script=script,
    )
    heard = _CallMix(mouth, mix) if mix else None
    for count, given in enumerate(inputs):
        if tell and count % TELL_CHUNKS == 0:
            tell((loop.now_us - who.origin_us) / US_PER_S)
        await loop.until(given.value.t_us if isinstance(given, OrchestratorOutput) else given.t_us)
        if isinstance(given, Closed):
            break
        if isinstance(given, (AudioChunk, AudioGap)):
            session.feed(given)
        elif isinstance(given, PlayedOut):
            session.played_out(given.t_us)
        elif script and script.tell:
            script.tell(given.value)
        if heard:
            heard.take(given)
    if heard:
        heard.until(loop.now_us)
    await session.close()
    metrics.close()
    result.seconds = (loop.now_us - who.origin_us) / US_PER_S
    if failures:
        raise failures[0]


def _script(tape: RecordedCall, origin_us: int, instead: Changes) -> tuple[RecordedReplies | None, Iterator[Input]]:
    """What stands in the orchestrator's place, and what comes into the graph."""
    if not instead:
        return RecordedReplies(), tape.inputs()
    heard = (each for each in enumerate(tape.inputs()) if isinstance(each[1], (AudioChunk, AudioGap, Closed)))
    if instead.live:
        return None, (given for _, given in heard)
    retold = MatchedReplies(tape, origin_us)
    return retold, retold.among(heard)
