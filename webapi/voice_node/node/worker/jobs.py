"""Serves dispatched jobs as calls: on the worker's loop, or on the loop of a job's own thread or process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from livekit.agents import JobContext
from livekit.protocol.agent import Job
from loguru import logger

from webapi.voice_node.errors import UserError, describe
from webapi.voice_node.livekit_runner import RemovedError
from webapi.voice_node.node.call_options import CallOptions, read_options
from webapi.voice_node.node.calls import Calls
from webapi.voice_node.node.loop_watch import LoopWatch, log_blocked
from webapi.voice_node.node.worker.choices import Choices
from webapi.voice_node.node.worker.dispatches import Dispatches

JOBS, CHOICES, ENDING, WATCH = "jobs", "choices", "ending", "watch"  # in the userdata of a job's thread or process

Keeps = Callable[[Job], Awaitable[bool]]


@dataclass(frozen=True)
class Serving:
    """A job whose call goes on."""

    job: Job
    task: asyncio.Task[None]


class Jobs:
    """The jobs whose calls one loop serves."""

    def __init__(self, calls: Calls, choices: Choices) -> None:
        self.serving: dict[str, Serving] = {}  # by the id of the job
        self._calls = calls
        self._choices = choices

    def start(self, job: Job, token: str, over: Callable[[], object]) -> None:
        """Serve the call of a job, in the running loop. `over` is called when it has ended, however that was."""
        task = asyncio.ensure_future(self._serve(job, token))
        self.serving[job.id] = Serving(job, task)

        def on_done(_: object) -> None:
            self.serving.pop(job.id, None)
            over()

        task.add_done_callback(on_done)

    async def end(self, job_id: str, keeps: Keeps | None = None) -> None:
        """LiveKit has ended the job: end its call, unless that is over, or `keeps` says that it goes on."""
        serving = self.serving.get(job_id)
        if serving is None or (keeps and await keeps(serving.job)):
            return
        serving.task.cancel()
        await asyncio.wait([serving.task])

    async def _serve(self, job: Job, token: str) -> None:
        """Serve one call. Raises nothing but a cancel: what fails in a call is that call's alone."""
        room = job.room.name
        log = logger.bind(room=room, job_id=job.id, agent=job.agent_name)
        log.bind(event="call_taken").info(f"took the call in room {room}")
        try:
            made = await self._choices.ready(read_options(job.metadata) or CallOptions())
            settings = made.settings.model_copy(update={"lk_room": room})
            await self._calls.serve(settings, made.sessions, token)
        except RemovedError as error:
            log.bind(event="call_removed").warning(f"the call in room {room} is over: {error}")
            await self._forget(job)
        except UserError as error:
            log.bind(event="call_failed").error(f"the call in room {room} failed: {error}")
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as error:  # whatever it is, it is this call's
            log.bind(event="call_failed").opt(exception=error).error(
                f"the call in room {room} failed: {describe(error)}"
            )
        else:
            log.bind(event="call_over").info(f"the call in room {room} is over")

    async def _forget(self, job: Job) -> None:
        """Delete the dispatch of a call that must not be dispatched again."""
        async with Dispatches(self._choices.settings) as dispatches:
            deleted = await dispatches.delete(job.dispatch_id, job.room.name)
        if deleted:
            logger.bind(event="dispatch_deleted", room=job.room.name).debug("deleted the dispatch of that call")


class OnWorkersLoop:
    """For livekit-agents: jobs whose calls the loop serves in which this is made. Their threads do nothing but wait.

    `keeps`: see `Jobs.end`. LiveKit also ends the job of a bot that had lost its connection, and that bot joins again.
    """

    def __init__(self, jobs: Jobs, keeps: Keeps) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs = jobs
        self._keeps = keeps

    async def entry(self, context: JobContext) -> None:
        """In the job's thread: hand the call over."""
        self._loop.call_soon_threadsafe(self._jobs.start, context.job, _token(context), _ends(context))

    async def ended(self, context: JobContext) -> None:
        """In the job's thread, when the job ends."""
        ending = asyncio.run_coroutine_threadsafe(self._jobs.end(context.job.id, self._keeps), self._loop)
        await asyncio.wrap_future(ending)


async def entry_here(context: JobContext) -> None:
    """Serve the call on the loop of the job's own thread or process, with what `userdata` has of it."""
    watch = context.proc.userdata[WATCH] = LoopWatch(asyncio.get_running_loop(), log_blocked)
    watch.start()
    jobs = context.proc.userdata[JOBS] = Jobs(Calls(1), context.proc.userdata[CHOICES])
    jobs.start(context.job, _token(context), _ends(context))


async def ended_here(context: JobContext) -> None:
    """End the call that `entry_here` began, and what its process writes."""
    await context.proc.userdata[JOBS].end(context.job.id)
    context.proc.userdata[WATCH].stop()
    if ENDING in context.proc.userdata:
        await context.proc.userdata[ENDING].aclose()


def _token(context: JobContext) -> str:
    """The token for the first join. It has the agent's name; livekit-agents has no other access to it."""
    return context._info.token


def _ends(context: JobContext) -> Callable[[], None]:
    """Ends the job; may be called from any thread, also when the job's loop has ended."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(context.shutdown, "the call is over")

    return end
