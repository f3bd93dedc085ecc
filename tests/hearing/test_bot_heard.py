"""When the bot's own voice may be in the caller's audio, and which evidence counts then."""

from __future__ import annotations

import pytest

from tests.timelines import FRAME_US, RULE
from webapi.voice_node.events import (
    BargeIn,
    Event,
    FillerStarted,
    Frame,
    PlaybackEnded,
    PlaybackStarted,
    SpeechStarted,
    Turn,
    TurnEvent,
    Voiced,
)
from webapi.voice_node.hearing.bot_heard import LINGERS_US, BotHeard, at_playback, counted, may_be
from webapi.voice_node.hearing.endpoint import END
from webapi.voice_node.hearing.onset import HELD
from webapi.voice_node.operators.turn_scan import TurnScan

FIRST, SECOND = Turn("a", 0), Turn("b", 1)
LINGERS = LINGERS_US // FRAME_US


def after(*events: Event) -> BotHeard:
    """The state after these."""
    s = BotHeard()
    for event in events:
        s = at_playback(s, event)
    return s


def ended(t_us: int, turn: Turn = FIRST) -> PlaybackEnded:
    """The end of a reply."""
    return PlaybackEnded(t_us, turn, 0, completed=True)


@pytest.mark.parametrize("begins", [PlaybackStarted(100, FIRST), FillerStarted(100, FIRST)])
def test_the_bot_may_be_heard_from_its_first_sound_until_a_while_after_its_last(begins: Event) -> None:
    assert not may_be(BotHeard(), 0)
    assert may_be(after(begins), 100)
    assert may_be(after(begins), 10**9)
    over = after(begins, ended(5_000))
    assert may_be(over, 5_000 + LINGERS_US - 1)
    assert not may_be(over, 5_000 + LINGERS_US)


def test_only_the_end_of_the_reply_that_plays_counts() -> None:
    playing = after(PlaybackStarted(0, FIRST), PlaybackStarted(10, SECOND))
    assert at_playback(playing, ended(20)) == playing
    assert not may_be(at_playback(playing, ended(30, SECOND)), 30 + LINGERS_US)
    assert not may_be(after(ended(20)), 20)  # of a reply that was never heard


def test_what_was_played_before_is_still_heard_when_a_reply_begins_and_is_cut_at_once() -> None:
    assert may_be(after(PlaybackStarted(0, FIRST), ended(1_000_000), PlaybackStarted(1_100_000, SECOND)), 1_100_000)
    both = after(PlaybackStarted(0, FIRST), ended(10), PlaybackStarted(20, SECOND), ended(30, SECOND))
    assert may_be(both, LINGERS_US + 29)


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        ((False, 0.1), None, (False, 0.1)),
        ((False, 0.1), END - 0.01, (False, 0.1)),
        ((False, 0.1), END, (False, END)),
        ((False, 0.1), HELD, (True, HELD)),
        ((True, 0.9), 0.8, (True, 0.9)),
        ((True, 0.1), END, (True, END)),
        ((False, None), 0.9, (True, None)),
    ],
)
def test_the_surer_opinion_counts_and_a_soft_voice_is_voiced(
    first: tuple[bool, float | None], second: float | None, counts: tuple[bool, float | None]
) -> None:
    frame = Frame(0, bytes(320), 8000, 0)
    value = Voiced(frame, *first, second=second)
    assert counted(BotHeard(), value)[1:3] == counts
    assert counted(after(PlaybackStarted(0, FIRST)), value) is value


def decided(script: str) -> str:
    """What is decided of frames, one character each: s soft (a second opinion of .9), 1 a voice, 0 none.

    Between them: > the bot begins to play the reply to the last turn, < it is over. S a start, B a barge-in.
    """
    found: list[TurnEvent] = []
    scan = TurnScan(lambda *_: RULE, lambda number: Turn("", number), found.append)
    out, number, turn = "", 0, 0
    for char in script:
        at = number * FRAME_US
        if char == ">":
            scan.on_playback(PlaybackStarted(at, Turn("", turn)))
        elif char == "<":
            scan.on_playback(PlaybackEnded(at, Turn("", turn), 0, completed=True))
        else:
            frame = Frame(at, bytes(320), 8000, number)
            scan.on_next(Voiced(frame, char == "1", 0.95 if char == "1" else 0.0, second=0.9 if char == "s" else 0.0))
            number += 1
            starts = [each for each in found if isinstance(each, SpeechStarted)]
            turn = starts[-1].turn.number if starts else 0
            out += "B" if any(isinstance(e, BargeIn) for e in found) else "S" if starts else "-"
            found.clear()
    return out


def test_a_soft_voice_begins_a_turn_where_the_bot_is_silent() -> None:
    assert decided("00ssssss") == "--S-----"


@pytest.mark.parametrize("soft", ["s" * 200, "ssss00" * 40])
def test_what_is_left_of_the_bots_voice_neither_interrupts_nor_answers_it(soft: str) -> None:
    played, late = soft[:100], soft[100 : 100 + LINGERS]
    silence = "0" * 20
    heard = decided(f"111{silence}>{played}<{late}{silence}{silence}")
    assert heard.count("S") == 1
    assert "B" not in heard


def test_a_voice_that_is_loud_interrupts_all_the_same() -> None:
    assert "B" in decided("111" + "0" * 20 + ">" + "s" * 10 + "1" * 10)


def test_a_soft_caller_is_heard_again_a_while_after_the_bot() -> None:
    heard = decided("111" + "0" * 20 + ">" + "0" * 10 + "<" + "s" * 100)
    assert heard.count("S") == 2
    assert heard.rindex("S") == 33 + LINGERS
