"""Two marble texts held against each other: the pictures aligned, then the lines that differ, in 80 columns.

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
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.marbles import COLUMN_MS, COLUMNS, NAMES, is_marbles, scale

ROWS = ("voice", "turns", "bot")
AROUND = 2  # lines that are the same, shown before and after those that differ
MOST = 4  # lines of one side in a row
LONGEST = 16  # lines in all


def read_marbles(file: Path) -> str:
    """The marbles text in `file`; "" where there is no such file, or nothing in it.

    UserError for a file of something else: what is no marbles text is neither compared nor written over.
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
    """Write it, and the folder that it goes into. UserError where that can't be."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: can't be written: {error.strerror}") from None


def difference(expected: str, got: str) -> str:
    """ "" where two marble texts are the same; else what differs, first the pictures, then the lists."""
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
    return "\n".join([f"- expected, + got; {where}", "", *_band(olds, news, column), "", *lines]).rstrip()


def line_difference(expected: str, got: str) -> str:
    """ "" where two texts are the same; else the first line that differs, of each."""
    if expected == got:
        return ""
    both = zip_longest(expected.splitlines(keepends=True), got.splitlines(keepends=True), fillvalue="")
    number, (old, new) = next((n, pair) for n, pair in enumerate(both, 1) if pair[0] != pair[1])
    return f"the first difference is in line {number}:\n- {_shown(old)}\n+ {_shown(new)}"


def _shown(line: str) -> str:
    """The line; as Python writes it where spaces are its difference; a word where there is none."""
    bare = line.rstrip("\r\n")
    if not line:
        return "(the end)"
    return bare if bare and bare == bare.strip() and line.endswith("\n") else repr(line)


# ---------------------------------------------------------------- the pictures


def _band(olds: dict[str, str], news: dict[str, str], column: int) -> list[str]:
    """The band of both pictures in which `column` is, the same columns under each other, and a mark below it."""
    start = column // COLUMNS * COLUMNS
    stop = min(start + COLUMNS, max(len(row) for rows in (olds, news) for row in rows.values()))
    shown = [f"  {line}" for line in scale(start, stop)]
    for sign, rows in (("-", olds), ("+", news)):
        shown += [f"{sign} {name:{NAMES}}{rows[name][start:stop]}".rstrip() for name in ROWS]
    return [*shown, " " * (2 + NAMES + column - start) + "^"]


def _rows(lines: Sequence[str]) -> dict[str, str]:
    """The rows of a picture, each of its bands put together again."""
    return {name: "".join(line[NAMES:] for line in lines if _row_name(line) == name) for name in ROWS}


def _row_name(line: str) -> str:
    name, _, rest = line.partition(" ")
    return name if name in ROWS and rest else ""


def _first_column(olds: dict[str, str], news: dict[str, str]) -> int | None:
    """The first column in which a row of the two pictures differs, or None."""
    columns = zip_longest(*(rows[name] for rows in (olds, news) for name in ROWS))
    half = len(ROWS)
    return next((at for at, column in enumerate(columns) if column[:half] != column[half:]), None)


# ---------------------------------------------------------------- the lists


def _list(lines: Sequence[str]) -> list[str]:
    """What is not picture: the title, the list, and whatever people wrote between."""
    return [line for line in lines if line.strip() and not _row_name(line) and not set(line) <= set(" |0123456789s")]


def _lines(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The lines that differ, with some that don't around the first ones."""
    shown: list[str] = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(AROUND):
        shown += ["  …"] if shown else []
        for same, old_from, old_to, new_from, new_to in group:
            if same == "equal":
                shown += [f"  {line}" for line in old[old_from:old_to]]
            else:
                shown += [*_some("-", old[old_from:old_to]), *_some("+", new[new_from:new_to])]
    return [*shown[:LONGEST], *(["  …"] if len(shown) > LONGEST else [])]


def _some(sign: str, lines: Sequence[str]) -> Iterator[str]:
    yield from (f"{sign} {line}" for line in lines[:MOST])
    if len(lines) > MOST:
        yield f"{sign} … {len(lines) - MOST} more"
