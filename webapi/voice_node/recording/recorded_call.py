"""Reads a recorded call: see call_file.py for its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapi.voice_node.audio.wav import iter_wav, wav_info
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import US_PER_S, AudioChunk
from webapi.voice_node.inputs import Closed, Input, OrchestratorOutput
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

    def inputs(self, problems: list[str] | None = None) -> Iterator[Input]:
        """Yield the inputs in order, as far as the files have them. Raises UserError, with file:line, for a bad line.

        With `problems`, a file that ends before the call does is told there; or raised, where none of the caller's
        audio comes before that and events were recorded.
        """
        reading = _InputReader(self.folder, self.origin_us)
        try:
            yield from reading.read()
        except OSError as error:
            raise UserError(f"{self.folder / INPUTS}: can't be read: {error.strerror}") from None
        if problems is None or not reading.loss:
            return
        if not reading.heard and self.events():
            raise UserError(f"{self.folder}: {reading.loss}; nothing of the call can be replayed")
        problems.append(f"{reading.loss}; {reading.replayed}")

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


class _InputReader:
    """Reads the inputs of a call once, and notes what is missing at their end."""

    def __init__(self, folder: Path, origin_us: int) -> None:
        self._folder = folder
        self._origin_us = origin_us
        self._audio = {name: _PcmReader(folder / name) for name in (CALLER, REPLIES)}
        self._ended = CALLER  # the WAV that ended first
        self._reached_us = origin_us
        self.heard = False  # any audio of the caller
        self.loss = ""  # which file ends before the call does, and how
        self.replayed = "nothing of the call was replayed"  # of a call with a loss

    def read(self) -> Iterator[Input]:
        """Yield the inputs, up to the end of the call or to a loss. Raises UserError as `RecordedCall.inputs`."""
        path = self._folder / INPUTS
        if not path.exists():  # a recording that broke off before the first of them was on the disk has none
            self.loss = f"{INPUTS}: there is no such file"
            return
        closed = False
        with path.open(encoding="utf-8", errors="replace") as file:
            number = 0
            for number, text in enumerate(file, start=1):
                try:
                    given = input_of(json.loads(text), self._take)
                    if given is not None:
                        check_input(given, self._origin_us)
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                    if text.endswith("\n"):
                        raise UserError(f"{path}:{number}: not a line of a recording: {_reason(error)}") from None
                    break  # the end of a recording that broke off
                if given is None:
                    self._lose_audio(number)
                    return
                self._note(given)
                closed = closed or isinstance(given, Closed)
                yield given
        if not number:
            self.loss = f"{INPUTS}: there is nothing in it"
        elif not closed:
            self.loss = f"{INPUTS}: no end of the call: the recording broke off, or the file was cut short"
            self.replayed = "what is there was replayed"

    def _take(self, name: str, size: int) -> bytes | None:
        pcm = self._audio[name].take(check_size(size))
        if pcm is None:
            self._ended = name
        return pcm

    def _note(self, given: Input) -> None:
        self.heard = self.heard or isinstance(given, AudioChunk)
        t_us = given.value.t_us if isinstance(given, OrchestratorOutput) else given.t_us
        self._reached_us = max(self._reached_us, t_us)

    def _lose_audio(self, number: int) -> None:
        reached_s = (self._reached_us - self._origin_us) / US_PER_S
        self.loss = f"{self._ended}: {self._audio[self._ended].lack(f'{INPUTS}:{number}')}"
        self.replayed = f"only what comes before that ({reached_s:.3f} s of the call) was replayed"


class _PcmReader:
    """Reads the audio of a WAV piece by piece."""

    def __init__(self, path: Path) -> None:
        self._exists = path.exists()  # not where the recording broke off before any of it was written
        begun = self._exists and path.stat().st_size > 0 and wav_info(path).frames > 0
        self._blocks = iter_wav(path) if begun else iter(())
        self._begun = begun
        self._held = b""

    def lack(self, line: str) -> str:
        """What to say of the file where it has no more audio for this line."""
        if not self._exists:
            return f"there is no such file, and {line} needs its audio"
        if not self._begun:
            return f"there is no audio in it, and {line} needs some"
        return f"shorter than the recording says: it ends in the audio of {line}"

    def take(self, size: int) -> bytes | None:
        """Return the next `size` bytes; None where the file ends before them."""
        while len(self._held) < size:
            block = next(self._blocks, None)
            if block is None:
                return None
            self._held += block
        taken, self._held = self._held[:size], self._held[size:]
        return taken
