"""Starts the local LiveKit server again when it ends by itself, for example because it crashed."""

from __future__ import annotations

import asyncio
from collections import deque

from loguru import logger

from webapi.voice_node.dev_server.process import ServerProcess
from webapi.voice_node.errors import UserError

MOST, WITHIN_S = 3, 60.0  # so many restarts within this time; then the node gives up
LOOK_S = 0.25  # how often it is looked whether the server still runs


async def keep_running(server: ServerProcess) -> None:
    """Start the server again whenever it has ended, for ever.

    Raises UserError where it has ended again after MOST restarts within WITHIN_S.
    """
    restarts: deque[float] = deque(maxlen=MOST)
    loop = asyncio.get_running_loop()
    while True:
        if await server.serves():
            await asyncio.sleep(LOOK_S)
            continue
        if len(restarts) == MOST and loop.time() - restarts[0] < WITHIN_S:
            raise UserError(
                f"The local LiveKit server has ended {MOST + 1} times within {WITHIN_S:g} s.\n{server.last_words()}\n"
                "Start a LiveKit server yourself, and set LIVEKIT_URL to it."
            )
        restarts.append(loop.time())
        log = logger.bind(event="server_ended", restart=len(restarts))
        log.warning("the local LiveKit server has ended, starting it again")
        try:
            server.start()
            await server.answers()
        except UserError as error:
            logger.bind(event="server_failed").warning(str(error))
        else:
            logger.bind(event="server_started").info("the local LiveKit server runs again")
