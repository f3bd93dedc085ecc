"""Orchestrators that behave in every way that one can."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from webapi.voice_node.clock.virtual_time import VirtualTimeLoop
from webapi.voice_node.orchestrator import Call
from webapi.voice_node.orchestrator_mock import MockOrchestrator, tone

RATE_HZ = 8000


class Noted(MockOrchestrator):
    """Says a tone of two seconds, remembers what it was handed, and can be got at after the session made it."""

    last: ClassVar[Noted]

    def __init__(self, think_ms: int = 100) -> None:
        super().__init__("tone:2", think_ms=think_ms)
        self.utterances: list[bytes] = []
        self.partials: list[bytes] = []
        self.ended: list[tuple[float, float]] = []
        self.heard: list[tuple[str, int, bool]] = []
        Noted.last = self

    def on_partial_audio(self, trace_id: str, pcm8k_chunk: bytes) -> None:
        self.partials.append(pcm8k_chunk)

    def on_speech_ended(self, trace_id: str, utterance_pcm8k: bytes, t_first_byte: float, t_last_byte: float) -> None:
        super().on_speech_ended(trace_id, utterance_pcm8k, t_first_byte, t_last_byte)
        self.utterances.append(utterance_pcm8k)
        self.ended.append((t_first_byte, t_last_byte))

    def on_playback_ended(self, trace_id: str, heard_ms: int, completed: bool) -> None:
        super().on_playback_ended(trace_id, heard_ms, completed)
        self.heard.append((trace_id, heard_ms, completed))


class Ponders(Noted):
    """Thinks for half a second."""

    def __init__(self) -> None:
        super().__init__(think_ms=500)


class _Every(MockOrchestrator):
    """The first turn goes wrong in the class's own way; the ones after it get a short tone."""

    def __init__(self) -> None:
        super().__init__("tone:0.5", think_ms=50)
        self.turn = 0

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        self.turn += 1
        if self.turn > 1:
            async for chunk in super().get_audio_reply(trace_id, user_pcm8k):
                yield chunk
            return
        async for chunk in self.go_wrong():
            yield chunk

    def go_wrong(self) -> AsyncIterator[Any]:
        raise NotImplementedError


class Raises(_Every):
    async def go_wrong(self) -> AsyncIterator[Any]:
        raise RuntimeError("no brain today")
        yield b""


class RaisesLate(_Every):
    async def go_wrong(self) -> AsyncIterator[Any]:
        await asyncio.sleep(0.6)
        raise RuntimeError("no brain today")
        yield b""


class EmptyLate(_Every):
    async def go_wrong(self) -> AsyncIterator[Any]:
        await asyncio.sleep(0.6)
        yield b""


class RaisesMidway(_Every):
    async def go_wrong(self) -> AsyncIterator[Any]:
        yield tone(0.3, RATE_HZ, 440)
        raise RuntimeError("lost the thread")


