"""The mouth of the graph: pushes reply audio to a sink, and knows what of it was really played."""

from __future__ import annotations

from reactivex import Subject, abc

from webapi.voice_node.context import Context
from webapi.voice_node.events import (
    ROOM_RATE_HZ,
    US_PER_MS,
    US_PER_S,
    FillerAudio,
    FillerStarted,
    FramesDropped,
    HaltReply,
    Playback,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    Played,
    Reply,
    ReplyAudio,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    ResumeReply,
    Turn,
    Uninterruptible,
)
from webapi.voice_node.inputs import PlayedOut
from webapi.voice_node.playback.fades import FADE_MS, fade_in
from webapi.voice_node.playback.playout import Playout, length_us
from webapi.voice_node.playback.sink import Sink


class Speaker:
    """Takes Reply values, gives Playback events. The only place that knows whether the bot is playing.

    A reply that halts is called back from the sink and kept here; where it goes on, it does so with the very next
    sample, as the fade after the halt counts as unheard.
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
        self._playout = Playout()
        self._held: bytearray | None = None  # while it is halted: what is not played yet
        self._overdue = False  # the recording says that it was played out by now
        self._rate = ROOM_RATE_HZ  # of the reply's audio
        self._filler_us = 0  # how much of a filler was pushed before it
        self._dropped = 0  # and not told yet
        self._dropped_of: Turn | None = None

    @property
    def busy(self) -> bool:
        """A reply is let through: it may be heard, or still be heard."""
        return self._turn is not None

    def on_next(self, value: Reply) -> None:
        """A value of the speaker port. What follows from it happens at its time."""
        if isinstance(value, ReplyAudio):
            if value.turn != self._turn or self._outcome is not None:
                self._dropped += 1
                self._dropped_of = value.turn
            elif self._held is not None:
                self._held += value.pcm
            else:
                self._push(value)
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
        elif isinstance(value, HaltReply):
            self._halt(value.turn, value.t_us)
        elif isinstance(value, ResumeReply):
            self._resume(value.turn, value.t_us)

    @property
    def playing(self) -> bool:
        """A reply is heard, or a filler before it."""
        return self._turn is not None and self._sounds

    @property
    def _sounds(self) -> bool:
        return self._started or self._filler_us > 0

    @property
    def _heard_us(self) -> int:
        """How much of the reply was pushed and not taken back. It is behind the filler, so it goes first."""
        return max(0, self._playout.pushed_us - self._filler_us)

    def close(self) -> None:
        """Silence, for whatever is still played."""
        if self._turn is not None:
            self._cut(self._turn, self._clock())
        self._tell_dropped(self._clock())

    def _begin(self, started: ReplyStarted) -> None:
        if self._turn is not None:
            self._cut(self._turn, started.t_us)
        self._tell_dropped(started.t_us)
        self._turn, self._started, self._outcome, self._held = started.turn, False, None, None
        self._overdue = False
        self._playout.begin()
        self._filler_us = 0
        self._interruptible = True

    def _tell_dropped(self, t_us: int) -> None:
        turn, self._dropped_of = self._dropped_of, None
        if turn is not None:
            dropped, self._dropped = self._dropped, 0
            self._playback.on_next(FramesDropped(t_us, turn, dropped, "their reply was already over"))

    def _push(self, audio: ReplyAudio) -> None:
        self._sink.push(audio.pcm)
        self._playout.push(audio)
        if self._played:
            self._played.on_next(audio)
        if isinstance(audio, FillerAudio):
            began, self._rate = self._sounds, audio.rate
            self._filler_us += length_us(audio.pcm, audio.rate)
            if not began:
                self._playback.on_next(FillerStarted(audio.t_us, audio.turn))
            return
        if not self._started:
            self._started, self._rate = True, audio.rate
            self._playback.on_next(PlaybackStarted(audio.t_us, audio.turn, self._interruptible))

    def _cut(self, turn: Turn, t_us: int) -> None:
        """Clear the sink, tell what was heard."""
        if turn != self._turn:  # cut before it began
            self._playback.on_next(PlaybackEnded(t_us, turn, 0, completed=False))
            return
        if self._sounds and self._held is None:
            self._held = self._call_back(t_us)
        self._end(t_us, completed=False)

    def _call_back(self, t_us: int) -> bytearray:
        """Silence; what was to be played."""
        self._sink.clear()
        return bytearray(self._playout.take_back(t_us, FADE_MS * US_PER_MS))

    def _halt(self, turn: Turn, t_us: int) -> None:
        """Silence, for now. A filler does not halt: it is short."""
        if turn != self._turn or not self._started or self._held is not None:
            return
        self._held = self._call_back(t_us)
        paused = PlaybackPaused(t_us, turn, self._heard_us // US_PER_MS)
        if self._played:
            self._played.on_next(paused)
        self._playback.on_next(paused)

    def _resume(self, turn: Turn, t_us: int) -> None:
        """Go on with the next sample."""
        held, self._held = self._held, None
        if turn != self._turn or held is None:
            return
        self._playback.on_next(PlaybackResumed(t_us, turn))
        if held:
            self._push(ReplyAudio(t_us, turn, fade_in(bytes(held)), self._rate))
        if self._outcome is not None:
            self._finish_when_played(turn, t_us)

    def _finish_when_played(self, turn: Turn, t_us: int) -> None:
        """End when the last sample is out; `t_us` is now. Looks again where a timer struck early."""
        if turn != self._turn or self._held is not None or (self._script and not self._overdue):
            return  # of a recorded call, the recording says when it was played out
        left_us = self._playout.left_us(t_us)
        if left_us > 0:
            self._loop.call_later(left_us / US_PER_S, lambda: self._finish_when_played(turn, self._clock()))
        else:
            if self._note:
                self._note(PlayedOut(t_us, turn))
            self.played_out(t_us)

    def played_out(self, t_us: int) -> None:
        """The last sample of a reply that is over has been played.

        A recording says so; but where something is different, that may have halted since, or begun later.
        """
        if self._turn and (self._held is not None or self._playout.left_us(t_us)):
            self._overdue = True
            self._finish_when_played(self._turn, t_us)
        else:
            self._end(t_us, completed=self._outcome == "completed")

    def _end(self, t_us: int, *, completed: bool) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        held, self._held = self._held, None
        flushed_us = length_us(self._playout.take_back(t_us, 0) if held is None else held, self._rate)
        ended = PlaybackEnded(t_us, turn, self._heard_us // US_PER_MS, completed, flushed_us // US_PER_MS)
        if self._played:
            self._played.on_next(ended)
        self._playback.on_next(ended)
