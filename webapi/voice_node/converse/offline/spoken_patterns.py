"""The words and patterns by which numbers, times, days and names are found in recognised speech."""

from __future__ import annotations

import re


def _words(text: str) -> list[str]:
    return text.split()


def _any(words: list[str]) -> str:
    """A pattern for any of the words, the longest first."""
    return "|".join(sorted(words, key=len, reverse=True))


ONES = _words("zero one two three four five six seven eight nine ten eleven twelve")
TEENS = _words("thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
NUMBERS = {word: number for number, word in enumerate([*ONES, *TEENS])} | TENS
NUMBERS |= {f"{tens} {ONES[one]}": value + one for tens, value in TENS.items() for one in range(1, 10)}

# What a recogniser writes for a number that stands alone.
SOUND_ALIKE = {"for": 4, "fore": 4, "to": 2, "too": 2, "won": 1, "ate": 8, "tree": 3, "free": 3, "sex": 6, "sicks": 6}

DAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
MONTHS = _words("january february march april may june july august september october november december")
ORDINALS = _words("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth")
ORDINALS += _words("fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth")
ORDINALS += [*(f"twenty {each}" for each in ORDINALS[:9]), "thirtieth", "thirty first"]

COUNT = rf"(?:\d{{1,4}}|{_any(list(NUMBERS))})"
HOUR = rf"(?:1[0-2]|0?[1-9]|{_any(ONES[1:])}|ate|fore)"
MINUTE = r"(?:[0-5]\d|fifteen|thirty|forty five|oh five)"
PART_OF_DAY = r"(?P<part>am|pm|(?:in the )?(?:morning|afternoon|evening)|tonight|at night)"
ORDINAL = rf"(?:{_any(ORDINALS)}|\d{{1,2}}(?:st|nd|rd|th))"
MONTH = rf"(?:{_any(MONTHS)})"

PART = re.compile(rf"\b{PART_OF_DAY}\b")
NOON = re.compile(r"\b(?:noon|midday|mid day)\b")
DIGITS = re.compile(r"\b(\d{1,2})([0-5]\d)\b")  # "730"
FAR = rf"(?P<far>half|(?:a )?quarter|{COUNT}(?: minutes)?)"
FROM_HOUR = re.compile(rf"\b{FAR} ?(?P<side>past|passed|pass|after|to|till|before) (?P<hour>{HOUR})\b")
HALF_HOUR = re.compile(rf"\bhalf (?P<hour>{HOUR})\b")  # as the British say it: half past
CLOCK = re.compile(
    rf"\b(?P<at>at |about |around )?(?P<hour>\d{{1,2}}|{_any(list(NUMBERS))}|ate)(?:[:. ](?P<minutes>{MINUTE}))?"
    rf"(?P<oclock> o ?clock)?(?: {PART_OF_DAY})?\b"
)

COUPLE = re.compile(r"\b(?:a couple|me and my (?:wife|husband|friend|partner)|both of us)\b")
ALONE = re.compile(r"\b(?:just me|only me|myself|alone|by myself)\b")
PERSONS = r"(?:people|persons?|guests?|adults?|of us|diners?|seats?)"
OF_PEOPLE = re.compile(
    rf"\b(?P<count>{COUNT}|{_any(list(SOUND_ALIKE))}) (?:more )?{PERSONS}\b"
    rf"|\b(?:table|party|group) (?:for|of|4|four) (?P<of>{COUNT}|fore?|too?)\b"
)

DATE = re.compile(
    rf"\b(?:the )?(?P<day>{ORDINAL}) (?:of )?(?P<month>{MONTH})\b"
    rf"|\b(?P<month2>{MONTH}) (?:the )?(?P<day2>{ORDINAL}|\d{{1,2}})\b"
)
AFTER_TOMORROW = re.compile(r"\bday after (?:tomorrow|to morrow)\b")
DAY = re.compile(rf"\b(?P<next>next )?(?P<day>{_any(DAYS)}|tomorrow|to morrow|today|tonight)(?:'?s)?\b")

NAMED = re.compile(
    r"\b(?:my name is|my name's|the name is|name is|name's|in the name of|under the name of|under the name|name of"
    r"|call me) (?P<name>[^,.?!]+)",
    re.IGNORECASE,
)
BEFORE_NAME = re.compile(
    r"^(?:(?:yes|yeah|well|um|uh|so|oh|okay|ok|no|sorry|it is|it's|its|this is|i am|i'm|that is|that's|that would be"
    r"|the name is|name is|name|under|for|put it under|make it|mr|mrs|miss|ms|please)[,. ]+)+",
    re.IGNORECASE,
)
AFTER_NAME = re.compile(r"[,. ]+(?:please|thanks|thank you|speaking|here)[.! ]*$", re.IGNORECASE)
NO_NAMES = frozenset(
    _words(
        "yes no what sorry pardon help hello hi thanks thank you please repeat the a table time day people okay i "
        "don't do not know why who how when where is are can could would think um uh it that this"
    )
)
