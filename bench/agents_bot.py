"""A bot of livekit-agents that does the node's job with its VAD alone: `python -m bench.agents_bot URL AGENT TURNS`.

It answers each utterance with the tone of `bench.rooms_probe`, and stops when it is talked over. Executor and VAD are
the defaults of livekit-agents; it takes every call. A line is appended to the file TURNS for each reply, with the names
of metrics.jsonl; as the first audio of the reply counts that it is begun. It prints `Ready` when it is registered.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from livekit import rtc
from livekit.agents import Agent, AgentServer, AgentSession, JobContext, UserStateChangedEvent, inference

from bench.rooms_probe import REPLY_S
from webapi.voice_node.config import DEV_KEY, DEV_SECRET
from webapi.voice_node.orchestrator_mock import tone

RATE_HZ, PIECE = 48_000, 960
TURNS = "BENCH_TURNS"  # the variable by which a job's process knows the file


async def sound() -> AsyncIterator[rtc.AudioFrame]:
    """The tone, in frames."""
    pcm = tone(REPLY_S, RATE_HZ, 440)
    for at in range(0, len(pcm), 2 * PIECE):
        piece = pcm[at : at + 2 * PIECE]
        yield rtc.AudioFrame(piece, RATE_HZ, 1, len(piece) // 2)


async def entry(context: JobContext) -> None:
    """One call."""
    session: AgentSession[None] = AgentSession(vad=inference.VAD(), turn_detection="vad")
    line: dict[str, str | float] = {"room": context.room.name}

    def on_state(event: UserStateChangedEvent) -> None:
        now_s = time.monotonic()
        if event.new_state == "speaking":
            line["t1_first_user_audio"] = now_s
        if (event.old_state, event.new_state) == ("speaking", "listening"):
            with Path(os.environ[TURNS]).open("a", encoding="utf-8") as turns:
                turns.write(json.dumps({**line, "t6_first_bot_audio": now_s}) + "\n")
            session.say("a tone", audio=sound(), add_to_chat_ctx=False)

    session.on("user_state_changed", on_state)
    await session.start(agent=Agent(instructions=""), room=context.room)
    await context.connect()


def main(url: str, agent: str, turns: str) -> None:
    """Serve until it is killed."""
    os.environ[TURNS] = turns
    server = AgentServer(
        ws_url=url, api_key=DEV_KEY, api_secret=DEV_SECRET, host="127.0.0.1", port=0, load_threshold=math.inf
    )
    server.rtc_session(entry, agent_name=agent)
    server.on("worker_registered", lambda *_: print("Ready", flush=True))
    asyncio.run(server.run())


if __name__ == "__main__":
    main(*sys.argv[1:])
