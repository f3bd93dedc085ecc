"""Runs a sweep: every recording with every cell of the grid, and a row of numbers for each cell."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.batch import run_batch
from webapi.voice_node.replay.progress import BatchProgress, OnProgress
from webapi.voice_node.replay.sweep.corpus import Recording
from webapi.voice_node.replay.sweep.grid import Cell
from webapi.voice_node.replay.sweep.rows import Facts, Row, facts, mark_best, row
from webapi.voice_node.replay.wav_replay import replay


@dataclass
class SweepResult:
    """The rows of a sweep, and what went wrong."""

    rows: list[Row] = field(default_factory=list)  # one for each cell
    problems: list[str] = field(default_factory=list)  # each once
    failed: bool = False  # a recording could not be replayed


def sweep(corpus: Sequence[Recording], cells: Sequence[Cell], jobs: int, channel: int = 0) -> SweepResult:
    """Replay a channel of each recording with each cell, `jobs` at a time; their number does not change the rows."""
    runs = [(cell, recording) for cell in cells for recording in corpus]
    names = [f"{recording.path} with {cell}" for cell, recording in runs]
    result = SweepResult()
    problems: dict[str, None] = {}
    heard: list[Facts | None] = []
    with (
        BatchProgress([recording.seconds for _, recording in runs], "runs") as progress,
        closing(run_batch(partial(hear, channel=channel), runs, names, jobs, progress)) as results,
    ):
        for (_, recording), found in zip(runs, results, strict=True):
            if isinstance(found, UserError):
                result.failed = True
                problems[str(found)] = None
                heard.append(None)
            else:
                problems.update(dict.fromkeys(f"{recording.path}: {note}" for note in found.notes))
                heard.append(found)
    for index, cell in enumerate(cells):
        of_cell = heard[index * len(corpus) : (index + 1) * len(corpus)]
        result.rows.append(row(cell.values, [each for each in of_cell if each]))
    mark_best(result.rows)
    result.problems = list(problems)
    return result


def hear(run: tuple[Cell, Recording], on_progress: OnProgress, channel: int = 0) -> Facts:
    """Replay one recording with one cell."""
    cell, recording = run
    replayed = replay(recording.path, cell.graph, cell.settings, on_progress=on_progress, channel=channel)
    return facts(replayed, recording.labels)
