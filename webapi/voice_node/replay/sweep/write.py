"""Writes the rows of a sweep as sweep.csv and sweep.json."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from webapi.voice_node.errors import UserError, why_unwritable
from webapi.voice_node.replay.sweep.corpus import Recording
from webapi.voice_node.replay.sweep.rows import Row


def make_folder(out: Path) -> None:
    """Make the output folder before a long sweep. Raises UserError where that is impossible."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: can't be written: {why_unwritable(error)}") from None


def write_rows(out: Path, rows: Sequence[Row], names: Sequence[str], corpus: Sequence[Recording]) -> None:
    """Write both files. `names`: of the settings in the grid. Raises UserError where they can't be written."""
    recordings = [
        {"file": str(r.path), "seconds": round(r.seconds, 6), "labels": None if r.labels is None else len(r.labels)}
        for r in corpus
    ]
    whole = {"grid": {name: list(dict.fromkeys(row[name] for row in rows)) for name in names}}
    text = json.dumps({**whole, "recordings": recordings, "cells": list(rows)}, indent=1, ensure_ascii=False) + "\n"
    try:
        (out / "sweep.json").write_text(text, encoding="utf-8")
        with (out / "sweep.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
    except OSError as error:
        raise UserError(f"--out {out}: can't be written: {why_unwritable(error)}") from None
