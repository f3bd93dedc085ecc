"""When each frame of a stream arrived, where the program reads it late because it stood still."""

from __future__ import annotations

from collections import deque

PACED = 20  # frames: that many read at the stream's own pace show that no backlog is left
LATE_US = 10_000  # a read that is later than this was late
PACED_US = 5_000  # how far apart the delays of frames may be that were read at the stream's pace


class ArrivalClock:
    """Recovers the arrival of a stream's frames from its own clock: each is due `frame_us` after the one before.

        due    |  1  2  3  4  5  6  7  8  9
        read   |  1  2  3           456789      the program stood still, then read what had waited
        given  |  1  2  3  4  5  6  7  8  9

    LiveKit's native side plays a track out every 10 ms of the machine's clock and makes up for every stall: it was
    within 1 ms of that grid after stalls of 0.1 to 2.5 s. So the least delayed frame shows where the grid lies. The
    grid moves up (the stream paused, or its clock is slower) only where 20 frames on end were read at its pace.
    """

    def __init__(self, frame_us: int) -> None:
        self._frame_us = frame_us
        self._grid_us: int | None = None  # when frame 0 was due
        self._delays: deque[int] = deque(maxlen=PACED)  # of the last frames read: the read, less number * frame_us
        self._waited_us = 0  # of the last frame that was read in time
        self._last_us = 0

    def arrived(self, number: int, read_us: int, waited_us: int = 0) -> int:
        """The arrival of frame `number`, in µs of the clock that shows `read_us` now: never later, never going back.

        Numbers count the frames of the stream, also those that were dropped before they were read. What is read less
        than LATE_US after it was due arrived when it was read; and earlier by `waited_us`, how much longer
        than in peace it has waited in the jitter buffer. What was due while the process stood still did not wait in it
        until the buffer ran dry, which is so long before the process ran again as what came then has waited.
        """
        delay_us = read_us - number * self._frame_us
        self._delays.append(delay_us)
        paced = len(self._delays) == PACED and max(self._delays) - min(self._delays) <= PACED_US
        if self._grid_us is None or delay_us < self._grid_us:
            self._grid_us = delay_us
        elif paced:
            self._grid_us = min(self._delays)
        late_us = delay_us - self._grid_us
        if late_us < LATE_US:
            late_us, self._waited_us = 0, waited_us
        earlier_us = max(late_us + min(self._waited_us, waited_us), waited_us)
        self._last_us = max(self._last_us, read_us - earlier_us)
        return self._last_us
