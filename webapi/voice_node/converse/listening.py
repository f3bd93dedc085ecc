"""One utterance at the speech-to-text, while the caller speaks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from webapi.voice_node.converse.open_part import OpenPart
from webapi.voice_node.converse.parts import SpeechToText
from webapi.voice_node.converse.pulled_ahead import CLOSE_S
from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.reactive.async_iterator import close

WAITING_S = 60  # of audio that a slow speech-to-text has not taken yet; beyond it the utterance is not whole
IDLE_S = 2.0  # without audio: nobody tells the end of a short interruption; while an utterance goes on, audio comes


class Listening:
    """Streams the audio of one utterance to a speech-to-text, in order, and collects its text.

    `rate` is that of the audio in Hz. `told` is called with the text so far, whenever it changes. It begins at once,
    as a task. Where no audio comes for IDLE_S it stops by itself, and has not heard what follows.
    """

    def __init__(self, stt: OpenPart[SpeechToText], rate: int, told: Callable[[str], None]) -> None:
        self._stt = stt
        self._rate = rate
        self._told = told
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._taken_bytes = 0  # all that was fed
        self._missed = False
        self._ended = False
        self._came = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._fed_at = self._loop.time()
        self._idle = self._loop.call_at(self._fed_at + IDLE_S, self._stop_if_idle)
        self._task = self._loop.create_task(self._listen())
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    def feed(self, pcm: bytes) -> None:
        """The next piece of the utterance. Over WAITING_S of them that wait, nothing more is taken."""
        if self._waiting_bytes + len(pcm) > WAITING_S * self._rate * BYTES_PER_SAMPLE:
            self._missed = True
        if not (self._ended or self._missed):
            self._fed_at = self._loop.time()
            self._take(pcm)

    def feed_whole(self, utterance: bytes) -> None:
        """The whole utterance at once, in the place of its pieces."""
        self._take(utterance)
        self.end()

    def _take(self, pcm: bytes) -> None:
        self._waiting.append(pcm)
        self._waiting_bytes += len(pcm)
        self._taken_bytes += len(pcm)
        self._came.set()

    def end(self) -> None:
        """The utterance is over."""
        self._ended = True
        self._idle.cancel()
        self._came.set()

    def has_heard(self, utterance: bytes) -> bool:
        """Whether all of the utterance was fed."""
        return not self._missed and self._taken_bytes >= len(utterance)

    async def text(self) -> str:
        """What the caller said. Raises PartError where that is not known `timeout_s` of the part after this call."""
        self.end()
        await asyncio.wait({self._task}, timeout=self._stt.timeout_s)
        if not self._task.done():
            raise self._stt.late("understood nothing")
        return self._task.result()

    async def aclose(self) -> None:
        """Stop, and close the stream."""
        self._idle.cancel()
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=CLOSE_S)

    def _stop_if_idle(self) -> None:
        due = self._fed_at + IDLE_S
        if self._loop.time() < due:
            self._idle = self._loop.call_at(due, self._stop_if_idle)
            return
        self._missed = True
        self._task.cancel()

    async def _listen(self) -> str:
        part = await self._stt.ready()
        finals: list[str] = []
        told = ""
        heard = part.listen(self._audio(), self._rate)
        try:
            async for piece in heard:
                text = " ".join(filter(None, [*finals, piece.text.strip()]))
                if piece.final:
                    finals.append(piece.text.strip())
                if text != told:
                    told = text
                    self._told(text)
        finally:
            await close(heard)
        return " ".join(filter(None, finals))

    async def _audio(self) -> AsyncIterator[bytes]:
        """What was fed and not taken yet, joined, until the utterance ends."""
        while True:
            while not self._waiting and not self._ended:
                self._came.clear()
                await self._came.wait()
            if not self._waiting:
                return
            pcm = b"".join(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            yield pcm
