"""Whether there is an echo at all, piece by piece: powers in, what to believe out."""

from __future__ import annotations

import pytest

from webapi.voice_node.events import BOT
from webapi.voice_node.hearing.echo_detector import EVERY, KNOWN, RESTING, EchoDetector

NOISE, VOICE = 100.0, 1e7  # power: about −70 and −20 dBFS
SILENT = 0.0


def look(watch: EchoDetector, heard: float, played: float, pieces: int) -> bool:
    for _ in range(pieces):
        watch.look(heard, played)
    return watch.echo


def after_noise() -> EchoDetector:
    watch = EchoDetector()
    look(watch, NOISE, SILENT, 50)
    return watch


def test_it_is_plain_soon_that_there_is_none() -> None:
    watch = after_noise()
    assert look(watch, NOISE, VOICE, 57)  # 570 ms: it may still come
    assert not look(watch, NOISE, VOICE, 2)
    assert not look(watch, VOICE, VOICE, 100)  # then it is the caller who speaks, and is heard as they are


def test_an_echo_is_never_taken_for_none() -> None:
    for late in (2, 12, 40, 50):
        for db in (-3.5, -10, -20, -24):
            watch = after_noise()
            assert look(watch, NOISE, VOICE, late)
            assert look(watch, VOICE * 10 ** (db / 10), VOICE, 300)
            assert look(watch, VOICE * 10 ** (db / 10), SILENT, late)
            assert look(watch, NOISE, SILENT, 100)


def test_pauses_tell_too_what_delays_an_echo_can_not_have() -> None:
    """Never was the bot loud at all of them at once."""
    watch = after_noise()
    look(watch, NOISE, VOICE, 20)
    look(watch, NOISE, SILENT, 10)
    assert look(watch, NOISE, VOICE, 20)
    assert not look(watch, NOISE, SILENT, 10)


def test_what_is_left_of_an_echo_goes_down_as_the_bot_speaks() -> None:
    watch = after_noise()
    assert watch.left == 1
    look(watch, VOICE / 10, VOICE, 75)
    assert watch.left == 0.5
    look(watch, NOISE, SILENT, 500)
    assert watch.left == 0.5
    look(watch, VOICE / 10, VOICE, 500)
    assert watch.left == 0


def test_noise_that_would_hide_an_echo_says_nothing() -> None:
    watch = EchoDetector()
    assert look(watch, 1e5, SILENT, 50)
    assert look(watch, 1e5, VOICE, 300)


def test_who_speaks_louder_than_an_echo_over_the_first_words_is_believed() -> None:
    watch = after_noise()
    look(watch, NOISE, VOICE, 10)
    assert not look(watch, VOICE * 0.6, VOICE, 10)
    assert look(watch, VOICE * 0.6, VOICE, 100)  # but not for long: it is no beginning any more


def test_who_spoke_before_the_bot_is_no_reason_to_let_its_echo_through() -> None:
    watch = after_noise()
    look(watch, VOICE, SILENT, 100)
    look(watch, NOISE, SILENT, 10)
    assert look(watch, NOISE, VOICE, 1)


def test_what_ends_with_the_bot_was_an_echo() -> None:
    watch = after_noise()
    assert not look(watch, NOISE, VOICE, 100)
    assert not look(watch, VOICE / 10, VOICE, 50)  # a loudspeaker was switched on, or the caller speaks
    assert not look(watch, VOICE / 10, SILENT, 12)
    assert look(watch, NOISE, SILENT, 40)
    # The caller speaks on when the bot has stopped.
    watch = after_noise()
    look(watch, NOISE, VOICE, 100)
    look(watch, VOICE, VOICE, 20)
    assert not look(watch, VOICE, SILENT, 100)


def hears(watch: EchoDetector, share: float, pieces: int, heard: float = VOICE / 1e3) -> int:
    """Something over the bot, of which that share is the bot's voice: 30 dB below it. How often it asked."""
    asked = 0
    for _ in range(pieces):
        watch.look(heard, VOICE)
        if watch.asks:
            asked += 1
            watch.explained(share)
    return asked


def asked(watch: EchoDetector) -> tuple[bool, float | None]:
    return watch.echo, watch.echo_left


def test_what_is_mostly_the_bots_voice_is_the_bot_for_a_while() -> None:
    watch = after_noise()
    hears(watch, 0.5, 4)
    assert watch.echo_left == BOT
    hears(watch, 0.3, 20)  # neither nor
    assert watch.echo_left == watch.left < 1


def test_who_is_hardly_the_bot_is_the_caller_however_soft() -> None:
    watch = after_noise()
    hears(watch, 0.3, 20)
    assert watch.echo
    hears(watch, 0.1, 8)
    assert watch.echo_left is None
    hears(watch, 0.6, 8)
    assert asked(watch) == (True, BOT)


def test_the_bot_is_not_taken_for_a_caller_because_it_is_loud() -> None:
    watch = after_noise()
    hears(watch, 0.9, 30, heard=2 * VOICE)
    assert asked(watch) == (True, BOT)


def test_a_weak_echo_wakes_the_canceller_for_good() -> None:
    watch = after_noise()
    look(watch, NOISE, VOICE, 100)
    assert watch.none
    hears(watch, 0.9, 6)
    assert watch.none  # by chance, a voice may be like another for so long
    assert watch.echo_left == BOT
    hears(watch, 0.9, 1)
    assert not watch.none
    look(watch, NOISE, VOICE, 300)
    assert not watch.none


def test_it_asks_only_where_the_answer_matters() -> None:
    watch = after_noise()
    assert not any(asks(watch, VOICE, SILENT, 20))  # the bot is silent
    assert not any(asks(watch, NOISE, VOICE, 20))  # nothing is heard
    assert sum(asks(watch, VOICE / 10, VOICE, 20)) == 20  # until it is told
    look(watch, VOICE / 10, VOICE, 150)
    assert not any(asks(watch, VOICE / 10, VOICE, 20))  # the canceller has learnt


@pytest.mark.parametrize(("share", "apart"), [(0.9, KNOWN), (0.3, EVERY), (0.1, KNOWN)])
def test_it_asks_less_often_where_the_answer_is_known(share: float, apart: int) -> None:
    watch = after_noise()
    hears(watch, share, 20)
    assert hears(watch, share, 10 * apart) == 10


def test_it_asks_least_often_about_a_caller_while_the_canceller_rests() -> None:
    watch = after_noise()
    look(watch, NOISE, VOICE, 200)
    assert watch.none
    hears(watch, 0.1, 20)
    assert hears(watch, 0.1, 10 * RESTING) == 10
    hears(watch, 0.9, RESTING)
    assert watch.echo_left == BOT


def test_the_caller_is_believed_until_the_canceller_has_learnt() -> None:
    watch = after_noise()
    hears(watch, 0.3, 110)  # no first words any more
    assert watch.echo
    hears(watch, 0.1, 12)
    assert not watch.echo
    hears(watch, 0.1, 40)
    assert watch.echo


@pytest.mark.parametrize("share", [0.9, 0.1])
def test_what_is_known_holds_until_it_asks_again(share: float) -> None:
    watch = after_noise()
    hears(watch, share, 20)
    known = watch.echo_left
    for _ in range(60):
        hears(watch, share, 1)
        assert watch.echo_left == known


def asks(watch: EchoDetector, heard: float, played: float, pieces: int) -> list[bool]:
    out = []
    for _ in range(pieces):
        watch.look(heard, played)
        out.append(watch.asks)
    return out
