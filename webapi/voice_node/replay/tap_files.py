"""Where the taps of a graph write in a replay: into a folder of its output, whatever path the graph names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from webapi.voice_node.errors import UserError, why_unwritable
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.safe_names import name_key, safe_name


class TapFiles:
    """Called with the `file` of each tap: returns the file in `folder` that it writes, None where it writes nothing.

    Without a folder no tap writes. The graph may come from somebody else's recording, so its path gives only the name.
    Files that are written, and taps that write nothing, are listed in `result`.
    """

    def __init__(self, folder: Path | None, result: ReplayResult) -> None:
        self._folder = folder
        self._result = result
        self._taken: set[str] = set()

    def __call__(self, file: str) -> Path | None:
        """Return the file, in a folder that exists. Raises UserError where that can't be made."""
        if self._folder is None:
            self._result.unwritten_taps.append(file)
            return None
        name = safe_name(PurePosixPath(file.replace("\\", "/")).stem)
        number, unique = 1, name
        while name_key(unique) in self._taken:
            number += 1
            unique = f"{name}-{number}"
        self._taken.add(name_key(unique))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self._folder}: can't be written: {why_unwritable(error)}") from None
        path = self._folder / f"{unique}.wav"
        if path.is_symlink():
            path.unlink()
        self._result.taps.append(str(path))
        return path
