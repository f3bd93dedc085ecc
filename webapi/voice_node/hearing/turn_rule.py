"""The counts that the turn reducer goes by."""

from __future__ import annotations

from typing import NamedTuple


class DuckRule(NamedTuple):
    """With `duck`: see duck.py. All counts are frames."""

    frames: int  # voiced in a row over a reply: it becomes soft
    hold_frames: int  # without a voice: it is loud again
    longest_frames: int  # soft without an utterance
    likely_frames: int  # of a probable voice that begin an utterance
    goes_on_frames: int  # after which a voice that is as loud as at its loudest is a turn
    turn_frames: int  # voice of an utterance that is a turn, however loud
    language: str = ""  # of backchannels: see backchannels.py


class TurnRule(NamedTuple):
    """All counts are frames; `operators/turn_events.py` makes them from the arguments of a graph."""

    start_frames: int  # N: voiced in a row that start an utterance
    end_frames: int  # M: unvoiced in a row that end it
    preroll_frames: int  # before the start, that the utterance also carries
    max_frames: int  # longest utterance, so that endless noise can't fill the memory
    steady_frames: int = 750  # voiced in a row that no talker reaches, where no probability is known
    barge_in: bool = True  # False: while a reply plays, the caller is not heard
    min_interruption_frames: int = 0  # over a reply: less voice is a short interruption, and the reply goes on after it
    duck: DuckRule | None = None  # over a reply: it becomes soft, and a voice that is no turn does not interrupt it
    answered: bool = True  # False: the graph has no reply, so no pause can supersede one
    greeting: str = ""  # the prompt that a session begins with
    idle_prompt: str = ""  # the prompt after `idle_frames` in which nobody spoke and no reply was made or played
    idle_frames: int = 0
    patience_frames: int = 0  # the longest hold for a caller who pauses often; 0: the hold is always end_frames
    hold_frames: int = 0  # unvoiced in a row that end it where no probability of the end is known; 0: end_frames
    longest_hold_frames: int = 0  # the same where the caller is surely not done; 0: no probability is used
    done_at: float = 0.7  # from this probability on, end_frames are enough
    open_at: float = 0.3  # up to this one, longest_hold_frames are waited

    @property
    def kept_frames(self) -> int:
        """Frames before a start that an utterance may still ask for."""
        preroll, start = self.preroll_frames, self.start_frames
        return preroll if preroll > start else start  # for each frame: `max` takes longer