class Hangs(_Every):
    async def go_wrong(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield b""


class HangsMidway(_Every):
    async def go_wrong(self) -> AsyncIterator[Any]:
        yield tone(0.3, RATE_HZ, 440)
        await asyncio.Event().wait()


class Empty(_Every):
    async def go_wrong(self) -> AsyncIterator[Any]:
        for chunk in (b"", b""):
            yield chunk


class Odd(_Every):
    """One second in chunks of 333 bytes, and one byte too many at the end."""

    async def go_wrong(self) -> AsyncIterator[Any]:
        pcm = tone(1, RATE_HZ, 440) + b"\x01"
        for at in range(0, len(pcm), 333):
            yield pcm[at : at + 333]


class Floods(_Every):
    """An hour in one piece."""

    async def go_wrong(self) -> AsyncIterator[Any]:
        yield tone(1, RATE_HZ, 440) * 3600


class FloodsForever(_Every):
    """Never stops, and counts what was taken."""

    taken: ClassVar[int] = 0

    async def go_wrong(self) -> AsyncIterator[Any]:
        second = tone(1, RATE_HZ, 440)
        while True:
            FloodsForever.taken += 1
            yield second


class RaisesNoText(_Every):
    """Its error names a file whose name no UTF-8 can hold."""

    async def go_wrong(self) -> AsyncIterator[Any]:
        yield tone(0.1, RATE_HZ, 440)
        raise OSError("no such file: caf\udce9\u2028.wav")


class GivesText(_Every):
    async def go_wrong(self) -> AsyncIterator[Any]:
        yield "hello"


class CancelsItself(_Every):
    async def go_wrong(self) -> AsyncIterator[Any]:
        raise asyncio.CancelledError
        yield b""


class HooksRaise(MockOrchestrator):
    """Every hook raises; the reply is fine."""

    def __init__(self) -> None:
        super().__init__("tone:2", think_ms=50)

    def on_speech_started(self, trace_id: str, ts_monotonic: float) -> None:
        raise RuntimeError("started")

    def on_partial_audio(self, trace_id: str, pcm8k_chunk: bytes) -> None:
        raise RuntimeError("partial")

    def on_barge_in_detected(self, trace_id: str) -> None:
        raise RuntimeError("barged")

    def stop_playback(self, trace_id: str) -> None:
        raise RuntimeError("stop")

    def on_playback_ended(self, trace_id: str, heard_ms: int, completed: bool) -> None:
        raise RuntimeError("ended")


class IgnoresCancel(MockOrchestrator):
    """Goes on sleeping when it is told to stop, and told again; not for ever, so that the tests after it are spared."""

    def __init__(self) -> None:
        super().__init__("beep")

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        yield tone(0.5, RATE_HZ, 440)
        ignored = 0
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                ignored += 1
                if ignored > 2:
                    raise


class AllAsync:
    """Every method is a coroutine, and `get_audio_reply` returns its iterator instead of being one."""

    last: ClassVar[AllAsync]
    on_tts_first_chunk: Any = None
    on_llm_request_done: Any = None

    def __init__(self) -> None:
        self.calls: list[str] = []
        AllAsync.last = self

    async def on_speech_started(self, trace_id: str, ts_monotonic: float) -> None:
        await asyncio.sleep(0.001)
        self.calls.append("on_speech_started")

    async def on_speech_ended(self, trace_id: str, utterance_pcm8k: bytes, t_first: float, t_last: float) -> None:
        await asyncio.sleep(0.001)
        self.calls.append("on_speech_ended")

    async def on_barge_in_detected(self, trace_id: str) -> None:
        self.calls.append("on_barge_in_detected")

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        self.calls.append("get_audio_reply")
        return self.chunks()

    async def chunks(self) -> AsyncIterator[bytes]:
        yield tone(1, RATE_HZ, 440)

    async def stop_playback(self, trace_id: str) -> None:
        self.calls.append("stop_playback")

    def play_filler(self, trace_id: str, key: str) -> None:
        pass


class Connects(_Every):
    """Opens a connection, as a real one would."""

    async def go_wrong(self) -> AsyncIterator[Any]:
        _, writer = await asyncio.open_connection("127.0.0.1", 9)
        writer.close()
        yield b""


class NothingForever(_Every):
    """Yields empty chunks without end, and never lets anybody else have a turn."""

    async def go_wrong(self) -> AsyncIterator[Any]:
        while True:
            yield b""
            yield memoryview(b"")


class Threaded(MockOrchestrator):
    """Does its work in a thread of its own, and reports from there."""

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        reports = (self.on_llm_request_done, self.on_tts_first_chunk)

        def work() -> None:
            for report in reports:
                assert report
                report(trace_id, 0.0)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        await asyncio.sleep(0.01)
        yield tone(0.3, RATE_HZ, 440)


class Insists(MockOrchestrator):
    """Its first reply must be heard to the end; so it says, the way a coroutine does. The second need not."""

    def __init__(self) -> None:
        super().__init__("tone:2", think_ms=50)

    async def is_interruptible(self, trace_id: str) -> bool:
        return not trace_id.endswith("-0000")


class Resolves(MockOrchestrator):
    """Asks the system something in a thread, as real ones do all the time."""

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        await asyncio.to_thread(len, trace_id)
        yield tone(0.1, RATE_HZ, 440)


class RunsProcess(MockOrchestrator):
    """Passes the utterance to a program, and says what comes out of it."""

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)
        yield (await process.communicate(user_pcm8k))[0]


