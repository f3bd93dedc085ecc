"""The callers of `bench.rooms`, in a process of their own: `python -m bench.rooms_callers URL`.

Each line on standard input is a list of rooms, as JSON: from then on there is a caller in each of them and nowhere
else. The line is answered by a line once all are there. A caller says CYCLE again and again: a sentence, and while the
bot answers it, another one. Its client announces no echo cancellation.

The line `said` is answered by the sentences that were said since it came last, as JSON: room, begin and end of each, in
monotonic seconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time

from livekit import rtc

from tests.speech import chatter, silence
from webapi.voice_node.config import load_settings
from webapi.voice_node.room.tokens import mint

CYCLE = chatter(1.4) + silence(2.0) + chatter(1.0) + silence(3.6)
RATE_HZ, PIECE_MS = 48_000, 20
PIECE_BYTES = RATE_HZ * PIECE_MS // 1000 * 2
PIECES = len(CYCLE) // PIECE_BYTES
SENTENCES = ((0, 70), (170, 220))  # first piece, and the one behind the last
SHIFT = 37  # pieces by which a caller is ahead of the one before, so that they don't talk in unison
QUIET = 50  # pieces: until the bot hears the caller


class Speech:
    """What a caller says, a piece at a time: CYCLE again and again, in whole sentences.

    A sentence that the bot would hear from its middle is left out. Silero is in doubt about such a piece of `chatter`,
    and it remembers that: of 230 sentences that followed, 10 were missed. (Of 600 of recorded voices, none.)
    """

    def __init__(self, number: int) -> None:
        self._at = number * SHIFT % PIECES
        self._passed = 0  # pieces
        self._began_s: float | None = None  # of the sentence that is said
        self.said: list[tuple[float, float]] = []  # begin and end of each sentence that is over

    def piece(self, now_s: float) -> bytes:
        """The next piece, which is said at `now_s`."""
        at = self._at
        self._at, self._passed = (at + 1) % PIECES, self._passed + 1
        for first, end in SENTENCES:
            if at == first and self._passed > QUIET:
                self._began_s = now_s
            if at == end and self._began_s is not None:
                self.said.append((self._began_s, now_s))
                self._began_s = None
        return bytes(PIECE_BYTES) if self._began_s is None else CYCLE[at * PIECE_BYTES : (at + 1) * PIECE_BYTES]


class TalkingCaller:
    """A participant who talks as soon as there is a bot."""

    def __init__(self, number: int) -> None:
        self._speech = Speech(number)
        self._bot = asyncio.Event()  # its track is there
        self._room = rtc.Room()
        self._room.on("track_subscribed", lambda *_: self._bot.set())
        self._source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=100)
        self._talking: asyncio.Task[None] | None = None

    async def join(self, url: str, token: str) -> None:
        """Join and begin to talk."""
        await self._room.connect(url, token)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self._room.local_participant.publish_track(track, options)
        self._talking = asyncio.create_task(self._talk())

    async def leave(self) -> None:
        """Leave the room."""
        if self._talking:
            self._talking.cancel()
        await self._room.disconnect()
        await self._source.aclose()

    def said(self) -> list[tuple[float, float]]:
        """Begin and end of each sentence since this was asked last."""
        said, self._speech.said = self._speech.said, []
        return said

    async def _talk(self) -> None:
        due_s = time.monotonic()
        while True:
            piece = self._speech.piece(time.monotonic()) if self._bot.is_set() else bytes(PIECE_BYTES)
            await self._source.capture_frame(rtc.AudioFrame(piece, RATE_HZ, 1, len(piece) // 2))
            due_s = max(due_s + PIECE_MS / 1000, time.monotonic() - 0.1)
            await asyncio.sleep(due_s - time.monotonic())


async def main(url: str) -> None:
    """Be where the last line says, until standard input ends."""
    loop = asyncio.get_running_loop()
    settings = load_settings(None, livekit_url=url)
    there: dict[str, TalkingCaller] = {}
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "said":
            print(json.dumps([(room, *each) for room, caller in there.items() for each in caller.said()]), flush=True)
            continue
        wanted: list[str] = json.loads(line)
        gone = [there.pop(room) for room in list(there) if room not in wanted]
        await asyncio.gather(*(caller.leave() for caller in gone))
        new = {room: TalkingCaller(number) for number, room in enumerate(wanted) if room not in there}
        await asyncio.gather(
            *(caller.join(url, mint(settings, "caller", room)) for room, caller in new.items()),
        )
        there |= new
        print(json.dumps(len(there)), flush=True)
    await asyncio.gather(*(caller.leave() for caller in there.values()))


if __name__ == "__main__":
    logging.getLogger("livekit").setLevel(logging.CRITICAL)  # it tells of each room that is left
    asyncio.run(main(sys.argv[1]))
