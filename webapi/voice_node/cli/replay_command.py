"""`voice-node replay`: recordings in, marbles on the terminal and files beside them out; the exit code tells."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from webapi.voice_node.audio_io import resampler
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import PrintLine, UserError, why_unwritable
from webapi.voice_node.events import json_line
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.recording.call_file import is_call
from webapi.voice_node.replay.batch import run_batch
from webapi.voice_node.replay.call_replay import NO_CHANGES, Changes, replay_call
from webapi.voice_node.replay.compare import replay_with_changes, show_both
from webapi.voice_node.replay.find import EVENTS, MARBLES, MIX, length_s
from webapi.voice_node.replay.marble_diff import difference, line_difference, read_marbles, write_marbles
from webapi.voice_node.replay.marbles import render
from webapi.voice_node.replay.progress import Progress
from webapi.voice_node.replay.timeline.write import write_timeline
from webapi.voice_node.replay.wav_replay import RATE_HZ, Mix, ReplayResult, Tell, replay

PART = ".part"  # of a mix that is not yet whole
MIX_RATE_HZ = 16_000


def replay_files(
    paths: Sequence[Path],
    graph: GraphSpec,
    settings: Settings,
    *,
    out: Path | None,
    expect: Path | None,
    update: bool,
    jobs: int,
    say: PrintLine,
    complain: PrintLine,
    wavs: Changes = NO_CHANGES,
    calls: Changes = NO_CHANGES,
) -> int:
    """Replay each, `jobs` of them at a time, and tell of them in order.

    `wavs` and `calls`: what is to be different in those, to be compared with. Gives 0, or 1 where a recording could
    not be read, was not as expected, or parted from what it is compared with; the others still run. 2 where none could
    be replayed.
    """
    if update and not expect:
        raise UserError("--update writes the file that --expect names: which one?")
    if expect and len(paths) > 1:
        raise UserError(f"--expect compares one recording, {len(paths)} were given")
    if expect and (calls if is_call(paths[0]) else wavs):
        raise UserError("--expect compares with a file, --against with another replay: one of the two at a time")
    expected = read_marbles(expect) if expect else ""  # now: what is wrong with it is said before a long replay
    if expect and not expected and not update:
        raise UserError(f"--expect {expect}: there is no such file, or nothing in it; --update writes it")
    if graph.taps:  # two at a time would write the same file; one after another, the last one's stays
        jobs = 1
    folders = _folders(paths, out)
    new = [folder for folder in (*folders, out) if folder and not folder.exists()]
    places = list(zip(paths, folders, strict=True))
    work = partial(_replay_into, graph=graph, settings=settings, wavs=wavs, calls=calls)
    right, failed = True, 0
    with (
        _tidied(folders, new),
        Progress([length_s(path) for path in paths], "files") as progress,
        closing(run_batch(work, places, paths, jobs, progress)) as results,
    ):
        for path, replayed in zip(paths, results, strict=True):
            with progress.aside():
                if isinstance(replayed, UserError):
                    complain(str(replayed))
                    failed += 1
                    continue
                for note in _notes(path, replayed):
                    complain(note)
                if replayed.before:
                    right &= show_both(path, replayed, calls if is_call(path) else wavs, say)
                else:
                    right &= _tell(path, replayed, expected, expect, update, say, complain)
    if failed == len(paths):
        return 2
    return 0 if right and not failed else 1


@contextmanager
def _tidied(folders: Sequence[Path | None], new: Sequence[Path]) -> Iterator[None]:
    """However it ends, Ctrl-C included, no half mix is left, and no new folder in which there is nothing."""
    try:
        yield
    finally:
        for folder in filter(None, folders):
            with suppress(OSError):
                (folder / MIX).with_suffix(PART).unlink()
        for folder in new:
            with suppress(OSError):  # there is something in it, or it was never made
                folder.rmdir()


def _tell(
    path: Path,
    replayed: ReplayResult,
    expected: str,
    expect: Path | None,
    update: bool,
    say: PrintLine,
    complain: PrintLine,
) -> bool:
    """Show what came of a recording; whether that is as expected, and as recorded."""
    text = render(replayed)
    say(text)
    right = not expect or _as_expected(text, expected, expect, update, say, complain)
    return (replayed.recorded is None or _as_recorded(path, replayed, say, complain)) and right


def _as_expected(text: str, expected: str, expect: Path, update: bool, say: PrintLine, complain: PrintLine) -> bool:
    """Compare with what the file says, or write it where that is wanted."""
    if update:
        write_marbles(expect, text)
        say(f"{expect} says this now")
        return True
    found = difference(expected, text)
    if found:
        complain(f"not as {expect} says:\n{found}")
    else:
        say(f"as {expect} says")
    return not found


def _as_recorded(path: Path, replayed: ReplayResult, say: PrintLine, complain: PrintLine) -> bool:
    """Whether a call's events are, byte for byte, those that it was recorded with."""
    recorded, now = replayed.recorded or "", _as_text(replayed.events)
    if now == recorded:
        say(f"{path}: the same {len(replayed.events)} events as when it was recorded")
        return True
    if now.startswith(recorded):
        say(f"{path}: the recording broke off; as far as it goes, the events are the same")
        return True
    complain(f"{path}: not the events that it was recorded with; {line_difference(recorded, now)}")
    return False


