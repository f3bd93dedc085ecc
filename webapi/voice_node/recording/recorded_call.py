"""Reads a recorded call: see call_file.py for its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapi.voice_node.audio.wav import iter_wav, wav_info
from webapi.voice_node.errors import UserError
from webapi.voice_node.inputs import Input
from webapi.voice_node.recording.call_file import CALL, CALLER, EVENTS, GRAPH, INPUTS, REPLIES, VERSION, input_of


@dataclass(frozen=True)
class RecordedCall:
    """A recorded call. A recording that broke off gives what is complete of it."""

    folder: Path
    header: dict[str, Any]  # call.json
    graph: str  # the text of graph.yaml

    def inputs(self) -> Iterator[Input]:
        """Yield the inputs in order. Raises UserError, with file:line, for a line that is none."""
        if not (self.folder / INPUTS).exists():
            return  # it broke off before the first of them was on the disk
        audio = {name: _PcmReader(self.folder / name) for name in (CALLER, REPLIES)}
        with (self.folder / INPUTS).open(encoding="utf-8", errors="replace") as file:
            for number, text in enumerate(file, start=1):
                try:
                    given = input_of(json.loads(text), lambda name, size: audio[name].take(size))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    if text.endswith("\n"):
                        raise UserError(
                            f"{self.folder / INPUTS}:{number}: not a line of a recording: {error}"
                        ) from None
                    return  # the end of a recording that broke off
                if given is None:
                    return
                yield given

    def events(self) -> str:
        """Return what the node decided, as the text of events.jsonl without an incomplete last line."""
        path = self.folder / EVENTS
        whole = path.read_bytes().rpartition(b"\n") if path.exists() else (b"", b"", b"")
        try:
            return (whole[0] + whole[1]).decode()
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: not what a recording has there: {error}") from None


def read_call(folder: Path) -> RecordedCall:
    """Return the call in `folder`. Raises UserError, with file and reason, for what can't be read."""
    try:
        header = json.loads((folder / CALL).read_text(encoding="utf-8"))
        graph = (folder / GRAPH).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: this recorded call can't be read: {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{folder / CALL}: not what a recording begins with: {error}") from None
    if not isinstance(header, dict) or header.get("version") != VERSION:
        raise UserError(f"{folder / CALL}: a recording of another version; this program reads version {VERSION}")
    return RecordedCall(folder, header, graph)


class _PcmReader:
    """Reads the audio of a WAV piece by piece."""

    def __init__(self, path: Path) -> None:
        begun = path.exists() and path.stat().st_size > 0  # else the recording broke off before any of it was written
        self._blocks = iter_wav(path) if begun and wav_info(path).frames else iter(())
        self._held = b""

    def take(self, size: int) -> bytes | None:
        """Return the next `size` bytes; None where the file ends before them."""
        while len(self._held) < size:
            block = next(self._blocks, None)
            if block is None:
                return None
            self._held += block
        taken, self._held = self._held[:size], self._held[size:]
        return taken