class Knows(MockOrchestrator):
    """Knows sounds by key, each of them given in its own way, and thinks for a second before it answers."""

    last: ClassVar[Knows]

    def __init__(self) -> None:
        super().__init__("tone:1", think_ms=1000)
        self.asked: list[tuple[str, str]] = []
        self.heard: list[tuple[str, int, bool]] = []
        self.closed = 0  # sounds that were given to their end, or taken back
        Knows.last = self

    def play_filler(self, trace_id: str, key: str) -> Any:
        self.asked.append((trace_id, key))
        if key == "raises":
            raise RuntimeError("no such sound")
        if key == "nothing":
            return None
        if key == "text":
            return self._text()
        return self._later(key) if key.startswith("later ") else self._sound(key)

    def on_playback_ended(self, trace_id: str, heard_ms: int, completed: bool) -> None:
        super().on_playback_ended(trace_id, heard_ms, completed)
        self.heard.append((trace_id, heard_ms, completed))

    async def _later(self, key: str) -> AsyncIterator[bytes]:
        await asyncio.sleep(0.01)
        return self._sound(key.removeprefix("later "))

    async def _sound(self, key: str) -> AsyncIterator[bytes]:
        try:
            if key == "hangs":
                await asyncio.Event().wait()
            while key == "empty":
                yield b""
            for _ in range(1 << 20 if key == "endless" else 25):
                yield tone(0.02, RATE_HZ, 300)
        finally:
            self.closed += 1

    async def _text(self) -> AsyncIterator[Any]:
        yield "hm"


class KnowsAndInsists(Knows):
    """Its answers must be heard to their end."""

    def is_interruptible(self, trace_id: str) -> bool:
        return False


class InsistsLate(MockOrchestrator):
    """Thinks for 1.3 s; its answers must be heard to their end."""

    def __init__(self) -> None:
        super().__init__("tone:1", think_ms=1300)

    def is_interruptible(self, trace_id: str) -> bool:
        return False


class PausesThenFloods(_Every):
    """Gives 20 ms, nothing for three seconds, and then ten seconds at once."""

    async def go_wrong(self) -> AsyncIterator[Any]:
        yield tone(0.02, RATE_HZ, 440)
        await asyncio.sleep(3)
        yield tone(10, RATE_HZ, 440)


class StopsSlowly(MockOrchestrator):
    """Says a tone of eight seconds, and keeps the (virtual) loop for 250 ms when it is to stop."""

    MS = 250

    def __init__(self) -> None:
        super().__init__("tone:8")

    def stop_playback(self, trace_id: str) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.now_us += self.MS * 1000


class Slow(MockOrchestrator):
    """Half as fast as speech."""

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        for _ in range(15):
            await asyncio.sleep(0.1)
            yield tone(0.05, RATE_HZ, 440)


class Polls(MockOrchestrator):
    """Polls the clock without ever waiting."""

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + 0.2
        while loop.time() < until_s:  # noqa: ASYNC110 - this is what it does wrong
            await asyncio.sleep(0)
        yield tone(0.3, RATE_HZ, 440)


class FedByThread(MockOrchestrator):
    """A thread gives the audio, some real time after it was asked."""

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        given: asyncio.Queue[bytes] = asyncio.Queue()

        def work() -> None:
            time.sleep(0.05)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(given.put_nowait, tone(0.3, RATE_HZ, 440))

        threading.Thread(target=work, name="speech-thread").start()
        yield await given.get()


class FedByDeafThread(MockOrchestrator):
    """A thread gives the audio into a queue that the reply looks into."""

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        given: queue.Queue[bytes] = queue.Queue()

        def work() -> None:
            time.sleep(1)
            given.put(tone(0.3, RATE_HZ, 440))

        threading.Thread(target=work, name="speech-thread").start()
        while given.empty():  # noqa: ASYNC110 - a thread sets no Event of asyncio
            await asyncio.sleep(0.02)
        yield given.get()


class ExitsInOneRoom(MockOrchestrator):
    """Ends the program, as it believes, in a room whose name ends with `bad`; answers in all others."""

    def __init__(self) -> None:
        super().__init__("tone:0.5", think_ms=20)
        self._bad = False

    def on_call_started(self, call: Call) -> None:
        self._bad = call.room.endswith("bad")

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        if self._bad:
            raise SystemExit(3)
        async for chunk in super().get_audio_reply(trace_id, user_pcm8k):
            yield chunk
