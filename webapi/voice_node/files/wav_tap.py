"""Writes the audio of one stream of the graph to a WAV file, in a thread, with a limit on its length."""

from __future__ import annotations

from pathlib import Path

from loguru import logger

from webapi.voice_node.audio.wav import wav_header
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.files.byte_writer import ByteWriter


class WavTap:
    """Replaces the file at `path` by at most `longest_s` seconds of int16 mono PCM at `rate` Hz; the rest is dropped.

    `write` never blocks and never raises: a full disk is logged once, and the call goes on. The constructor raises
    UserError where there is no such folder.
    """

    def __init__(self, path: Path, rate: int, longest_s: int) -> None:
        if not path.parent.is_dir() or path.is_dir():
            raise UserError(f"tap: {path}: not a file in a folder that exists")
        self._path, self._rate = path, rate
        self._left = longest_s * rate * BYTES_PER_SAMPLE
        log = logger.bind(event="tap_failed", path=str(path))
        header = wav_header(rate)(None)
        self._file = ByteWriter(lambda why: log.error(f"tap: {path}: {why}"), self._left + len(header))
        self._file.write(path, header)
        self._open = True

    def write(self, pcm: bytes) -> None:
        """Append int16 PCM, as much as still fits."""
        piece = pcm[: self._left]
        self._left -= len(piece)
        if piece and self._open:
            self._file.write(self._path, piece)

    def close(self) -> None:
        """Write what is queued, and the final length into the header. A second call does nothing."""
        if self._open:
            self._open = False
            self._file.close({self._path: wav_header(self._rate)})
