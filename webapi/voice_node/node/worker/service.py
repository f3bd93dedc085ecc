"""What `worker` serves: the calls that LiveKit dispatches, until it is drained."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from livekit.agents.utils.hw import get_cpu_monitor
from livekit.protocol.agent import Job
from loguru import logger

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import PrintLine, UserError, describe
from webapi.voice_node.node.calls import Calls
from webapi.voice_node.node.draining import wait_for_calls
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.monitoring import Report
from webapi.voice_node.node.worker.agent_server import dispatch, make_server
from webapi.voice_node.node.worker.choices import Choices
from webapi.voice_node.node.worker.desk import Desk
from webapi.voice_node.node.worker.dispatches import Dispatches
from webapi.voice_node.node.worker.jobs import Jobs, OnWorkersLoop
from webapi.voice_node.node.worker.load import Pressure
from webapi.voice_node.node.worker.rescuer import Rescuer
from webapi.voice_node.node.worker.warm_up import warm_up

CLOSE_S = 4.0  # for the agent server to end, once the calls have
LOOK_S = 0.1  # between two looks at the calls that are left, while the worker drains


class WorkerService:
    """Serves dispatched calls, MAX_CALLS at a time, and gives the calls of workers that died to others."""

    def __init__(self, settings: Settings, sessions: SessionFactory, report: Report, say: PrintLine) -> None:
        self.page_settings = settings
        self._settings = settings
        self._sessions = sessions
        self._report = report
        self._leaving: set[asyncio.Task[None]] = set()
        self._say = say
        self._calls = Calls(settings.max_calls)
        self._choices = Choices(settings, sessions)
        self._jobs = Jobs(self._calls, self._choices)
        self._server = make_server(settings)
        self._pressure = Pressure(get_cpu_monitor().cpu_count(), self._pids)
        self._desk = Desk(settings, self._choices, self._running, lambda: self._pressure.value)
        self.send = self._calls.send

    def renew(self) -> None:
        """The graph has changed: calls get it between two turns. The graphs that metadata names are read anew."""
        self._choices.forget()
        self._calls.renew()

    async def run(self, drain: asyncio.Event, stop: asyncio.Event, ready: Callable[[], object]) -> None:
        """Serve until `drain` or `stop` is set, then until the calls are over. Raises UserError.

        `ready` is called each time that the worker has registered with LiveKit.
        """
        warm_up(self._sessions.graph, self._settings)
        async with Dispatches(self._settings) as dispatches:
            await dispatches.rooms()  # the agent server would try for minutes before it says that it can't connect
            local = OnWorkersLoop(self._jobs, lambda job: dispatches.exists(job.dispatch_id, job.room.name))
            dispatch(self._server, self._settings, self._desk, self._choices, local)
            self._server.on("worker_registered", lambda *_: self._on_registered(ready))
            rescuer = Rescuer(
                self._settings, dispatches, self._served, lambda: self._desk.has_place, self._leave, self._reachable
            )
            tasks = [asyncio.create_task(each) for each in (self._pressure.run(), rescuer.run())]
            for task in tasks:
                task.add_done_callback(log_error)
            running = asyncio.create_task(self._server.run())
            try:
                await self._until(running, drain, stop)
                await self._drain(stop)
            finally:
                await self._close(running, tasks)

    def _on_registered(self, ready: Callable[[], object]) -> None:
        name, limit = self._settings.lk_agent_name, self._settings.max_calls
        log = logger.bind(event="worker_registered", agent=name, worker=self._server.id, max_calls=limit)
        log.bind(executor=self._settings.job_executor).info(f"registered as agent {name}, for {limit} calls")
        if self._desk.draining:  # it has only lost its connection meanwhile
            return
        self._say(f"Ready: agent {name} at {self._settings.livekit_url}, {limit} calls at a time")
        self._report(None)
        ready()

    def _leave(self, job: Job) -> None:
        """End a call that another worker serves by now. Those in threads and processes end when LiveKit says so."""
        leaving = asyncio.create_task(self._jobs.end(job.id))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    def _reachable(self, reachable: bool) -> None:
        if not self._desk.draining:
            self._report(None if reachable else "server_unreachable")

    async def _until(self, running: asyncio.Task[None], drain: asyncio.Event, stop: asyncio.Event) -> None:
        """Return when the worker is to end. Raises UserError where it can't be registered any more."""
        asked = [asyncio.ensure_future(each.wait()) for each in (drain, stop)]
        await asyncio.wait([running, *asked], return_when=asyncio.FIRST_COMPLETED)
        for each in asked:
            each.cancel()
        if running.done() and running.exception():
            raise UserError(f"LIVEKIT_URL={self._settings.livekit_url}: {running.exception()}")

    async def _drain(self, stop: asyncio.Event) -> None:
        """Take no further call, and return when those in progress are over."""
        self._desk.draining = True
        self._report("draining")
        telling = asyncio.create_task(self._server.drain(timeout=None))  # LiveKit sends no more
        count, timeout_s = self._desk.calls, self._settings.drain_timeout_s
        self._say(f"Draining: {count} calls go on, for {timeout_s:g} s at most." if count else "No call is left.")
        self._calls.drain()
        try:
            await wait_for_calls(lambda: self._desk.calls, self._until_none(), stop, timeout_s)
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await telling

    async def _until_none(self) -> None:
        """Return when no call is left."""
        while self._desk.calls:  # noqa: ASYNC110 - the agent server tells of no end of a job
            await asyncio.sleep(LOOK_S)

    async def _close(self, running: asyncio.Task[None], tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await self._calls.close()
        try:
            await asyncio.wait_for(self._server.aclose(), CLOSE_S)
        except asyncio.TimeoutError:
            logger.bind(event="close_slow").warning(f"the agent server did not end within {CLOSE_S:g} s")
        running.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await running

    def _running(self) -> set[str]:
        """The ids of the jobs that are launched, and of those whose calls go on after LiveKit ended the job."""
        return {info.job.id for info in self._active()} | set(self._jobs.serving)

    def _served(self) -> Mapping[str, Job]:
        """The jobs whose calls this worker serves, by the id of their dispatch."""
        jobs = [info.job for info in self._active()] + [each.job for each in self._jobs.serving.values()]
        return {job.dispatch_id: job for job in jobs}

    def _active(self) -> list[Any]:
        """The jobs that the agent server runs; none before it has begun."""
        return self._server.active_jobs if hasattr(self._server, "_proc_pool") else []

    def _pids(self) -> list[int]:
        """The processes of calls, with those that wait for one; none where calls run in threads or on the loop."""
        pool = getattr(self._server, "_proc_pool", None)  # livekit-agents has no other access to them
        pids = [getattr(each, "pid", None) for each in pool.processes] if pool is not None else []
        return [pid for pid in pids if pid is not None]


def log_error(task: asyncio.Task[Any]) -> None:
    """Log the error with which a task has ended that was to go on. Calls go on without it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        bound = logger.bind(event="worker_part_failed").opt(exception=error)
        bound.error(f"the measuring of load or the watch over other workers has ended: {describe(error)}")
