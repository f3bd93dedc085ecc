"""The history: what was heard of a reply, and no trace of a turn that never was."""

from __future__ import annotations

import pytest

from webapi.voice_node.converse.history import INTERRUPTED, History, Spoken, words_heard


def talked(most_turns: int = 100) -> History:
    """One turn: "Hi" and two sentences, of 1000 ms each."""
    history = History("Be brief.", most_turns)
    history.begin("t1", "Hi")
    for text in ("Hello there.", "How are you?"):
        history.speak("t1", text).ms = 1000
    return history


def told(history: History) -> list[tuple[str, str]]:
    return [(each.role, each.text) for each in history.messages()]


START = [("system", "Be brief."), ("user", "Hi")]


def test_a_reply_that_was_heard_stays_whole() -> None:
    history = talked()
    history.heard("t1", 2000, True, None)
    assert told(history) == [*START, ("assistant", "Hello there. How are you?")]


def test_of_an_interrupted_reply_only_what_was_heard_stays_and_a_sign_says_so() -> None:
    history = talked()
    history.heard("t1", 900, False, "Hello")
    assert told(history) == [*START, ("assistant", f"Hello {INTERRUPTED}")]


def test_a_reply_of_which_nothing_was_heard_is_left_out() -> None:
    history = talked()
    history.heard("t1", 0, False, "")
    assert told(history) == START


def test_a_reply_that_was_cut_after_its_last_word_has_no_sign() -> None:
    history = talked()
    history.heard("t1", 1990, False, "Hello there. How are you?")
    assert told(history)[-1] == ("assistant", "Hello there. How are you?")


def test_a_turn_that_never_was_leaves_no_trace() -> None:
    history = talked()
    history.withdraw("t1")
    history.begin("t2", "Hi, it's me")
    assert told(history) == [START[0], ("user", "Hi, it's me")]


def test_a_cut_reply_of_which_something_was_heard_is_not_withdrawn() -> None:
    for first in ("heard", "withdraw"):  # the node tells these two in either order
        history = talked()
        if first == "heard":
            history.heard("t1", 900, False, "Hello")
            history.withdraw("t1")
        else:
            history.withdraw("t1")
            history.heard("t1", 900, False, "Hello")
        assert told(history) == [*START, ("assistant", f"Hello {INTERRUPTED}")]


def test_a_turn_that_never_was_stays_so_when_it_is_told_that_nothing_was_heard() -> None:
    for first in (True, False):
        history = talked()
        for _ in range(2):
            if first:
                history.withdraw("t1")
            else:
                history.heard("t1", 0, False, None)
            first = not first
        assert told(history) == [START[0]]


def test_messages_of_one_role_in_a_row_are_joined() -> None:
    history = History("")
    history.begin("t1", "Hello?")  # its reply failed
    history.begin("t2", "Are you there?")
    assert told(history) == [("user", "Hello?\nAre you there?")]


def test_a_greeting_is_the_bots_message_alone() -> None:
    history = History("Be brief.")
    history.begin("g")
    history.speak("g", "Welcome.")
    assert told(history) == [("system", "Be brief."), ("assistant", "Welcome.")]


def test_the_oldest_turns_are_forgotten_and_the_prompt_is_not() -> None:
    history = History("Be brief.", 2)
    for number in range(4):
        history.begin(f"t{number}", f"word {number}")
        history.speak(f"t{number}", "Yes.")
    assert told(history)[:2] == [("system", "Be brief."), ("user", "word 2")]


def test_what_is_told_of_an_unknown_turn_is_ignored() -> None:
    history = talked()
    history.heard("other", 100, True, "Oh")
    history.withdraw("other")
    history.speak("other", "Oh")
    assert told(history) == [*START, ("assistant", "Hello there. How are you?")]


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (0, ""),
        (500, "Hello"),
        (700, "Hello"),
        (1000, "Hello there."),
        (1500, "Hello there. How"),
        (5000, "Hello there. How are you?"),
    ],
)
def test_words_are_estimated_from_the_milliseconds(ms: float, expected: str) -> None:
    spoken = [Spoken("Hello there.", 1000), Spoken("How are you?", 1000)]
    assert words_heard(spoken, ms, False) == expected
