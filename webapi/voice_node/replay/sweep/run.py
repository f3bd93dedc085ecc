"""Runs a sweep: every recording with every cell of the grid, and a row of numbers for each cell.

A recording is heard once: what its cells have in common (caller_part.py) is computed when the first of them needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.batch import run_batch
from webapi.voice_node.replay.progress import BatchProgress, OnProgress
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.sweep.caller_part import CallerPart, Section, split
from webapi.voice_node.replay.sweep.corpus import Recording
from webapi.voice_node.replay.sweep.decide import decide
from webapi.voice_node.replay.sweep.grid import Cell
from webapi.voice_node.replay.sweep.heard import HeardRecording
from webapi.voice_node.replay.sweep.heard_cache import HeardCache
from webapi.voice_node.replay.sweep.rows import Facts, Row, facts, mark_best, row
from webapi.voice_node.replay.wav_replay import replay


@dataclass
class SweepResult:
    """The rows of a sweep, and what went wrong."""

    rows: list[Row] = field(default_factory=list)  # one for each cell
    problems: list[str] = field(default_factory=list)  # each once
    failed: bool = False  # a recording could not be replayed
    heard: int = 0  # sections that were computed, and not found in memory or on disk


class Run(NamedTuple):
    """A cell for one recording."""

    number: int  # of the cell in the grid
    cell: Cell
    part: CallerPart | None  # None: its graph is replayed whole


class Task(NamedTuple):
    """One recording with some cells: the work of one process at a time. Cells that hear the same are neighbours."""

    recording: Recording
    runs: tuple[Run, ...]

    def __str__(self) -> str:
        cells = str(self.runs[0].cell) if len(self.runs) == 1 else f"{len(self.runs)} cells"
        return f"{self.recording.path} with {cells}"

    @property
    def seconds(self) -> float:
        """How much audio that is: the recording once for each section, and once for each cell."""
        sections = {section.key for run in self.runs if run.part for section in _sections(run.part.section)}
        return self.recording.seconds * (len(sections) + len(self.runs))


class Found(NamedTuple):
    """What came of a task."""

    facts: list[Facts | UserError]  # for each run
    heard: int
    problems: tuple[str, ...]  # of what is kept on disk


def sweep(
    corpus: Sequence[Recording], cells: Sequence[Cell], jobs: int, channel: int = 0, *, keep: bool = True
) -> SweepResult:
    """Replay a channel of each recording with each cell, `jobs` at a time; their number does not change the rows.

    `keep`: what was heard is kept on disk, for other sweeps of the same recordings; nor does that.
    """
    tasks = _tasks(corpus, cells, jobs)
    found: dict[tuple[int, Recording], Facts | UserError] = {}
    result = SweepResult()
    kept: dict[str, None] = {}
    what = "recordings" if len(tasks) == len(corpus) else "parts"
    with (
        BatchProgress([task.seconds for task in tasks], what) as progress,
        closing(run_batch(partial(hear, channel=channel, keep=keep), tasks, tasks, jobs, progress)) as results,
    ):
        for task, of_task in zip(tasks, results, strict=True):
            if not isinstance(of_task, UserError):
                result.heard += of_task.heard
                kept.update(dict.fromkeys(of_task.problems))
            for at, run in enumerate(task.runs):
                of_run = of_task if isinstance(of_task, UserError) else of_task.facts[at]
                found[run.number, task.recording] = of_run
    problems: dict[str, None] = {}
    for index, cell in enumerate(cells):
        of_cell = [(recording, found[index, recording]) for recording in corpus]
        for recording, each in of_cell:
            notes = [str(each)] if isinstance(each, UserError) else [f"{recording.path}: {note}" for note in each.notes]
            problems.update(dict.fromkeys(notes))
        result.failed = result.failed or any(isinstance(each, UserError) for _, each in of_cell)
        result.rows.append(row(cell.values, [each for _, each in of_cell if isinstance(each, Facts)]))
    mark_best(result.rows)
    result.problems = [*problems, *kept]
    return result


def hear(task: Task, on_progress: OnProgress, channel: int = 0, keep: bool = True) -> Found:
    """Hear one recording, and decide with each cell."""
    work = _Work(task.recording, on_progress, channel, keep)
    found: list[Facts | UserError] = []
    for run in task.runs:
        try:
            found.append(facts(work.replayed(run), task.recording.labels))
        except UserError as error:
            found.append(error)
        work.progress.next()
    heard = work.heard
    return Found(found, heard.computed if heard else 0, tuple(heard.problems) if heard else ())


class _Work:
    """The work on one recording: one cell after the other."""

    heard: HeardRecording | None = None  # made for the first cell that needs it

    def __init__(self, recording: Recording, on_progress: OnProgress, channel: int, keep: bool) -> None:
        self.progress = _Progress(recording.seconds, on_progress)
        self._path = recording.path
        self._channel = channel
        self._keep = keep
        self._section: Section | None = None  # of the cell before
        self._counted: set[str] = set()

    def replayed(self, run: Run) -> ReplayResult:
        """Return what a replay with the cell gives. Raises UserError as `replay`."""
        cell, part = run.cell, run.part
        if part is None:
            progress = self.progress.at
            return replay(self._path, cell.graph, cell.settings, on_progress=progress, channel=self._channel)
        if self.heard is None:
            cache = HeardCache() if self._keep else None
            self.heard = HeardRecording(self._path, self._channel, cell.settings, cache)
        if self._section is not None and self._section.key != part.section.key:
            self.heard.forget(self._section)
        self._section = part.section
        for section in _sections(part.section):
            if section.key not in self._counted:
                self.heard.heard(section, self.progress.at)
                self._counted.add(section.key)
                self.progress.next()
        return decide(self.heard, cell.graph, part.rest, cell.settings, self.heard.heard(part.section))


class _Progress:
    """How much audio of a task is done."""

    def __init__(self, seconds: float, on_progress: OnProgress) -> None:
        self._seconds = seconds
        self._on_progress = on_progress
        self._done_s = 0.0

    def at(self, seconds: float) -> None:
        """Tell how far the present section or cell is."""
        self._on_progress(self._done_s + seconds)

    def next(self) -> None:
        """Tell that it is done."""
        self._done_s += self._seconds
        self._on_progress(self._done_s)


def _tasks(corpus: Sequence[Recording], cells: Sequence[Cell], jobs: int) -> list[Task]:
    """Return the work in tasks, the longest first.

    There is one for each recording, so that it is heard once; more for a recording that is so long that its task would
    keep one process at work when the others have no more.
    """
    runs = [Run(index, cell, split(cell.graph)) for index, cell in enumerate(cells)]
    runs.sort(key=lambda run: run.part.section.key if run.part else "")
    total = sum(recording.seconds for recording in corpus)
    tasks = []
    for recording in corpus:
        share = recording.seconds * jobs / total if total else 1.0  # of what each process has to do
        count = min(len(runs), max(1, round(share)))
        size = -(-len(runs) // count)
        tasks += [Task(recording, tuple(runs[at : at + size])) for at in range(0, len(runs), size)]
    return sorted(tasks, key=lambda task: -task.seconds)


def _sections(section: Section) -> Iterator[Section]:
    """Yield a section behind those that it takes from."""
    for each in (section.before, section.other):
        if each:
            yield from _sections(each)
    yield section
