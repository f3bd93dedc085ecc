"""Labelled pauses: where a speaker is silent for 100 ms or more, and whether they go on.

    A  aaaaaa--aaa------aaaaa            a: A speaks
    B                 bb        bbbbb
             ^hold   ^unclear ^end       B's "mm-hm" does not say whether A was done

The same speaker goes on: a hold. Another one takes over: an end. What is between a pause and a remark of less than
REMARK_S, after which the first speaker goes on, is neither, and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from webapi.voice_node.end_of_turn import Said

SHORTEST_S = 0.1  # a pause; shorter silences belong to the word
LONGEST_S = 5.0  # a longer silence after which the same speaker goes on is no hold: nobody would wait so long
ALONE_S = 0.5  # before a pause, in which nobody else may speak: a caller has a channel of their own
REMARK_S = 1.0
ASKED_S = 0.2  # of the pause, after which a backend is asked
BEFORE_S = 0.2  # of audio before the first word of a turn
LONGEST_SAID_S = 8.0  # the most that the node gives to a backend


class Segment(NamedTuple):
    """Somebody speaks."""

    speaker: str
    start_s: float
    end_s: float
    words: str = ""


class Recording(NamedTuple):
    """Audio (int16 mono at `rate`) and who speaks when."""

    name: str
    source: str
    caller: str  # recordings with the same caller follow each other in one call
    held: bool  # held back: nothing was tuned on it
    pcm: bytes
    rate: int
    segments: tuple[Segment, ...]
    expects: str = ""  # "digits": what the bot has asked for
    closed: bool = False  # after the last segment the turn is over; else nobody knows

    @property
    def length_s(self) -> float:
        """Seconds."""
        return len(self.pcm) / 2 / self.rate


class Pause(NamedTuple):
    """A silence of SHORTEST_S or more after a segment."""

    of: Recording
    turn: int  # its number in the recording
    from_s: float  # when the turn began, or, if that is later, when somebody else was last heard
    begins_s: float
    silence_s: float  # until somebody speaks
    ends: bool  # another speaker takes over, or the recording says that the turn is over
    words: str  # of the turn up to here

    def said(self) -> Said:
        """What a backend is asked about: the turn so far, and ASKED_S of the pause, LONGEST_SAID_S at most.

        A shorter pause is continued with its own sound, because the next word is not known yet.
        """
        rate = self.of.rate
        samples = np.frombuffer(self.of.pcm, "<i2")
        at, first = round(self.begins_s * rate), max(0, round((self.from_s - BEFORE_S) * rate))
        room = max(1, round(min(self.silence_s, ASKED_S) * rate))
        quiet = np.resize(samples[at : at + room], round(ASKED_S * rate)) if at < len(samples) else np.zeros(0, "<i2")
        heard = np.concatenate([samples[first:at], quiet])[-round(LONGEST_SAID_S * rate) :]
        return Said(heard.tobytes(), rate, self.words, self.of.expects)


def merged(segments: Sequence[Segment]) -> list[Segment]:
    """The segments in order; those of a speaker that are less than SHORTEST_S apart are one."""
    out: list[Segment] = []
    for _, of_one in groupby(sorted(segments), key=lambda s: s.speaker):
        joined: list[Segment] = []
        for segment in of_one:
            if joined and segment.start_s - joined[-1].end_s < SHORTEST_S:
                last = joined.pop()
                words = f"{last.words} {segment.words}".strip()
                segment = Segment(last.speaker, last.start_s, max(last.end_s, segment.end_s), words)
            joined.append(segment)
        out += joined
    return sorted(out, key=lambda s: (s.start_s, s.end_s, s.speaker))


def pauses(of: Recording) -> list[Pause]:
    """The pauses of a recording, in order."""
    segments = merged(of.segments)
    found: list[Pause] = []
    turn, words, began_s = -1, "", 0.0
    for number, segment in enumerate(segments):
        if number == 0 or segments[number - 1].speaker != segment.speaker:
            turn, words, began_s = turn + 1, "", segment.start_s
        words = f"{words} {segment.words}".strip()
        after = segments[number + 1 :]
        silence_s = (after[0].start_s if after else of.length_s) - segment.end_s
        others = [s for s in segments[:number] if s.speaker != segment.speaker]
        heard_s = max((s.end_s for s in others), default=0.0)
        alone = heard_s <= max(began_s, segment.end_s - ALONE_S)
        kind = _kind(segment, after, silence_s, closed=of.closed)
        if silence_s >= SHORTEST_S and alone and kind:
            from_s = max(began_s, heard_s)
            found.append(Pause(of, turn, from_s, segment.end_s, silence_s, kind == "end", words))
    return found


def _kind(segment: Segment, after: Sequence[Segment], silence_s: float, *, closed: bool) -> str:
    """ "hold", "end", or "" where the labels do not say which."""
    if not after:
        return "end" if closed else ""
    following = after[0]
    if following.speaker == segment.speaker:
        return "hold" if silence_s <= LONGEST_S else ""
    remark = following.end_s - following.start_s < REMARK_S
    goes_on = len(after) > 1 and after[1].speaker == segment.speaker
    return "" if remark and goes_on else "end"
