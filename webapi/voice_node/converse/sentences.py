"""Cuts text that comes piece by piece into sentences, each to be spoken on its own."""

from __future__ import annotations

import re

MOST = 220  # characters of a sentence; a longer one is cut at a comma or a space
FIRST_MOST = 80  # of the first one, so that it is heard soon
FIRST_CLAUSE = 16  # from here on the first one may end at a comma

CLOSERS = "\"'”’»)]」』）"
STOP = re.compile(rf"([.!?…]+)[{re.escape(CLOSERS)}]*(\s+)(\S?)\Z")
WIDE_STOP = re.compile(rf"[。！？][。！？{re.escape(CLOSERS)}]*([^。！？{re.escape(CLOSERS)}])\Z")
CLAUSE = re.compile(r"([,;:]|\s[–—-])\s")
CLAUSE_END = re.compile(CLAUSE.pattern + r"\Z")
LIST_NUMBER = re.compile(r"\s*\d{1,3}\.\Z")
INITIAL = re.compile(r"(?:\A|[\s.(])[^\W\d_]\.\Z")  # "J." of "J. S. Bach", and the last of "z.B." and "e.g."
ABBREVIATIONS = frozenset(
    (
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "sr",
        "jr",
        "st",
        "mt",
        "no",
        "nr",
        "vs",
        "etc",
        "approx",
        "dept",
        "est",
        "fig",
        "inc",
        "ltd",
        "co",
        "corp",
        "gen",
        "sen",
        "rep",
        "rev",
        "hon",
        "bzw",
        "usw",
        "ca",
        "evtl",
        "ggf",
        "inkl",
        "tel",
        "str",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
    )
)
WORD = re.compile(r"([^\W\d_]+)\.\Z")


class Sentences:
    """Gives each sentence when its end is known. How the text was cut into pieces makes no difference.

    A sentence ends at `.`, `!`, `?` or an ellipsis with a space after it, at a full stop of Chinese or Japanese, or at
    a line end. Abbreviations, initials, numbers of a list, and a full stop before a small letter end none. What has
    no letter and no digit is left out.
    """

    def __init__(self) -> None:
        self._held = ""
        self._is_first = True

    def push(self, text: str) -> list[str]:
        """The sentences that are complete with this text."""
        found: list[str] = []
        for character in text:
            self._held += character
            end = self._end()
            if end:
                self._cut(end, found)
        return found

    def flush(self) -> list[str]:
        """What is left, at the end of the text."""
        found: list[str] = []
        self._cut(len(self._held), found)
        return found

    def _cut(self, end: int, found: list[str]) -> None:
        sentence, self._held = self._held[:end].strip(), self._held[end:].lstrip()
        if any(each.isalnum() for each in sentence):
            found.append(" ".join(sentence.split()))
            self._is_first = False

    def _end(self) -> int:
        """Where the sentence ends that is complete with the last character; 0 where none is."""
        held = self._held
        if held[-1] == "\n":
            return len(held)
        if wide := WIDE_STOP.search(held):
            return wide.start(1)
        if (stop := STOP.search(held)) and self._ends_sentence(stop):
            return stop.start(2)
        if self._is_first and len(held) > FIRST_CLAUSE and CLAUSE_END.search(held):
            return len(held)
        return self._too_long()

    def _ends_sentence(self, stop: re.Match[str]) -> bool:
        marks, following = stop[1], stop[3]
        if "!" in marks or "?" in marks:
            return True
        if not following or following.islower():  # wait for what follows; a small letter goes on
            return False
        if marks != ".":
            return True
        before = self._held[: stop.start(1) + 1]
        word = WORD.search(before)
        is_short = word is not None and word[1].lower() in ABBREVIATIONS
        return not (is_short or INITIAL.search(before) or LIST_NUMBER.fullmatch(before))

    def _too_long(self) -> int:
        most = FIRST_MOST if self._is_first else MOST
        if len(self._held) <= most:
            return 0
        clauses = [each.end() for each in CLAUSE.finditer(self._held, most // 3)]
        return clauses[-1] if clauses else self._held.rfind(" ", 1) + 1 or most
