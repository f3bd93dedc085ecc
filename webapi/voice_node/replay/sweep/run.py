"""`voice-node sweep`: recordings over a grid of settings, and what each cell heard."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from webapi.voice_node.errors import PrintLine, UserError, why_unwritable
from webapi.voice_node.recording.call_file import CALLER, is_call
from webapi.voice_node.replay.batch import run_batch
from webapi.voice_node.replay.find import find_recordings, length_s
from webapi.voice_node.replay.progress import Progress
from webapi.voice_node.replay.sweep.grid import Cell
from webapi.voice_node.replay.sweep.labels import LABELS, find_labels, read_labels
from webapi.voice_node.replay.sweep.rows import Facts, Row, facts, mark_best, row
from webapi.voice_node.replay.sweep.scoring import SpeechSpan
from webapi.voice_node.replay.sweep.table import show
from webapi.voice_node.replay.wav_replay import Tell, replay


@dataclass(frozen=True)
class Recording:
    """What is heard in every cell."""

    path: Path
    seconds: float
    labels: tuple[SpeechSpan, ...] | None  # None: nobody has labelled it


@dataclass
class Swept:
    """What came of a sweep."""

    rows: list[Row] = field(default_factory=list)  # of each cell
    problems: list[str] = field(default_factory=list)  # each once
    failed: bool = False  # something could not be replayed


def find_corpus(given: Sequence[str], labels: Path | None) -> list[Recording]:
    """The recordings in files, folders and glob patterns, with their labels; of recorded calls what the caller said."""
    if labels is not None and not labels.is_dir():
        raise UserError(f"--labels {labels}: there is no such folder")
    corpus = []
    for path in find_recordings(given):
        if path.suffix in LABELS:  # of corpus/*, say
            continue
        wav = path / CALLER if is_call(path) else path
        seconds = length_s(wav)
        marked = find_labels(wav, path.name if is_call(path) and labels else wav.stem, labels)
        spans = read_labels(marked, seconds) if marked and seconds else None
        corpus.append(Recording(wav, seconds, spans))
    return corpus


def sweep_files(
    corpus: Sequence[Recording], cells: Sequence[Cell], jobs: int, out: Path | None, complain: PrintLine
) -> int:
    """Sweep, show the table, and write it and its picture into `out`. Gives 1 where something could not be replayed."""
    if out:
        try:
            out.mkdir(parents=True, exist_ok=True)  # now: a long sweep is not to fail at its end
        except OSError as error:
            raise UserError(f"--out {out}: can't be written: {why_unwritable(error)}") from None
    swept = sweep(corpus, cells, 1 if any(cell.graph.taps for cell in cells) else jobs)
    for problem in swept.problems:
        complain(problem)
    if not any(row["recordings"] for row in swept.rows):
        raise UserError("None of the recordings could be replayed.")
    names = list(cells[0].values)
    show(swept.rows, names, [(r.seconds, r.labels is not None) for r in corpus if r.seconds])
    if out:
        _write(out, swept.rows, names, corpus)
        try:
            from webapi.voice_node.replay.sweep.plots import draw  # here: matplotlib is an extra, and slow to import

            draw(swept.rows, names, out)
        except UserError as error:
            complain(str(error))
    return 1 if swept.failed else 0


def sweep(corpus: Sequence[Recording], cells: Sequence[Cell], jobs: int) -> Swept:
    """Each recording in each cell, `jobs` of them at a time; the same rows for any `jobs`."""
    runs = [(cell, recording) for cell in cells for recording in corpus]
    names = [f"{recording.path} with {described(cell)}" for cell, recording in runs]
    swept = Swept()
    problems: dict[str, None] = {}
    heard: list[Facts | None] = []
    with (
        Progress([recording.seconds for _, recording in runs], "runs") as progress,
        closing(run_batch(hear, runs, names, jobs, progress)) as results,
    ):
        for (_, recording), result in zip(runs, results, strict=True):
            if isinstance(result, UserError):
                swept.failed = True
                problems[str(result)] = None
                heard.append(None)
            else:
                problems.update(dict.fromkeys(f"{recording.path}: {note}" for note in result.notes))
                heard.append(result)
    for index, cell in enumerate(cells):
        of_cell = heard[index * len(corpus) : (index + 1) * len(corpus)]
        swept.rows.append(row(cell.values, [each for each in of_cell if each]))
    mark_best(swept.rows)
    swept.problems = list(problems)
    return swept


def hear(run: tuple[Cell, Recording], tell: Tell) -> Facts:
    """One recording in one cell."""
    cell, recording = run
    return facts(replay(recording.path, cell.graph, cell.settings, tell=tell), recording.labels)


def described(cell: Cell) -> str:
    """The cell in words."""
    return " ".join(f"{name}={value}" for name, value in cell.values.items())


def _write(out: Path, rows: Sequence[Row], names: Sequence[str], corpus: Sequence[Recording]) -> None:
    """`sweep.csv` and `sweep.json`: the same numbers for any number of jobs, and so the same bytes."""
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
