"""Finds recordings: WAV files and recorded calls, named by path, folder or glob pattern."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from webapi.voice_node.audio.wav import wav_info
from webapi.voice_node.errors import UserError
from webapi.voice_node.recording.call_file import CALLER, is_call
from webapi.voice_node.replay.output import EVENTS, MARBLES, MIX


def find_recordings(given: Sequence[str]) -> list[Path]:
    """Return files, folders (their WAVs, also below) and glob patterns as files, in order, each once.

    The output of an earlier replay counts only where it is named itself. Raises UserError for a folder or a pattern
    without recordings.
    """
    found: list[Path] = []
    for name in given:
        path = Path(name)
        if is_call(path):
            here = [path]
        elif path.is_dir():
            here = [p for p in sorted(path.rglob("*")) if _is_recording(p)]
        elif path.exists() or not any(c in name for c in "*?["):
            here = [path]  # a file that does not exist is refused by name when its turn comes
        else:
            here = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not here:
            but = " (what a replay wrote does not count)" if path.is_dir() else ""
            raise UserError(f"{name}: there is no WAV{but}")
        found += here
    return list(dict.fromkeys(found))


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
