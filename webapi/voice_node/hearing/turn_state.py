"""What the turn reducer (turns.py) goes by, what it remembers between two frames, and what it decides: values."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from webapi.voice_node.hearing.pause_estimator import PauseEstimate


class TurnRule(NamedTuple):
    """The counts that decide, in frames."""

    start_frames: int  # N: voiced in a row that start an utterance
    end_frames: int  # M: unvoiced in a row that end it
    preroll_frames: int  # before the start, that the utterance also carries
    max_frames: int  # longest utterance, so that endless noise can't fill the memory
    steady_frames: int = 750  # voiced in a row that no talker reaches, where no probability is known
    barge_in: bool = True  # False: while a reply plays, nothing that the caller says is heard
    cough_frames: int = 0  # over a reply: less voice than so many frames is a cough, and does not interrupt it
    answered: bool = True  # False: nobody replies, so no pause can supersede a reply
    greeting: str = ""  # the prompt that a session begins with
    idle_prompt: str = ""  # said where nobody has spoken for so long, and no reply was made or played:
    idle_frames: int = 0
    patience_frames: int = 0  # unvoiced in a row that end it at most, for who pauses often; 0: end_frames, always

    @property
    def kept_frames(self) -> int:
        """Before the next one, that an utterance may still ask for."""
        return max(self.preroll_frames, self.start_frames)


class Speech(NamedTuple):
    """An utterance as frame positions: `from_index` is the first frame that belongs to it."""

    turn: int
    from_index: int
    first_voiced_us: int
    last_voiced_us: int
    voiced_frames: int


class PendingReply(NamedTuple):
    """The reply that is on its way (`playing` false: nothing of it was heard yet) or being heard.

    One beside a Speech has halted: it is not decided yet whether that is a cough.
    """

    to: Speech
    playing: bool
    interruptible: bool = True
    prompt: bool = False  # to nothing that was said: `to` has no audio
    since: int | None = None  # the first frame of the silence that it answers; None: there was none


class Silence(NamedTuple):
    """What prompts go by."""

    greeted: bool = False
    since: int | None = None  # the first frame of it; None: somebody speaks, or it is not yet known
    prompted: bool = False  # once: the caller must speak before the next one


SPENT = -1  # until an unvoiced frame
SAME_BREATH = -2  # until as many unvoiced frames in a row as end an utterance


class TurnState(NamedTuple):
    """All that is remembered between two frames."""

    run: int = 0  # voiced frames in a row; SPENT, SAME_BREATH: a pause must come before the next start
    run_us: int = 0  # arrival of the first frame of that run
    run_index: int = 0  # its position
    quiet: int = 0  # unvoiced frames in a row
    flagged: int = 0  # of these, how many the detector still called voiced
    speech: Speech | None = None
    reply: PendingReply | None = None
    turns: int = 0  # turns so far
    heard_from: int = 0  # the first frame since the audio last stopped
    silence: Silence = Silence()
    pauses: PauseEstimate | None = None  # the caller's, where they count


class Started(NamedTuple):
    """The caller began to talk."""

    speech: Speech
    voiced_us: int  # arrival of the first voiced frame of this start


class Ended(NamedTuple):
    """The caller stopped."""

    speech: Speech
    to_index: int  # the last frame of the utterance
    reason: str  # "silence"; "noise": only that kept it open; "too_long"; COUGH; or why the audio stopped


class Interrupted(NamedTuple):
    """The reply to turn `turn` must go: talked over (`playing`), or not yet heard and superseded."""

    turn: int
    by: int
    voiced_us: int
    playing: bool


class Halted(NamedTuple):
    """The reply to turn `turn`, which plays, must fall silent, and may go on."""

    turn: int


class Resumed(NamedTuple):
    """The reply to turn `turn` goes on where it halted."""

    turn: int


class PromptDue(NamedTuple):
    """The bot says something of its own accord."""

    turn: int
    prompt: str


Decision: TypeAlias = Started | Ended | Interrupted | Halted | Resumed | PromptDue
