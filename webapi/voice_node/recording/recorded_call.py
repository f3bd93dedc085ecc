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
from webapi.voice_node.recording.checks import check_input, check_origin, check_size


@dataclass(frozen=True)
class RecordedCall:
    """A recorded call. A recording that broke off gives what is complete of it."""

    folder: Path
    header: dict[str, Any]  # call.json
    graph: str  # the text of graph.yaml

    @property
    def origin_us(self) -> int:
        """When the session started. Raises UserError where call.json does not say it."""
        try:
            return check_origin(self.header["origin_us"])
        except (KeyError, ValueError) as error:
            raise UserError(f"{self.folder}: call.json lacks what a replay needs: {error}") from None

    def inputs(self) -> Iterator[Input]:
        """Yield the inputs in order. Raises UserError, with file:line, for a line that is none."""
        try:
            yield from self._inputs()
        except OSError as error:
            raise UserError(f"{self.folder / INPUTS}: can't be read: {error.strerror}") from None

    def _inputs(self) -> Iterator[Input]:
        if not (self.folder / INPUTS).exists():
            return  # it broke off before the first of them was on the disk
        origin_us = self.origin_us
        audio = {name: _PcmReader(self.folder / name) for name in (CALLER, REPLIES)}
        with (self.folder / INPUTS).open(encoding="utf-8", errors="replace") as file:
            for number, text in enumerate(file, start=1):
                try:
                    given = input_of(json.loads(text), lambda name, size: audio[name].take(check_size(size)))
                    if given is not None:
                        check_input(given, origin_us)
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                    if text.endswith("\n"):
                        where = f"{self.folder / INPUTS}:{number}"
                        raise UserError(f"{where}: not a line of a recording: {_reason(error)}") from None
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
    name = CALL
    try:
        header = json.loads((folder / CALL).read_text(encoding="utf-8"))
        name = GRAPH
        graph = (folder / GRAPH).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: this recorded call can't be read: {error.filename}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{folder / name}: not what a recording begins with: {error}") from None
    if not isinstance(header, dict) or header.get("version") != VERSION:
        raise UserError(f"{folder / CALL}: a recording of another version; this program reads version {VERSION}")
    return RecordedCall(folder, header, graph)


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


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
