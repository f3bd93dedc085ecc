"""The files of `replay --out`: events, metrics, marbles, the mix and the timeline of each recording, in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from webapi.voice_node.errors import UserError, why_unwritable
from webapi.voice_node.files.json_line import json_line
from webapi.voice_node.replay.marbles import render
from webapi.voice_node.replay.mix import PART, Mix, mix_into
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.timeline.write import write_timeline

MIX, EVENTS, METRICS, MARBLES = "mix.wav", "events.jsonl", "metrics.jsonl", "marbles.txt"
TAPS = "taps"  # a folder


def write_output(folder: Path, run: Callable[[Mix, Path], ReplayResult]) -> ReplayResult:
    """Call `run` with a mix and the folder of taps, and write what it gives.

    Raises UserError where the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with mix_into(folder / MIX) as mix:
            replayed = run(mix, folder / TAPS)
        (folder / EVENTS).write_text(as_text(replayed.events), encoding="utf-8")
        (folder / METRICS).write_text(as_text(replayed.metrics), encoding="utf-8")
        (folder / MARBLES).write_text(render(replayed), encoding="utf-8")
        write_timeline(folder, replayed)
    except FileNotFoundError as error:
        gone = f"{Path(error.filename or folder).name} is gone"
        advice = "Another replay may be writing there: give each its own folder"
        raise UserError(f"--out {folder}: can't be written: {gone}. {advice}") from None
    except OSError as error:
        raise UserError(f"--out {folder}: can't be written: {why_unwritable(error)}") from None
    return replayed


@contextmanager
def removed_if_unfinished(folders: Iterable[Path | None], out: Path | None) -> Iterator[None]:
    """Remove at the end, also after Ctrl-C: a mix that is not complete, and new folders that are still empty."""
    written = [folder for folder in folders if folder]
    new = [folder for folder in (*written, out) if folder and not folder.exists()]
    try:
        yield
    finally:
        for folder in written:
            with suppress(OSError):
                (folder / MIX).with_suffix(PART).unlink()
        for folder in new:
            with suppress(OSError):  # it is not empty, or was never made
                folder.rmdir()


def as_text(lines: Iterable[dict[str, Any]]) -> str:
    """Return the lines of a .jsonl file as text."""
    return "".join(map(json_line, lines))
