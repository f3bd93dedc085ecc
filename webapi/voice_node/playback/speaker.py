"""Sends reply audio to a sink, flushes it at a cut or a halt, and reports what was played."""

from __future__ import annotations

from reactivex import Subject, abc

from webapi.voice_node.context import Context
from webapi.voice_node.events import (
    US_PER_MS,
    US_PER_S,
    DuckReply,
    FillerAudio,
    FillerStarted,
    FramesDropped,
    HaltReply,
    Playback,
    PlaybackDucked,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackRestored,
    PlaybackResumed,
    PlaybackStarted,
    Played,
    Reply,
    ReplyAudio,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    RestoreReply,
    ResumeReply,
    Turn,
    Uninterruptible,
    length_us,
)
from webapi.voice_node.inputs import PlayedOut, SpeakerActed
from webapi.voice_node.playback.fades import FADE_MS, fade_in
from webapi.voice_node.playback.playing_reply import PlayingReply
from webapi.voice_node.playback.playout import Playout
from webapi.voice_node.playback.sink import Sink
from webapi.voice_node.playback.volume import DOWN_MS, DUCKED, FULL, UP_MS, samples_in
from webapi.voice_node.playback.volume_sink import VolumeSink


class Speaker:
    """Takes Reply values and gives Playback events. It alone knows whether the bot is playing.

    `playback` gets the events; `played`, if there is one, each piece of audio that the sink gets, and its pauses and
    ends. A reply that halts is called back from the sink and kept here. It resumes with the very next sample, as the
    fade after the halt counts as not played. A filler that halts is dropped: the reply alone comes after the halt.
    """

    def __init__(
        self, sink: Sink, playback: Subject[Playback], context: Context, played: abc.ObserverBase[Played] | None = None
    ) -> None:
        self._sink = VolumeSink(sink)
        self._playback = playback
        self._played = played
        self._clock = context.clock
        self._loop = context.loop
        self._note = context.note
        self._script = context.script  # a recorded call says when a reply was played out, and when it was cut
        self._reply: PlayingReply | None = None  # the audio of no other is let through
        self._playout = Playout()
        self._dropped = 0  # pieces that came for a reply that was over, and are not told yet
        self._dropped_of: Turn | None = None

    @property
    def busy(self) -> bool:
        """Whether a reply may be heard, or still be heard."""
        return self._reply is not None

    @property
    def playing(self) -> bool:
        """Whether audio of a reply, or of a filler before it, was pushed, and the reply is not over."""
        return self._reply is not None and self._reply.sounds

    def on_next(self, value: Reply) -> None:
        """A value of the speaker port. Audio plays from its stamp on; a cut or a halt has the time of the flush."""
        if isinstance(value, ReplyAudio):
            self._on_audio(value)
        elif isinstance(value, ReplyStarted):
            self._begin(value)
        elif isinstance(value, ReplyCut):
            self._cut(value.turn, value.t_us)
        elif reply := self._reply_of(value.turn):
            if isinstance(value, Uninterruptible):
                reply.interruptible = False
            elif isinstance(value, ReplyEnded):
                reply.outcome = value.outcome
                self._finish_when_played(value.turn, value.t_us)
            elif isinstance(value, HaltReply):
                self._halt(reply, value.t_us)
            elif isinstance(value, ResumeReply):
                self._resume(reply, value.t_us)
            elif isinstance(value, DuckReply):
                self._duck(reply, value)
            elif isinstance(value, RestoreReply):
                self._restore(reply, value.t_us)

    def played_out(self, t_us: int) -> None:
        """Of a recorded call: the last sample of a reply that is over was played at `t_us`.

        Where this replay differs from the call, the reply may have begun later, or be halted: then it plays on.
        """
        if self._reply and (self._reply.held is not None or self._playout.left_us(t_us)):
            self._reply.overdue = True
            self._finish_when_played(self._reply.turn, t_us)
        else:
            self._end(t_us, completed=self._reply is not None and self._reply.outcome == "completed")

    def close(self) -> None:
        """Cut whatever is still playing."""
        if self._reply is not None:
            self._cut(self._reply.turn, self._clock())
        self._tell_dropped(self._clock())

    def _reply_of(self, turn: Turn) -> PlayingReply | None:
        return self._reply if self._reply is not None and self._reply.turn == turn else None

    def _begin(self, started: ReplyStarted) -> None:
        if self._reply is not None:
            self._cut(self._reply.turn, started.t_us)
        self._tell_dropped(started.t_us)
        self._reply = PlayingReply(started.turn)
        self._playout.begin()
        self._sink.begin()

    def _tell_dropped(self, t_us: int) -> None:
        turn, self._dropped_of = self._dropped_of, None
        if turn is not None:
            dropped, self._dropped = self._dropped, 0
            self._playback.on_next(FramesDropped(t_us, turn, dropped, "their reply was already over"))

    def _on_audio(self, audio: ReplyAudio) -> None:
        reply = self._reply_of(audio.turn)
        if reply is None or reply.outcome is not None:
            self._dropped += 1
            self._dropped_of = audio.turn
        elif reply.held is None:
            self._push(reply, audio)
        elif not isinstance(audio, FillerAudio):
            reply.held += audio.pcm

    def _push(self, reply: PlayingReply, audio: ReplyAudio) -> None:
        self._sink.push(audio.pcm)
        self._playout.push(audio)
        if self._played:
            self._played.on_next(audio)
        if isinstance(audio, FillerAudio):
            began, reply.filler_started, reply.rate = reply.sounds, True, audio.rate
            reply.filler_us += length_us(audio.pcm, audio.rate)
            if not began:
                self._playback.on_next(FillerStarted(audio.t_us, audio.turn))
        elif not reply.started:
            reply.started, reply.rate = True, audio.rate
            reply.begins = self._sink.end - samples_in(audio.pcm)
            self._playback.on_next(PlaybackStarted(audio.t_us, audio.turn, reply.interruptible))

    def _cut(self, turn: Turn, t_us: int) -> None:
        """Clear the sink and tell what was heard."""
        reply = self._reply_of(turn)
        if reply is None:  # cut before it began
            self._playback.on_next(PlaybackEnded(self._acted_us(t_us), turn, 0, completed=False))
            return
        flushes = reply.sounds and reply.held is None
        self._end(self._flush(reply, t_us) if flushes else self._acted_us(t_us), completed=False)

    def _flush(self, reply: PlayingReply, cause_us: int) -> int:
        """Clear the sink. What was not played of the reply is held; what was not played of a filler is dropped.

        Returns when the sink was cleared.
        """
        self._sink.clear()
        cleared_us = self._acted_us(cause_us)
        back = self._playout.take_back(cleared_us, FADE_MS * US_PER_MS)
        if reply.started:
            reply.held = bytearray(back)
        else:
            reply.held = bytearray()
            us = length_us(back, reply.rate)
            reply.filler_us -= us
            reply.filler_flushed_us += us
        return cleared_us

    def _acted_us(self, cause_us: int) -> int:
        """Now, when something is done. Its cause has the stamp `cause_us`, which is earlier where the node stood still.

        In the replay of a recorded call: when it was done in the call.
        """
        if self._script and (acted_us := self._script.acted_us(cause_us)) is not None:
            return acted_us
        now_us = self._clock()
        if self._note and now_us != cause_us:
            self._note(SpeakerActed(now_us, cause_us))
        return now_us

    def _halt(self, reply: PlayingReply, t_us: int) -> None:
        """Fall silent for now: what comes of the reply waits for its resume, also where nothing of it was heard yet."""
        if not reply.sounds or reply.held is not None:
            return
        paused = PlaybackPaused(self._flush(reply, t_us), reply.turn, self._heard_ms(reply))
        if self._played:
            self._played.on_next(paused)
        self._playback.on_next(paused)

    def _resume(self, reply: PlayingReply, t_us: int) -> None:
        """Go on with the next sample."""
        held, reply.held = reply.held, None
        if held is None:
            return
        now_us = self._acted_us(t_us)
        self._playback.on_next(PlaybackResumed(now_us, reply.turn))
        if held:
            self._push(reply, ReplyAudio(now_us, reply.turn, fade_in(bytes(held)), reply.rate))
        if reply.outcome is not None:
            self._finish_when_played(reply.turn, now_us)

    def _duck(self, reply: PlayingReply, cause: DuckReply) -> None:
        """Fall in volume, and play on."""
        if not reply.sounds or reply.ducked or reply.held is not None:
            return
        reply.ducked = True
        self._sink.turn(DUCKED, DOWN_MS)
        now_us = self._acted_us(cause.t_us)
        self._tell_volume(PlaybackDucked(now_us, reply.turn, *self._heard(reply, now_us), cause.t_first_voiced_us))

    def _restore(self, reply: PlayingReply, t_us: int) -> None:
        """Be as loud again as before."""
        if not reply.ducked or reply.held is not None:
            return
        reply.ducked = False
        self._sink.turn(FULL, UP_MS)
        now_us = self._acted_us(t_us)
        self._tell_volume(PlaybackRestored(now_us, reply.turn, *self._heard(reply, now_us)))

    def _tell_volume(self, event: PlaybackDucked | PlaybackRestored) -> None:
        if self._played:
            self._played.on_next(event)
        self._playback.on_next(event)

    def _heard(self, reply: PlayingReply, t_us: int) -> tuple[int, int]:
        """How much of a reply that plays was heard by `t_us`: in ms, and in samples."""
        heard_us = self._playout.pushed_us - self._playout.left_us(t_us) - reply.filler_us
        heard = self._sink.end - self._playout.unplayed(t_us) - reply.begins if reply.started else 0
        return max(0, heard_us) // US_PER_MS, max(0, heard)

    def _finish_when_played(self, turn: Turn, t_us: int) -> None:
        """End the reply when its last sample is played; `t_us` is now. Looks again where a timer came early."""
        reply = self._reply_of(turn)
        if reply is None or reply.held is not None or (self._script and not reply.overdue):
            return
        left_us = self._playout.left_us(t_us)
        if left_us > 0:
            self._loop.call_later(left_us / US_PER_S, lambda: self._finish_when_played(turn, self._clock()))
        else:
            if self._note:
                self._note(PlayedOut(t_us, turn))
            self.played_out(t_us)

    def _end(self, t_us: int, *, completed: bool) -> None:
        """Tell what was heard. `completed`: all that the orchestrator gave, and it meant to give no more."""
        reply, self._reply = self._reply, None
        if reply is None:
            return
        flushed = self._playout.take_back(t_us, 0) if reply.held is None else reply.held
        flushed_ms = (length_us(flushed, reply.rate) + reply.filler_flushed_us) // US_PER_MS
        ended = PlaybackEnded(t_us, reply.turn, self._heard_ms(reply), completed, flushed_ms)
        if self._played:
            self._played.on_next(ended)
        self._playback.on_next(ended)

    def _heard_ms(self, reply: PlayingReply) -> int:
        """How much of the reply was pushed and not taken back. It is behind the filler, so it is taken back first."""
        return max(0, self._playout.pushed_us - reply.filler_us) // US_PER_MS
