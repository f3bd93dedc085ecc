"""The scripted dialogue: what it understands, what it asks, and that only the caller's words decide."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.voice_node.converse.offline.dialogue import BOOKING, Dialogue
from webapi.voice_node.converse.parts import Message, PartError

ALL = ("for four people", "on Friday", "at half past seven", "my name is Miller")


def values(*said: str) -> dict[str, str]:
    """What the dialogue knows after the caller has said this; times as 19:30."""
    state = Dialogue().state([Message("user", text) for text in said])
    found: dict[str, str] = {str(slot): value for slot, value in state.values.items()}
    if "time" in found:
        found["time"] = "{}:{:02}".format(*divmod(int(found["time"]), 60))
    return found


def reply(*said: str) -> str:
    return Dialogue().state([Message("user", text) for text in said]).reply


@pytest.mark.parametrize(
    ("said", "people"),
    [
        ("Four.", "4"),
        ("4", "4"),
        ("Four, please.", "4"),
        ("For.", "4"),
        ("For four people.", "4"),
        ("fore people", "4"),
        ("A table for for, please.", "4"),
        ("a table for to", "2"),
        ("Table for two people please", "2"),
        ("Two.", "2"),
        ("To.", "2"),
        ("Too, please.", "2"),
        ("Just me.", "1"),
        ("Me and my wife.", "2"),
        ("A couple.", "2"),
        ("There are 6 of us.", "6"),
        ("We'll be twelve.", "12"),
        ("Ate people.", "8"),
        ("party of five", "5"),
        ("I'd like a table for three.", "3"),
    ],
)
def test_people(said: str, people: str) -> None:
    assert values(said) == {"people": people}


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("Friday.", "Friday"),
        ("on Wednesday, please", "Wednesday"),
        ("Next Monday.", "next Monday"),
        ("Tomorrow.", "tomorrow"),
        ("to morrow", "tomorrow"),
        ("The day after tomorrow.", "the day after tomorrow"),
        ("Tonight.", "today"),
        ("the fifth of May", "the fifth of May"),
        ("On December 5th.", "the fifth of December"),
        ("May 21st", "the twenty first of May"),
        ("Not Friday, Saturday.", "Saturday"),
        ("Saturday, not Friday.", "Saturday"),
    ],
)
def test_days(said: str, day: str) -> None:
    assert values("four people", said) == {"people": "4", "day": day}


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("Seven.", "19:00"),
        ("At seven.", "19:00"),
        ("7", "19:00"),
        ("At ate.", "20:00"),
        ("7:30", "19:30"),
        ("7.30 p.m.", "19:30"),
        ("At 7 30, please.", "19:30"),
        ("730", "19:30"),
        ("7:30pm", "19:30"),
        ("Half past seven.", "19:30"),
        ("half pass 7", "19:30"),
        ("would half passed seven", "19:30"),
        ("Half seven.", "19:30"),
        ("Quarter to eight.", "19:45"),
        ("a quarter past eight", "20:15"),
        ("ten to nine", "20:50"),
        ("twenty past six", "18:20"),
        ("Seven thirty.", "19:30"),
        ("seven o'clock", "19:00"),
        ("7 o clock in the evening", "19:00"),
        ("eleven in the morning", "11:00"),
        ("11 a.m.", "11:00"),
        ("Noon.", "12:00"),
        ("at twelve", "12:00"),
        ("one p.m.", "13:00"),
        ("19:30", "19:30"),
        ("half past twelve", "12:30"),
    ],
)
def test_times(said: str, time: str) -> None:
    assert values("four people", "Friday", said) == {"people": "4", "day": "Friday", "time": time}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Miller.", "Miller"),
        ("My name is Anna Miller.", "Anna Miller"),
        ("It's Miller.", "Miller"),
        ("Yes, it's Anna.", "Anna"),
        ("I'm Sarah Connor, thanks.", "Sarah Connor"),
        ("in the name of McDonald", "McDonald"),
        ("Under Smith, please.", "Smith"),
        ("S-M-I-T-H", "Smith"),
        ("s m i t h", "Smith"),
        ("miller", "Miller"),
        ("Friday", None),  # said again: it is a day
        ("What?", None),
        ("I do not know what you mean.", None),
    ],
)
def test_names(said: str, name: str | None) -> None:
    assert values("four people", "Friday", "at seven", said).get("name") == name


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("A table for four on Friday, please.", {"people": "4", "day": "Friday"}),
        ("A table for fore on Friday at seven.", {"people": "4", "day": "Friday", "time": "19:00"}),
        ("Tomorrow at half past seven for two people", {"people": "2", "day": "tomorrow", "time": "19:30"}),
        ("Tonight at 8 for 5 people", {"people": "5", "day": "today", "time": "20:00"}),
        (
            "Hello, my name is Miller and I want a table for six people on Sunday at 1 p.m.",
            {"people": "6", "day": "Sunday", "time": "13:00", "name": "Miller"},
        ),
    ],
)
def test_several_at_once(said: str, expected: dict[str, str]) -> None:
    assert values(said) == expected


@pytest.mark.parametrize(
    ("before", "said", "changed"),
    [
        (ALL, "No, make it five.", {"people": "5"}),
        (ALL, "No, for six people.", {"people": "6"}),
        (ALL, "No, at eight.", {"time": "20:00"}),
        (ALL, "Sorry, on Saturday.", {"day": "Saturday"}),
        (ALL, "No, not Friday, Saturday.", {"day": "Saturday"}),
        (ALL, "No, my name is Smith.", {"name": "Smith"}),
        (ALL[:1], "No, make it four. I mean, five people.", {"people": "5"}),
        (ALL[:1], "No, make it two.", {"people": "2"}),
        (ALL[:2], "No, make it two.", {"people": "2"}),
        (ALL[:2], "Two.", {"time": "14:00"}),
        (ALL[:3], "Actually on Sunday.", {"day": "Sunday"}),
    ],
)
def test_corrections(before: tuple[str, ...], said: str, changed: dict[str, str]) -> None:
    assert values(*before, said) == {**values(*before), **changed}


def test_the_whole_booking_is_asked_confirmed_and_ended() -> None:
    assert reply() == "For how many people?"
    assert reply("Hello.") == "For how many people?"
    assert reply(ALL[0]) == "A table for four. For which day?"
    assert reply(*ALL[:2]) == "On Friday. At what time?"
    assert reply(*ALL[:3]) == "At half past seven in the evening. What is your name?"
    confirm = "So that is a table for four, Friday at half past seven in the evening, for Miller. Is that right?"
    assert reply(*ALL) == confirm
    assert reply(*ALL, "Yes.") == "Thank you, Miller. Your table is booked. Goodbye!"
    assert reply(*ALL, "Yes.", "Thank you.") == "Goodbye!"


def test_no_is_asked_what_and_then_only_that() -> None:
    assert reply(*ALL, "No.").startswith("What shall I change")
    assert reply(*ALL, "No.", "The time.") == "At what time?"
    assert values(*ALL, "No.", "The time.", "Eight.")["time"] == "20:00"
    assert reply(*ALL, "No.", "The time.", "Eight.", "Yes.").endswith("Goodbye!")
    assert reply(*ALL, "Not right.").startswith("What shall I change")


@pytest.mark.parametrize(
    "said",
    ["Sorry?", "Pardon?", "What?", "Can you repeat that?", "Say that again, please.", "I didn't hear you"],
)
def test_the_last_words_are_repeated(said: str) -> None:
    assert reply(*ALL[:2], said) == reply(*ALL[:2])
    assert values(*ALL[:2], said) == values(*ALL[:2])


def test_help_says_what_can_be_said_and_asks_on() -> None:
    assert reply(ALL[0], "Help!") == f"{Dialogue().script.help} For which day?"


def test_what_is_not_understood_is_asked_again_and_then_with_an_example() -> None:
    assert reply("Purple monkeys.") == "Sorry, I did not understand that. For how many people?"
    assert reply("Purple monkeys.", "Dishwasher.") == (
        "Sorry, I did not understand that. For example: for four people. For how many people?"
    )
    assert "example" not in reply("Purple monkeys.", "four people", "Dishwasher.")


@pytest.mark.parametrize(("said", "says"), [("Twenty people.", "up to twelve"), ("Zero.", "up to twelve")])
def test_too_many_people_are_asked_again(said: str, says: str) -> None:
    assert says in reply(said)
    assert reply(said).endswith("For how many people?")
    assert values(said) == {}


def test_a_time_when_it_is_closed_is_asked_again() -> None:
    assert reply(*ALL[:2], "At eleven p.m.").endswith("At what time?")
    assert "time" not in values(*ALL[:2], "At eleven p.m.")
    assert values(*ALL[:2], "At eleven p.m.", "Nine.")["time"] == "21:00"


@pytest.mark.parametrize("said", ["Goodbye.", "Bye bye!", "Never mind.", "Please cancel it.", "Good bye"])
def test_goodbye_ends_the_call(said: str) -> None:
    assert Dialogue().state([Message("user", ALL[0]), Message("user", said)]).is_over


def test_one_can_begin_again() -> None:
    assert values(*ALL, "Let's start over.") == {}
    assert reply(*ALL, "Start again.") == "Let us begin again. For how many people?"


def chat(dialogue: Dialogue, messages: list[Message]) -> str:
    async def work() -> str:
        return "".join([each async for each in dialogue.chat(messages)])

    return asyncio.run(work())


def test_it_hangs_up_after_its_last_words() -> None:
    dialogue = Dialogue()
    assert chat(dialogue, [Message("user", "Goodbye")]) == "Goodbye!"  # nothing is set
    reasons: list[str] = []
    dialogue.hang_up = reasons.append
    chat(dialogue, [Message("user", "four people")])
    assert reasons == []
    chat(dialogue, [Message("user", "Goodbye")])
    assert reasons == ["the dialogue is over"]


def test_it_does_not_hang_up_where_its_last_words_were_not_wanted() -> None:
    dialogue = Dialogue()
    reasons: list[str] = []
    dialogue.hang_up = reasons.append

    async def work() -> None:
        async with aclosing(dialogue.chat([Message("user", "Goodbye")])) as pieces:
            await pieces.__anext__()

    asyncio.run(work())
    assert reasons == []


def test_a_script_of_ones_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(BOOKING.read_text().replace("For how many people?", "How many are you?"))
    assert Dialogue(script=mine).state([]).reply == "How many are you?"
    mine.write_text("slots: {}\n")
    with pytest.raises(PartError, match=r"mine\.yaml is no dialogue.*booking\.yaml shows"):
        Dialogue(script=mine)


UTTERANCES = st.one_of(
    st.sampled_from(
        [*ALL, "yes", "no", "no, make it five", "sorry?", "help", "start over", "bye", "seven", "Smith", "730"]
    ),
    st.text(max_size=40),
    st.text(alphabet="0123456789:. apmforto", max_size=12),
)


@given(st.lists(UTTERANCES, max_size=8), st.lists(st.text(max_size=20), max_size=8))
def test_the_callers_words_alone_decide(said: list[str], heard: list[str]) -> None:
    """Whatever the bot's words in the history are (an interrupted reply is cut): same messages, same answer."""
    alone = [Message("user", text) for text in said]
    between = [
        each for pair in zip(alone, (Message("assistant", text) for text in heard), strict=False) for each in pair
    ]
    mixed = [Message("system", "x"), *between, *alone[len(between) // 2 :]]
    dialogue = Dialogue()
    first = dialogue.state(mixed)
    chat(dialogue, [Message("user", "goodbye")])
    assert first == dialogue.state(alone) == Dialogue().state(alone)
    assert first.reply
    assert "{" not in first.reply or any("{" in text for text in said)
