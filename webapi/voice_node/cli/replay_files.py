"""Replays files for the command `replay`: side by side, each result printed in order, with an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from webapi.voice_node.cli.replay_printer import Expected, ReplayPrinter
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import PrintLine, UserError
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.recording.call_file import is_call
from webapi.voice_node.replay.batch import run_batch
from webapi.voice_node.replay.changes import NO_CHANGES, ReplayChanges
from webapi.voice_node.replay.find import length_s
from webapi.voice_node.replay.marble_diff import read_marbles
from webapi.voice_node.replay.output import removed_if_unfinished, write_output
from webapi.voice_node.replay.output_folders import output_folders
from webapi.voice_node.replay.progress import BatchProgress, OnProgress
from webapi.voice_node.replay.recording_replay import replay_recording
from webapi.voice_node.replay.result import ReplayResult


def replay_files(
    paths: Sequence[Path],
    graph: GraphSpec,
    settings: Settings,
    *,
    out: Path | None,
    expect: Path | None,
    update: bool,
    jobs: int,
    print_line: PrintLine,
    print_error: PrintLine,
    wav_changes: ReplayChanges = NO_CHANGES,
    call_changes: ReplayChanges = NO_CHANGES,
    channel: int = 0,
    columns: int | None = None,
) -> int:
    """Replay the recordings, `jobs` of them at a time, and print the results in order.

    `wav_changes`, `call_changes`: what a WAV or a recorded call is compared with. `columns`: the terminal's width.
    Returns 0; 1 where a recording could not be read, was not as expected, or diverged from what it is compared with; 2
    where none could be replayed.
    Raises UserError for options that contradict each other.
    """
    expected = _expected(paths, expect, update, call_changes if is_call(paths[0]) else wav_changes)
    folders = output_folders(paths, out)
    items = list(zip(paths, folders, strict=True))
    work = partial(
        _replay_into,
        graph=graph,
        settings=settings,
        wav_changes=wav_changes,
        call_changes=call_changes,
        channel=channel,
    )
    printer = ReplayPrinter(print_line, print_error, expected, columns)
    all_right, failed = True, 0
    with (
        removed_if_unfinished(folders, out),
        BatchProgress([length_s(path) for path in paths], "files") as progress,
        closing(run_batch(work, items, paths, jobs, progress)) as results,
    ):
        for path, replayed in zip(paths, results, strict=True):
            with progress.hidden():
                if isinstance(replayed, UserError):
                    print_error(str(replayed))
                    failed += 1
                else:
                    all_right &= printer.show(path, replayed, call_changes if is_call(path) else wav_changes)
    replies = printer.failed_replies
    if replies:
        print_line("1 reply failed" if replies == 1 else f"{replies} replies failed")
    if failed == len(paths):
        return 2
    return 0 if all_right and not failed and not replies else 1


def _expected(paths: Sequence[Path], expect: Path | None, update: bool, changes: ReplayChanges) -> Expected | None:
    """Return the marbles to compare with. A problem with the file is raised here, before a long replay."""
    if update and not expect:
        raise UserError("--update writes the file that --expect names: which one?")
    if expect is None:
        return None
    if len(paths) > 1:
        raise UserError(f"--expect compares one recording, {len(paths)} were given")
    if changes:
        raise UserError("--expect compares with a file, --against with another replay: one of the two at a time")
    text = read_marbles(expect)
    if not text and not update:
        raise UserError(f"--expect {expect}: there is no such file, or nothing in it; --update writes it")
    return Expected(expect, text, update)


def _replay_into(
    item: tuple[Path, Path | None],
    on_progress: OnProgress,
    *,
    graph: GraphSpec,
    settings: Settings,
    wav_changes: ReplayChanges,
    call_changes: ReplayChanges,
    channel: int,
) -> ReplayResult:
    path, folder = item
    changes = call_changes if is_call(path) else wav_changes
    if folder is None:
        return replay_recording(path, graph, settings, changes, None, on_progress, channel=channel)
    return write_output(
        folder, lambda mix, taps: replay_recording(path, graph, settings, changes, mix, on_progress, taps, channel)
    )