def _notes(path: Path, replayed: ReplayResult) -> Iterator[str]:
    if replayed.truncated:
        yield f"{path}: the file is shorter than its header says; what is there was replayed"
    for trouble in replayed.trouble:
        yield f"{path}: {trouble}"
    for file in dict.fromkeys([*(replayed.before.taps if replayed.before else ()), *replayed.taps]):
        yield f"{path}: wrote {file}"


def _folders(paths: Sequence[Path], out: Path | None) -> list[Path | None]:
    """Where each one's files go: into `out` itself, or, where there are several, each into a folder of its name."""
    if out is None or len(paths) == 1:
        return [out] * len(paths)
    names: dict[str, int] = {}
    folders: list[Path | None] = []
    for path in paths:
        names[path.stem] = names.get(path.stem, 0) + 1
        folders.append(out / (path.stem if names[path.stem] == 1 else f"{path.stem}-{names[path.stem]}"))
    return folders


def _replay_into(
    place: tuple[Path, Path | None],
    tell: Tell,
    *,
    graph: GraphSpec,
    settings: Settings,
    wavs: Changes,
    calls: Changes,
) -> ReplayResult:
    path, folder = place
    instead = calls if is_call(path) else wavs

    def run(mix: Mix | None) -> ReplayResult:
        if instead:
            return replay_with_changes(path, graph, settings, instead, mix, tell)
        if is_call(path):
            return replay_call(path, mix, instead, tell)
        return replay(path, graph, settings, mix, instead.pace, tell)

    if folder is None:
        return run(None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _mix_into(folder / MIX) as mix:
            replayed = run(mix)
        _write_lines(folder / EVENTS, replayed.events)
        _write_lines(folder / "metrics.jsonl", replayed.metrics)
        (folder / MARBLES).write_text(render(replayed), encoding="utf-8")
        write_timeline(folder, replayed)
    except OSError as error:
        raise UserError(f"--out {folder}: can't be written: {why_unwritable(error)}") from None
    return replayed


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    path.write_text(_as_text(lines), encoding="utf-8")


def _as_text(lines: Iterable[dict[str, Any]]) -> str:
    return "".join(map(json_line, lines))


@contextmanager
def _mix_into(path: Path) -> Iterator[Mix]:
    """Stereo at 16 kHz, written as the replay goes: channel 0 the caller, 1 the bot. It is there once it is whole."""
    part = path.with_suffix(PART)
    sides = [resampler(RATE_HZ, MIX_RATE_HZ, aligned=True) for _ in range(2)]
    try:
        with wave.open(str(part), "wb") as file:
            file.setparams((2, 2, MIX_RATE_HZ, 0, "NONE", ""))

            def write(pieces: Iterable[bytes]) -> None:
                file.writeframesraw(np.stack([np.frombuffer(piece, "<i2") for piece in pieces], axis=1).tobytes())

            yield lambda caller, bot: write(side.push(pcm) for side, pcm in zip(sides, (caller, bot), strict=True))
            write(side.flush() for side in sides)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
