"""Keeps on disk what a detector said of each frame of a recording: no audio.

A file for each recording, section and version of the code, named by a hash of these. Whatever is wrong with a file, it
counts as missing. Files appear by a rename, so sweeps that run at once do not disturb each other.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from webapi.voice_node.errors import why_unwritable
from webapi.voice_node.files.user_cache import cache_dir

MAX_BYTES = 200_000_000  # of all files: an hour of audio takes up to 250 kB
MAGIC = b"voice-node heard 2\n"
HASH_BYTES = 32
FRAME_BYTES = 17  # uncompressed: a flag and two float64


class Judged(NamedTuple):
    """What a detector said of a frame."""

    voiced: bool
    probability: float | None
    second: float | None = None


class HeardCache:
    """The folder of such files. `problem` says why the last file could not be written; "" where it could."""

    def __init__(self, folder: Path | None = None, max_bytes: int = MAX_BYTES) -> None:
        """`folder`: in the user's cache, unless it is given."""
        try:
            self._folder = folder or cache_dir() / "heard"
        except RuntimeError:  # a user without a home: in a file no folder can be made, which is told
            self._folder = Path(os.devnull) / "heard"
        self._max_bytes = max_bytes
        self.problem = ""

    def path(self, *names: str) -> Path:
        """The file for a combination of names; it may not exist."""
        digest = hashlib.sha256("\0".join(names).encode())
        return self._folder / f"{digest.hexdigest()}.heard"

    def read(self, path: Path, count: int) -> list[Judged] | None:
        """Return what was said of `count` frames. None where there is no such file, or it is damaged."""
        try:
            whole = path.read_bytes()
            os.utime(path)  # it is used: others go first
        except OSError:
            return None
        begin = len(MAGIC) + HASH_BYTES
        packed = whole[begin:]
        if whole[:begin] != MAGIC + hashlib.sha256(packed).digest():
            return None
        with suppress(zlib.error):
            unpacking = zlib.decompressobj()
            raw = unpacking.decompress(packed, count * FRAME_BYTES + 1)  # a file of others must not fill the memory
            if len(raw) == count * FRAME_BYTES and unpacking.eof:
                return _unpacked(raw, count)
        return None

    def write(self, path: Path, judged: Sequence[Judged]) -> None:
        """Write a file, and remove the files that were used least recently where there are too many."""
        packed = zlib.compress(_packed(judged), 1)
        whole = MAGIC + hashlib.sha256(packed).digest() + packed
        self.problem = ""
        unfinished: Path | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
                unfinished = Path(file.name)
                file.write(whole)
            unfinished.replace(path)
        except OSError as error:
            self.problem = f"{self._folder}: can't be written: {why_unwritable(error)}; the next sweep hears all again"
            if unfinished:
                with suppress(OSError):
                    unfinished.unlink()
            return
        self._make_room(path)

    def _make_room(self, newest: Path) -> None:
        """Remove the oldest files, but not the newest. What was left by a process that was killed goes with them."""
        with suppress(OSError):
            found = [(stat.st_mtime, stat.st_size, path) for path, stat in _stats(self._folder.iterdir())]
            size = sum(each for _, each, _ in found)
            for _, bytes_, path in sorted(found):
                if size <= self._max_bytes:
                    return
                if path != newest:
                    with suppress(OSError):
                        path.unlink()
                    size -= bytes_


def _stats(paths: Iterable[Path]) -> Iterable[tuple[Path, os.stat_result]]:
    for path in paths:
        with suppress(OSError):  # another sweep has removed it
            yield path, path.stat()


def _packed(judged: Sequence[Judged]) -> bytes:
    flags = np.array([each.voiced for each in judged], np.uint8)
    return flags.tobytes() + _floats(each.probability for each in judged) + _floats(each.second for each in judged)


def _unpacked(raw: bytes, count: int) -> list[Judged]:
    flags = np.frombuffer(raw, np.uint8, count).astype(bool).tolist()
    likely, second = (np.frombuffer(raw, "<f8", count, at * count).tolist() for at in (1, 9))
    return [Judged(flag, _known(p), _known(also)) for flag, p, also in zip(flags, likely, second, strict=True)]


def _floats(values: Iterable[float | None]) -> bytes:
    return np.array([np.nan if each is None else each for each in values], "<f8").tobytes()


def _known(value: float) -> float | None:
    return None if value != value else value
