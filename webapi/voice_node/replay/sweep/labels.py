"""Reads labels, which say where somebody speaks in a recording: a label track as Audacity exports it."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.plain_text import shortened
from webapi.voice_node.replay.sweep.scoring import SpeechSpan

LABELS = (".labels", ".txt")  # looked for in this order: another program may have its own .txt there
SLACK_S = 0.1  # how far the last label may reach beyond the recording


class Label(NamedTuple):
    """A label of a track: where somebody speaks, and its text."""

    span: SpeechSpan
    text: str


def find_labels(wav: Path, name: str, folder: Path | None) -> Path | None:
    """Return the label file of a recording: `name.labels` or `name.txt` beside `wav`, or in `folder`; else None."""
    for kind in LABELS:
        path = (folder or wav.parent) / f"{name}{kind}"
        if path.is_file():
            return path
    return None


def read_labels(path: Path, length_s: float) -> tuple[Label, ...]:
    """Return the labels, in order, of a recording of `length_s`; an empty file means that nobody speaks.

    A line is `start<TAB>end` or `start<TAB>end<TAB>text`, in seconds; whatever the text is, somebody speaks there.
    Lines that begin with a backslash are Audacity's frequencies, and are ignored. Raises UserError, with file:line, for
    other lines, and for labels that overlap or end after the recording.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file: byte {error.start} is not UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror}") from None
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("\\"):
            found.append((_label(line, f"{path}:{number}"), number))
    found.sort()
    for (label, line_of), (after, number) in pairwise(found):
        if after.span.start_s < label.span.end_s:
            raise UserError(f"{path}:{number}: overlaps the label of line {line_of}; make one label of the two")
    if found and found[-1][0].span.end_s > length_s + SLACK_S:
        label, number = found[-1]
        raise UserError(f"{path}:{number}: ends at {label.span.end_s:g} s, and the recording after {length_s:g} s")
    return tuple(label for label, _ in found)


def _label(line: str, where: str) -> Label:
    fields = line.split("\t")
    try:
        start_s, end_s = float(fields[0]), float(fields[1])
    except (IndexError, ValueError):
        shown = shortened(line, 40)
        raise UserError(
            f"{where}: {shown!r} is no label. A label is start<TAB>end<TAB>text, in seconds, as Audacity exports them. "
            f"If this file is something else, put the labels into one that ends in {LABELS[0]}: that is read instead"
        ) from None
    if not (0 <= start_s < end_s < math.inf):
        raise UserError(
            f"{where}: from {start_s:g} s to {end_s:g} s: a label begins at 0 or later, and ends after that"
        )
    return Label(SpeechSpan(start_s, end_s), fields[2].strip() if len(fields) > 2 else "")
