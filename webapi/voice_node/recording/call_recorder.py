"""Records a call while it goes on, in a thread: see call_file.py for its files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from webapi.voice_node.audio.wav import wav_header
from webapi.voice_node.errors import PrintLine
from webapi.voice_node.events import Event, record
from webapi.voice_node.files.byte_writer import ByteWriter
from webapi.voice_node.files.json_line import json_line
from webapi.voice_node.inputs import Input
from webapi.voice_node.recording.call_file import CALL, EVENTS, GRAPH, INPUTS, VERSION, audio_of, line_of


class CallRecorder:
    """Writes one call into a new folder. The constructor raises OSError where that can't be made.

    `note` and `event` never wait for the disk and never raise. A problem is passed to `on_problem` once, and ends the
    recording. The files are flushed every second: a crash loses no more than that.
    """

    def __init__(
        self,
        folder: Path,
        header: dict[str, Any],
        graph: str,
        on_problem: PrintLine,
        *,
        max_bytes: int = 1_000_000_000,
        make_room: Callable[[], bool] = lambda: True,
    ) -> None:
        """`header`: the content of call.json, but for its version. `graph`: the text of the graph file.

        `make_room`: see ByteWriter.
        """
        folder.mkdir(parents=True)
        (folder / CALL).write_text(json.dumps({"version": VERSION, **header}, indent=2) + "\n", encoding="utf-8")
        (folder / GRAPH).write_text(graph, encoding="utf-8")
        self._folder = folder
        self._files = ByteWriter(on_problem, max_bytes, make_room)
        self._rates: dict[str, int] = {}  # of the WAVs that were begun, in Hz

    def note(self, given: Input) -> None:
        """Record an input."""
        audio = audio_of(given)
        if audio:
            self._write_pcm(*audio)
        self._write_line(INPUTS, line_of(given))

    def event(self, event: Event, origin_us: int) -> None:
        """Record what the node decided, in seconds since `origin_us`."""
        self._write_line(EVENTS, record(event, origin_us))

    def close(self) -> None:
        """Write the rest, and into the WAVs how long they became."""
        self._files.close({self._folder / name: wav_header(rate) for name, rate in self._rates.items()})

    def _write_line(self, name: str, line: dict[str, Any]) -> None:
        self._files.write(self._folder / name, json_line(line).encode())

    def _write_pcm(self, name: str, pcm: bytes, rate: int) -> None:
        if name not in self._rates:
            self._rates[name] = rate
            self._files.write(self._folder / name, wav_header(rate)(None))
        self._files.write(self._folder / name, pcm)
