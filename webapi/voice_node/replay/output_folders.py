"""The folder of each recording inside `--out`: its own one, with a name that can't lead out of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from webapi.voice_node.errors import UserError
from webapi.voice_node.recording.call_file import is_call
from webapi.voice_node.replay.safe_names import name_key, safe_name


def output_folders(paths: Sequence[Path], out: Path | None) -> list[Path | None]:
    """Return the folder of each recording: `out` for a single one, else a folder in it with the recording's name.

    No two are the same, also where upper and lower case are; the first of two with one name keeps it, the others get a
    number. The same recordings in the same order get the same folders. Raises UserError where a replay would overwrite
    a recording or write outside of `out`.
    """
    if out is None:
        return [None] * len(paths)
    names = [""] if len(paths) == 1 else _unique([safe_name(path.stem) for path in paths])
    folders = [out / name for name in names]
    recordings = {path.resolve() for path in paths}
    for folder in folders:
        if not folder.resolve().is_relative_to(out.resolve()):
            raise UserError(f"--out {out}: {folder} is a link that leads out of it")
        if is_call(folder):
            raise UserError(f"--out {out}: {folder} has a recording in it, which the replay would overwrite")
        if (folder / "mix.wav").resolve() in recordings:
            raise UserError(f"--out {out}: {folder / 'mix.wav'} is a recording, which the replay would overwrite")
    return list(folders)


def _unique(names: Sequence[str]) -> list[str]:
    taken: set[str] = set()
    found: list[str] = []
    for name in names:  # the first of each name
        found.append("" if name_key(name) in taken else name)
        taken.add(name_key(name))
    for at, name in enumerate(names):
        number = 1
        while not found[at]:
            number += 1
            numbered = f"{name}-{number}"
            if name_key(numbered) not in taken:
                taken.add(name_key(numbered))
                found[at] = numbered
    return found
