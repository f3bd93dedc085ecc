"""Find recordings: WAV files and recorded calls, named by path, folder or glob pattern."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from webapi.voice_node.audio.wav import wav_info
from webapi.voice_node.errors import UserError
from webapi.voice_node.recording.call_file import CALLER, is_call

MIX, EVENTS, MARBLES = (
    "mix.wav",
    "events.jsonl",
    "marbles.txt",
)  # a folder with all three: the output of a replay


def find_recordings(given: Sequence[str]) -> list[Path]:
    """Files, folders (their WAVs, also below) and glob patterns as files, in order. UserError where there is none.

    What an earlier replay wrote is a recording only where it is named itself.
    """
    found: list[Path] = []
    for name in given:
        path = Path(name)
        if is_call(path):
            here = [path]
        elif path.is_dir():
            here = [p for p in sorted(path.rglob("*")) if _is_recording(p)]
        elif path.exists() or not any(c in name for c in "*?["):
            here = [path]  # one that is not there is refused by name when its turn comes
        else:
            here = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not here:
            but = " (what a replay wrote does not count)" if path.is_dir() else ""
            raise UserError(f"{name}: there is no WAV{but}")
        found += here
    return list(dict.fromkeys(found))


def _is_recording(path: Path) -> bool:
    """A WAV, or a recorded call (whose own WAVs are a part of it)."""
    ours = path.name == MIX and all((path.parent / name).is_file() for name in (EVENTS, MARBLES))
    return is_call(path) or (path.suffix.lower() == ".wav" and not is_call(path.parent) and not ours)


def length_s(path: Path) -> float:
    """How long a recording is, in seconds; 0 where that can't be known: why is said when it is replayed."""
    try:
        info = wav_info(path / CALLER if is_call(path) else path)
    except UserError:
        return 0.0
    return info.frames / info.rate
