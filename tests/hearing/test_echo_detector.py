"""Whether there is an echo at all, piece by piece: powers in, what to believe out."""

from __future__ import annotations

from webapi.voice_node.hearing.echo_detector import EchoDetector

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
