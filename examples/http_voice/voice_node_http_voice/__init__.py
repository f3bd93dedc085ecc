"""A text-to-speech that is a plain HTTP server: it gets a text by POST, and answers with raw PCM."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from typing import Annotated

from pydantic import Field

from webapi.voice_node.converse.parts import PartError


class HttpVoice:
    """The server at `url`. Its answer is int16 mono PCM at `rate` Hz. `timeout_s` is the longest wait for it."""

    def __init__(
        self,
        *,
        url: Annotated[str, Field(pattern="^https?://")],
        rate: Annotated[int, Field(ge=8000, le=48_000)] = 16_000,
        timeout_s: float = 10,
    ) -> None:
        self.rate = rate
        self.timeout_s = timeout_s
        self.label = f"http text-to-speech at {url}"
        self._url = url

    async def open(self) -> None:
        """Let it speak a word that nobody hears."""
        await self._spoken("Hello.")

    async def aclose(self) -> None:
        """Nothing is open between two requests."""

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        """The speech for one sentence, in one piece."""
        yield await self._spoken(text)

    async def _spoken(self, text: str) -> bytes:
        try:
            return await asyncio.to_thread(self._post, text.encode())  # urllib blocks, so it runs in a thread
        except (OSError, ValueError) as error:  # URLError and HTTPError are OSErrors
            raise PartError(self.label, str(error), "Start the server, or correct url of the part") from error

    def _post(self, body: bytes) -> bytes:
        with urllib.request.urlopen(self._url, body, self.timeout_s) as answer:  # noqa: S310 - http and https alone
            pcm: bytes = answer.read()
        return pcm
