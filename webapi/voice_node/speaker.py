"""The mouth of the graph: pushes reply audio to a sink, and knows what of it was really played."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from reactivex import Subject, abc

from webapi.voice_node.context import Context
from webapi.voice_node.events import (
    BYTES_PER_SAMPLE,
    US_PER_MS,
    US_PER_S,
    FramesDropped,
    Playback,
    PlaybackEnded,
    PlaybackStarted,
    Played,
    Reply,
    ReplyAudio,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    Turn,
    Uninterruptible,
)
from webapi.voice_node.tape import PlayedOut

RATE_HZ = 48_000  # LiveKit's
FADE_MS = 10


class Sink(Protocol):
    """Where a reply's audio leaves: a LiveKit track, a file."""

    def push(self, pcm: bytes) -> None:
        """Queue at most 20 ms of 48 kHz PCM. Must not block."""

    def clear(self) -> None:
        """Everything pushed and not yet played goes, at once; what would have come next fades out: see `fade_out`.

        The fade is the sink's, as only it knows to the sample what comes next. One that begins elsewhere clicks.
        """


class Speaker:
    """Takes Reply values, gives Playback events. The only place that knows whether the bot is playing.

    What was played is counted here and not asked of the sink: audio pushed is played in real time from the moment that
    it finds the queue empty. (livekit's own `queued_duration` has been wrong after a clear: livekit/node-sdks#541.)
    """

    def __init__(
        self, sink: Sink, playback: Subject[Playback], context: Context, played: abc.ObserverBase[Played] | None = None
    ) -> None:
        self._sink = sink
        self._playback = playback
        self._played = played  # None: nobody in the graph wants to know what it sounds like
        self._clock = context.clock
        self._loop = context.loop
        self._note = context.note
        self._script = context.script
        self._turn: Turn | None = None  # whose reply is let through
        self._started = False
        self._interruptible = True
        self._outcome: str | None = None  # of the orchestrator's stream, once it is over
        self._pushed_us = 0  # how much audio of this reply was pushed
        self._end_us = 0  # when the last of it will have been played
        self._dropped = 0  # and not told yet
        self._dropped_of: Turn | None = None

    @property
    def busy(self) -> bool:
        """A reply is let through: it may be heard, or still be heard."""
        return self._turn is not None

    def on_next(self, value: Reply) -> None:
        """A value of the speaker port. What follows from it happens at its time."""
        if isinstance(value, ReplyAudio):
            if value.turn == self._turn and self._outcome is None:
                self._push(value)
            else:
                self._dropped += 1
                self._dropped_of = value.turn
        elif isinstance(value, ReplyStarted):
            self._begin(value)
        elif isinstance(value, Uninterruptible):
            self._interruptible = self._interruptible and value.turn != self._turn
        elif isinstance(value, ReplyEnded):
            if value.turn == self._turn:
                self._outcome = value.outcome
                self._finish_when_played(value.turn, value.t_us)
        elif isinstance(value, ReplyCut):
            self._cut(value.turn, value.t_us)

    @property
    def playing(self) -> bool:
        """A reply is heard."""
        return self._turn is not None and self._started

    def close(self) -> None:
        """Silence, for whatever is still played."""
        if self._turn is not None:
            self._cut(self._turn, self._clock())
        self._tell_dropped(self._clock())

    def _begin(self, started: ReplyStarted) -> None:
        if self._turn is not None:
            self._cut(self._turn, started.t_us)
        self._tell_dropped(started.t_us)
        self._turn, self._started, self._outcome = started.turn, False, None
        self._pushed_us = 0
        self._interruptible = True

    def _tell_dropped(self, t_us: int) -> None:
        turn, self._dropped_of = self._dropped_of, None
        if turn is not None:
            dropped, self._dropped = self._dropped, 0
            self._playback.on_next(FramesDropped(t_us, turn, dropped, "their reply was already over"))

    def _push(self, audio: ReplyAudio) -> None:
        self._sink.push(audio.pcm)
        us = len(audio.pcm) // BYTES_PER_SAMPLE * US_PER_S // audio.rate
        self._end_us = max(self._end_us, audio.t_us) + us
        self._pushed_us += us
        if self._played:
            self._played.on_next(audio)
        if not self._started:
            self._started = True
            self._playback.on_next(PlaybackStarted(audio.t_us, audio.turn, self._interruptible))

    def _cut(self, turn: Turn, t_us: int) -> None:
        """Clear the sink, tell what was heard."""
        if turn != self._turn:  # cut before it began
            self._playback.on_next(PlaybackEnded(t_us, turn, 0, completed=False))
            return
        if self._started:
            self._sink.clear()
        self._end(t_us, completed=False, fade_us=FADE_MS * US_PER_MS if self._started else 0)

    def _finish_when_played(self, turn: Turn, t_us: int) -> None:
        """End when the last sample is out; `t_us` is now. Looks again where a timer struck early."""
        if turn != self._turn:
            return
        left_us = self._end_us - t_us if self._started else 0
        if self._script:
            return  # the recording says when it was played out
        if left_us > 0:
            self._loop.call_later(left_us / US_PER_S, lambda: self._finish_when_played(turn, self._clock()))
        else:
            if self._note:
                self._note(PlayedOut(t_us, turn))
            self.played_out(t_us)

    def played_out(self, t_us: int) -> None:
        """The last sample of a reply that is over has been played."""
        self._end(t_us, completed=self._outcome == "completed")

    def _end(self, t_us: int, *, completed: bool, fade_us: int = 0) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        # No more than was pushed: the fade of the reply before may still stand in front of it.
        flushed_us = min(self._pushed_us, max(0, self._end_us - t_us))
        heard_us = self._pushed_us - flushed_us
        self._end_us = t_us + fade_us
        ended = PlaybackEnded(t_us, turn, heard_us // US_PER_MS, completed, flushed_us // US_PER_MS)
        if self._played:
            self._played.on_next(ended)
        self._playback.on_next(ended)


def fade_out(pcm: bytes) -> bytes:
    """The first 10 ms of it, falling to silence in a straight line: how a sink ends what it is told to clear."""
    samples = np.frombuffer(pcm, "<i2")[: FADE_MS * RATE_HZ // 1000].astype(np.float64)
    return (samples * np.linspace(1, 0, len(samples), endpoint=False)).astype("<i2").tobytes()
