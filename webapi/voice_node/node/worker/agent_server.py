"""The agent server of livekit-agents: registers with LiveKit, and runs what it dispatches."""

from __future__ import annotations

import functools
import logging
import math
import os
from collections.abc import Awaitable, Callable

from livekit.agents import AgentServer, JobContext, JobExecutorType, JobProcess, WorkerPermissions
from livekit.protocol import models

from webapi.voice_node.config import Settings
from webapi.voice_node.files.node_name import node_name
from webapi.voice_node.node.worker import job_process
from webapi.voice_node.node.worker.agent_name import agent_name
from webapi.voice_node.node.worker.choices import Choices
from webapi.voice_node.node.worker.desk import Desk
from webapi.voice_node.node.worker.jobs import CHOICES, OnWorkersLoop, ended_here, entry_here

IDLE = 1  # threads or processes that wait for a job
READY_S = 60.0  # for a process to import and load what a call needs; a busy machine takes long
CLOSE_S = 10.0
PUT_THERE = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")  # by livekit-agents, into the environment
PRELOAD = "LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE"  # models of livekit-agents: 244 MB that no call of ours uses
# Its watch over the loop of each job: a hundred wake-ups a second for each call. node/loop_watch.py does that once.
LOOP_MONITOR = "LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS"
NOT_OURS = (
    "was not established within 10 seconds",
    "without establishing a connection",
    "no warmed process available",
)


OfJob = Callable[[JobContext], Awaitable[None]]


def make_server(settings: Settings) -> AgentServer:
    """An agent server with our settings; `dispatch` says what it does with jobs."""
    os.environ.setdefault(PRELOAD, "0")
    os.environ.setdefault(LOOP_MONITOR, "0")
    # LiveKit gives the bot a token with these rights, which are those of tokens.mint.
    permissions = WorkerPermissions(can_update_metadata=False, can_publish_sources=[models.TrackSource.MICROPHONE])
    return AgentServer(
        job_executor_type=JobExecutorType.PROCESS if settings.job_executor == "process" else JobExecutorType.THREAD,
        load_threshold=math.inf,  # Desk refuses exactly; the server's own estimate would refuse calls that come at once
        num_idle_processes=IDLE,
        initialize_process_timeout=READY_S,
        shutdown_process_timeout=CLOSE_S,
        session_end_timeout=CLOSE_S,
        permissions=permissions,
        ws_url=settings.livekit_url,
        api_key=settings.livekit_api_key,
        api_secret=settings.livekit_api_secret.get_secret_value(),
        host="127.0.0.1",
        port=0,
        preload_modules=[job_process.__name__],
        log_level=settings.log_level if settings.log_level in ("TRACE", "DEBUG", "INFO", "ERROR") else "INFO",
    )


def dispatch(server: AgentServer, settings: Settings, desk: Desk, choices: Choices, local: OnWorkersLoop) -> None:
    """Let `desk` answer requests, and run jobs as JOB_EXECUTOR says."""
    entry: OfJob = entry_here
    ended: OfJob = ended_here
    hidden = _hide_environment(server)
    if settings.job_executor == "loop":
        entry, ended = local.entry, local.ended
    elif settings.job_executor == "thread":
        server.setup_fnc = functools.partial(_share, choices)
    else:
        named = settings.model_copy(update={"node_name": node_name(settings)})  # the processes are parts of one node
        server.setup_fnc = functools.partial(job_process.prepare, named, hidden)
    server.load_fnc = desk.load
    server.rtc_session(entry, agent_name=agent_name(settings), on_request=desk.on_request, on_session_end=ended)
    logging.getLogger("livekit.agents").addFilter(_is_about_us)


def _share(choices: Choices, process: JobProcess) -> None:
    process.userdata[CHOICES] = choices


def _is_about_us(record: logging.LogRecord) -> bool:
    """Not the warnings that a job makes its own connection, and none of idle processes."""
    return not any(part in str(record.msg) for part in NOT_OURS)


def _hide_environment(server: AgentServer) -> list[str]:
    """Take out of the environment what the server puts there, the secret: programs of the bot's parts inherit it.

    Returns the names of these variables: the processes of calls inherit them before, and take them out themselves.
    """
    new = [name for name in PUT_THERE if name not in os.environ]

    def remove() -> None:
        for name in new:
            os.environ.pop(name, None)

    server.on("worker_started", remove)
    return new
