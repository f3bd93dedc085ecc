"""Finds numbers, times, days and names in what a recogniser has understood, with the mistakes that it makes."""

from __future__ import annotations

import re

from webapi.voice_node.converse.offline import spoken_patterns as p

MIDDAY = HALF_DAY = 12 * 60
MINUTES = 60  # of an hour


def plain(text: str) -> str:
    """Lower case without punctuation, but for times: "At 7:30 p.m., please!" gives "at 7:30 pm please"."""
    lower = re.sub(r"\b([ap])\.? ?m\b\.?", r"\1m", text.lower().replace("’", "'"))
    lower = re.sub(r"(\d)(am|pm)\b", r"\1 \2", lower)
    lower = re.sub(r"(?<!\d)[:.]|[:.](?!\d)|[^\w:.' ]", " ", lower).replace("-", " ")
    return " ".join(re.sub(r"\bo'? ?clock\b", "o clock", lower).split())


def number(word: str) -> int:
    """The number that a word or digits are: also "fore" and "ate"."""
    return int(word) if word.isdigit() else p.NUMBERS.get(word, p.SOUND_ALIKE.get(word, 0))


def find_people(text: str, *, asked: bool) -> int | None:
    """How many people a plain text names. `asked`: a number alone is one, and so is "for"."""
    if p.ALONE.search(text):
        return 1
    if p.COUPLE.search(text):
        return 2
    if found := list(p.OF_PEOPLE.finditer(text)):
        return number(found[-1]["count"] or found[-1]["of"])
    if not asked:
        return None
    words = text.removesuffix(" please")
    if found := list(re.finditer(rf"\b{p.COUNT}\b", words)):
        return number(found[-1].group())
    last = words.split()[-1] if words else ""
    return p.SOUND_ALIKE.get(last) if len(words.split()) <= 3 else None


def find_time(text: str, *, asked: bool) -> int | None:
    """The time of day that a plain text names, in minutes. `asked`: an hour alone is one.

    Without "am" or "in the morning", one to ten are hours of the afternoon or evening.
    """
    if p.NOON.search(text):
        return MIDDAY
    text = p.DIGITS.sub(r"\1:\2", text)
    part = p.PART.search(text)
    if found := p.FROM_HOUR.search(text):
        named = found["far"].removeprefix("a ").removesuffix(" minutes")
        far = {"half": 30, "quarter": 15}.get(named, number(named))
        sign = -1 if found["side"] in ("to", "till", "before") else 1
        return _of_day(number(found["hour"]) * MINUTES + sign * far, part)
    if found := p.HALF_HOUR.search(text):
        return _of_day(number(found["hour"]) * MINUTES + 30, part)
    times = [each for each in map(_clock, p.CLOCK.finditer(text)) if each is not None]
    sure = [minutes for minutes, is_sure in times if is_sure]
    if sure or (times and asked):
        return _of_day(sure[-1] if sure else times[-1][0], part)
    return None


def _clock(found: re.Match[str]) -> tuple[int, bool] | None:
    """The minutes that are said, and whether this can't be a number of people. None where it is no time of day."""
    hour, minutes = number(found["hour"]), found["minutes"] or "0"
    more = {"oh five": 5}.get(minutes, number(minutes))
    if hour > 24 or (hour == 0 and not found["minutes"]):
        return None
    sure = bool(found["at"] or found["minutes"] or found["oclock"] or (found["part"] and found["part"] != "tonight"))
    return hour * MINUTES + more, sure


def _of_day(minutes: int, part: re.Match[str] | None) -> int:
    said = part["part"] if part else ""
    morning = said == "am" or said.endswith("morning")
    later = said == "pm" or said.endswith(("afternoon", "evening", "night"))
    if minutes < MIDDAY and not morning and (later or minutes < 11 * MINUTES):
        return minutes + HALF_DAY
    return minutes


def find_day(text: str) -> str | None:
    """The day that a plain text names, as it is said: "Friday", "next Monday", "tomorrow", "the fifth of May"."""
    if found := p.DATE.search(text):
        day = found["day"] or found["day2"]
        digits = re.match(r"\d+", day)
        if digits and not 1 <= int(digits.group()) <= len(p.ORDINALS):
            return None
        ordinal = p.ORDINALS[int(digits.group()) - 1] if digits else day
        return f"the {ordinal} of {(found['month'] or found['month2']).capitalize()}"
    if p.AFTER_TOMORROW.search(text):
        return "the day after tomorrow"
    found_days = list(p.DAY.finditer(text))
    if not found_days:
        return None
    last = found_days[-1]
    if last["day"] in p.DAYS:
        return f"{last['next'] or ''}{last['day'].capitalize()}"
    return {"tonight": "today", "to morrow": "tomorrow"}.get(last["day"], last["day"])


def find_name(text: str, *, asked: bool) -> str | None:
    """The name in a text as it was recognised. `asked`: the text may be the name alone, or be spelt."""
    found = p.NAMED.search(text)
    rest = found["name"] if found else text if asked else ""
    rest = p.AFTER_NAME.sub("", p.BEFORE_NAME.sub("", rest.strip())).strip(" .,!?")
    words = rest.replace(",", " ").replace(".", " ").split()
    letters = [letter for word in words for letter in word.split("-")]
    if len(letters) > 2 and all(len(letter) == 1 and letter.isalpha() for letter in letters):
        return "".join(letters).capitalize()
    named = re.split(r"\b(?:and|for|on|at)\b", " ".join(words))[0].split() if found else words
    if not 1 <= len(named) <= 3 or any(word.lower() in p.NO_NAMES or not word[0].isalpha() for word in named):
        return None
    return " ".join(word[0].upper() + word[1:] for word in named)


def spoken_time(minutes: int) -> str:
    """A time of day in words: "half past seven in the evening"."""
    hour, rest = divmod(minutes, MINUTES)
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    if (hour, rest) == (12, 0):
        return "noon"
    name, following = p.ONES[(hour - 1) % 12 + 1], p.ONES[hour % 12 + 1]
    if rest == 0:
        return f"{name} {part}"
    if rest in (15, 30, 45):
        begin = {15: "quarter past", 30: "half past", 45: "quarter to"}[rest]
        return f"{begin} {following if rest == 45 else name} {part}"
    return f"{name} {spoken_number(rest) if rest > 9 else f'oh {p.ONES[rest]}'} {part}"


def spoken_number(count: int) -> str:
    """A number in words; in digits from sixty on."""
    return next((word for word, value in p.NUMBERS.items() if value == count), str(count))
