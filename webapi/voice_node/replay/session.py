"""Builds the session of a replay: a graph in the replay's loop, whose events and metrics go into a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from webapi.voice_node.clock.off_loop import in_threads, within_limit
from webapi.voice_node.clock.replay_loops import this_loop
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop
from webapi.voice_node.config import Settings
from webapi.voice_node.context import ReplyScript
from webapi.voice_node.events import Event, HungUp
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.metrics import Metrics
from webapi.voice_node.pipeline import Session
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.sinks import NullSink, ReplaySink
from webapi.voice_node.replay.tap_files import TapFiles


@dataclass(frozen=True)
class SessionIdentity:
    """The ids of the replayed session, and the time of its start on the recording's clock (µs)."""

    session_id: str
    room: str
    origin_us: int = 0
    caller: CallerInfo = field(default_factory=CallerInfo)


class ReplaySession:
    """A session in the running replay loop. Its events, metrics, frames and problems are added to `result`."""

    def __init__(
        self,
        identity: SessionIdentity,
        graph: GraphSpec,
        settings: Settings,
        result: ReplayResult,
        *,
        audible: bool,
        script: ReplyScript | None = None,
        taps: Path | None = None,
        unheard: bool = False,
    ) -> None:
        """`audible`: `sink` is asked for what was played. `script` gives the replies in the orchestrator's place.

        `taps`: the folder of what the graph's taps write; None: they write nothing. `unheard`: see Context.
        """
        self.loop = this_loop()
        self.sink = ReplaySink(self.loop)
        self.hung_up = False  # the bot: nothing more is heard then
        self._result = result
        self.failures: list[Exception] = []
        self._metrics = Metrics(
            identity.session_id, identity.room, graph.name, result.metrics.append, words=settings.log_transcripts
        )

        def take(event: Event) -> None:
            result.add(event)
            self.hung_up = self.hung_up or isinstance(event, HungUp)

        self.session = Session(
            graph,
            settings=settings,
            sink=self.sink if audible else NullSink(),
            clock=self.loop.clock_us,
            session_id=identity.session_id,
            room=identity.room,
            taps=[take, self._metrics],
            on_failure=self.failures.append,
            on_trouble=lambda error: result.problems.append(str(error)),
            probe=result.watch,
            script=script,
            compute=within_limit if isinstance(self.loop, VirtualTimeLoop) else in_threads(self.loop),
            tap_file=TapFiles(taps, result),
            caller=identity.caller,
            unheard=unheard,
        )

    def raise_failure(self) -> None:
        """Raise the error of an operator, where one has failed."""
        if self.failures:
            raise self.failures[0]

    async def close(self) -> None:
        """End the session and complete its metrics. Raises the error of an operator that has failed."""
        if isinstance(self.loop, VirtualTimeLoop):
            self._result.threads = self.loop.threads(at_work=self._result.failed_replies > 0)
        await self.session.close()
        self._metrics.close()
        self.raise_failure()
