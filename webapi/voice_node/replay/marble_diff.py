"""Compares two marble texts: the diagrams one below the other, then the lines that differ, in 80 columns.

- expected, + got; the first difference is at 1.6 s

          0s        1s        2s        3s
          |         |         |         |
- voice   -----##########----------#########
- turns   ------S---------E--------B--------
- bot     ------------------=======x--------
+ voice   -----###########---------#########
+ turns   ------S----------E-------B--------
+ bot     -------------------=====x---------
                          ^

      0.620  S 0  speech_started
-     1.600  E 0  speech_ended  1.200 s, 1000 ms voiced, silence
+     1.700  E 0  speech_ended  1.300 s, 1080 ms voiced, silence
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.marbles import COLUMN_MS, COLUMNS, NAMES, is_marbles, scale

NAMED = re.compile(r"([^\n]*)  [0-9.]+ s  graph [^\n]*  a column is [0-9]+ ms\n")  # the first line, after a name
ROWS = ("voice", "turns", "bot")
CONTEXT_LINES = 2  # equal lines shown before and after those that differ
MAX_GROUP_LINES = 4  # lines of one side in a row
MAX_LINES = 16  # in all


def read_marbles(file: Path) -> str:
    """Return the marble text in `file`; "" where there is no such file, or it is empty.

    Raises UserError for a file with other content: that is neither compared nor overwritten.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise UserError(f"{file}: can't be read: {error.strerror}") from None
    if text and not is_marbles(text):
        raise UserError(f"{file}: no marbles text (its first line is not that of one)")
    return text


def write_marbles(file: Path, text: str) -> None:
    """Write a marble text, and make its folder. Raises UserError where that is impossible."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: can't be written: {error.strerror}") from None


def difference(expected: str, got: str, band: int = COLUMNS) -> str:
    """Return what differs in two marble texts, first the diagrams, then the lists; "" where they are the same.

    The recording's name does not count: the same audio is the same recording. `band`: how many columns of the diagrams
    are shown.
    """
    expected = _renamed(expected, got)
    if expected == got:
        return ""
    old, new = expected.splitlines(), got.splitlines()
    olds, news = _rows(old), _rows(new)
    column = _first_column(olds, news)
    lines = _lines(_list(old), _list(new))
    if column is None:
        where = "the pictures are the same" if lines else line_difference(expected, got)
        return "\n".join([f"- expected, + got; {where}", *lines])
    where = f"the first difference is at {column * COLUMN_MS / 1000:.1f} s"
    return "\n".join(
        [f"- expected, + got; {where}", "", *_band(olds, news, column, max(1, min(band, COLUMNS))), "", *lines]
    ).rstrip()


def _renamed(expected: str, got: str) -> str:
    """Return `expected` with the recording's name that stands in `got`."""
    old, new = NAMED.match(expected), NAMED.match(got)
    return f"{new[1]}{expected[old.end(1) :]}" if old and new else expected


def line_difference(expected: str, got: str) -> str:
    """Return the first line that differs, of both texts; "" where they are the same."""
    if expected == got:
        return ""
    both = zip_longest(expected.splitlines(keepends=True), got.splitlines(keepends=True), fillvalue="")
    number, (old, new) = next((n, pair) for n, pair in enumerate(both, 1) if pair[0] != pair[1])
    return f"the first difference is in line {number}:\n- {_shown(old)}\n+ {_shown(new)}"


def _shown(line: str) -> str:
    """Return the line; as a Python literal where its spaces matter, or where a terminal would obey it.

    Of the end of the text, return a word for it.
    """
    bare = line.rstrip("\r\n")
    if not line:
        return "(the end)"
    return bare if bare and bare == bare.strip() and bare.isprintable() and line.endswith("\n") else repr(line)


# ---------------------------------------------------------------- the diagrams


def _band(olds: dict[str, str], news: dict[str, str], column: int, band: int) -> list[str]:
    """Return the band of both diagrams with `column` in it, one below the other, and a mark below the column."""
    start = column // band * band
    stop = min(start + band, max(len(row) for rows in (olds, news) for row in rows.values()))
    shown = [f"  {line}" for line in scale(start, stop)]
    for sign, rows in (("-", olds), ("+", news)):
        shown += [f"{sign} {name:{NAMES}}{rows[name][start:stop]}".rstrip() for name in ROWS]
    return [*shown, " " * (2 + NAMES + column - start) + "^"]


def _rows(lines: Sequence[str]) -> dict[str, str]:
    """Return the rows of a diagram by name, each joined from its bands."""
    return {name: "".join(line[NAMES:] for line in lines if _row_name(line) == name) for name in ROWS}


def _row_name(line: str) -> str:
    name, _, rest = line.partition(" ")
    return name if name in ROWS and rest else ""


def _first_column(olds: dict[str, str], news: dict[str, str]) -> int | None:
    """Return the first column in which a row of the two diagrams differs; None where all are the same."""
    columns = zip_longest(*(rows[name] for rows in (olds, news) for name in ROWS))
    half = len(ROWS)
    return next((at for at, column in enumerate(columns) if column[:half] != column[half:]), None)


# ---------------------------------------------------------------- the lists


def _list(lines: Sequence[str]) -> list[str]:
    """Return the lines outside of the diagram: the title, the list, and comments."""
    return [line for line in lines if line.strip() and not _row_name(line) and not set(line) <= set(" |0123456789s")]


def _lines(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return the lines that differ, with some equal lines around them."""
    shown: list[str] = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT_LINES):
        shown += ["  …"] if shown else []
        for same, old_from, old_to, new_from, new_to in group:
            if same == "equal":
                shown += [f"  {line}" for line in old[old_from:old_to]]
            else:
                shown += [*_limited("-", old[old_from:old_to]), *_limited("+", new[new_from:new_to])]
    return [*shown[:MAX_LINES], *(["  …"] if len(shown) > MAX_LINES else [])]


def _limited(sign: str, lines: Sequence[str]) -> Iterator[str]:
    yield from (f"{sign} {line}" for line in lines[:MAX_GROUP_LINES])
    if len(lines) > MAX_GROUP_LINES:
        yield f"{sign} … {len(lines) - MAX_GROUP_LINES} more"
