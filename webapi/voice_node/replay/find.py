"""Finds recordings: WAV files and recorded calls, named by path, folder or glob pattern."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from webapi.voice_node.audio.wav import wav_info
from webapi.voice_node.errors import UserError
from webapi.voice_node.recording.call_file import CALLER, is_call
from webapi.voice_node.replay.output import EVENTS, MARBLES, MIX


def find_recordings(given: Sequence[str], problems: list[str] | None = None) -> list[Path]:
    """Return files, folders (their WAVs, also below) and glob patterns as files, in order, each once.

    The output of an earlier replay counts only where it is named itself. A folder or a pattern without recordings is
    told in `problems`. Raises UserError where there is no recording at all, or for the first such folder without
    `problems`.
    """
    missing: list[str] = []
    found: list[Path] = []
    for name in given:
        path = Path(name)
        is_pattern = any(c in name for c in "*?[") and not path.exists()
        places = _matching(path) if is_pattern else [path]
        if not places:
            missing.append(f"{name}: there is no WAV")
        for place in places:
            here = _recordings_at(place)
            if not here:
                missing.append(f"{place}: there is no WAV (what a replay wrote does not count)")
            found += here
    if missing and (problems is None or not found):
        raise UserError("\n".join(missing))
    if problems is not None:
        problems += missing
    return list(dict.fromkeys(found))


def _recordings_at(path: Path) -> list[Path]:
    """A file, which is refused by name when its turn comes if it does not exist; of a folder, what is in it."""
    if path.is_dir() and not is_call(path):
        return [p for p in sorted(path.rglob("*")) if _is_recording(p)]
    return [path]


def _matching(pattern: Path) -> list[Path]:
    try:
        return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    except ValueError as error:  # for example `**x`
        raise UserError(f"{pattern}: {error}") from None


def _is_recording(path: Path) -> bool:
    """Whether it is a recorded call, or a WAV that is no part of a call and no output of a replay."""
    is_output = path.name == MIX and all((path.parent / name).is_file() for name in (EVENTS, MARBLES))
    return is_call(path) or (path.suffix.lower() == ".wav" and not is_call(path.parent) and not is_output)


def length_s(path: Path) -> float:
    """Return the length of a recording in seconds; 0 for a file that can't be read, which its replay reports."""
    try:
        info = wav_info(path / CALLER if is_call(path) else path)
    except UserError:
        return 0.0
    return info.frames / info.rate
