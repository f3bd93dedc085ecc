"""A call on disk: everything that came into its graph from outside, in the order in which it came, with its times.

    call.json      who, when, which versions and settings (never a secret)
    graph.yaml     the graph that answered
    inputs.jsonl   a line an input: the caller's audio, what the orchestrator gave, what was played out, the end
    caller.wav     the audio of those lines, one after the other
    replies.wav    the same of the replies
    events.jsonl   what the node decided

The graph is a function of these inputs, so a replay of them decides the same: see call_replay.py. Written as the call
goes, by a thread, and flushed every second: a crash loses no more than that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from webapi.voice_node import events
from webapi.voice_node.audio.wav import iter_wav, wav_header, wav_info
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import AudioChunk, AudioGap, Reply, ReplyAudio, Turn
from webapi.voice_node.files.byte_writer import ByteWriter
from webapi.voice_node.inputs import Closed, Input, OrchestratorOutput, PlayedOut

VERSION = 1
CALL, GRAPH, INPUTS, CALLER, REPLIES, EVENTS = (
    "call.json", "graph.yaml", "inputs.jsonl", "caller.wav", "replies.wav", "events.jsonl",
)  # fmt: skip


class CallRecorder:
    """Writes one call. `note` and `event` never wait for the disk and never raise; `on_problem` is told once."""

    def __init__(
        self,
        folder: Path,
        header: dict[str, Any],
        graph: str,
        on_problem: Callable[[str], None],
        *,
        max_bytes: int = 1_000_000_000,
    ) -> None:
        folder.mkdir(parents=True)
        (folder / CALL).write_text(json.dumps({"version": VERSION, **header}, indent=2) + "\n", encoding="utf-8")
        (folder / GRAPH).write_text(graph, encoding="utf-8")
        self._folder = folder
        self._files = ByteWriter(on_problem, max_bytes)
        self._rates: dict[str, int] = {}

    def note(self, given: Input) -> None:
        """One more input."""
        if isinstance(given, AudioChunk):
            self._pcm(CALLER, given.pcm, given.rate)
            line: dict[str, Any] = {"in": "audio", "t_us": given.t_us, "bytes": len(given.pcm), "rate": given.rate}
            self._line(INPUTS, {**line, "echo": True} if given.echo else line)
        elif isinstance(given, AudioGap):
            unheard = {"unheard": True} if given.unheard else {}
            self._line(INPUTS, {"in": "gap", "t_us": given.t_us, "reason": given.reason, **unheard})
        elif isinstance(given, PlayedOut):
            self._line(INPUTS, {"in": "played_out", "t_us": given.t_us, "turn": _turn(given.turn)})
        elif isinstance(given, Closed):
            self._line(INPUTS, {"in": "closed", "t_us": given.t_us})
        else:
            self._told(given.value)

    def event(self, event: events.Event, origin_us: int) -> None:
        """What the node decided."""
        self._line(EVENTS, events.record(event, origin_us))

    def close(self) -> None:
        """Write the rest, and how long the audio became."""
        self._files.close({self._folder / name: wav_header(rate) for name, rate in self._rates.items()})

    def _told(self, value: Reply) -> None:
        line: dict[str, Any] = {"in": "told", "value": type(value).__name__}
        for field in fields(value):
            content = getattr(value, field.name)
            if field.name == "pcm":
                line["bytes"] = len(content)
            else:
                line[field.name] = _turn(content) if isinstance(content, Turn) else content
        if isinstance(value, ReplyAudio):
            self._pcm(REPLIES, value.pcm, value.rate)
        self._line(INPUTS, line)

    def _line(self, name: str, line: dict[str, Any]) -> None:
        self._files.write(self._folder / name, events.json_line(line).encode())

    def _pcm(self, name: str, pcm: bytes, rate: int) -> None:
        if name not in self._rates:
            self._rates[name] = rate
            self._files.write(self._folder / name, wav_header(rate)(None))
        self._files.write(self._folder / name, pcm)


@dataclass(frozen=True)
class RecordedCall:
    """A recorded call, to be read."""

    folder: Path
    header: dict[str, Any]
    graph: str

    def inputs(self) -> Iterator[Input]:
        """The inputs in order. A recording that broke off gives what is whole."""
        if not (self.folder / INPUTS).exists():
            return  # it broke off before the first of them was on the disk
        audio = {name: _Pcm(self.folder / name) for name in (CALLER, REPLIES)}
        with (self.folder / INPUTS).open(encoding="utf-8", errors="replace") as file:
            for number, text in enumerate(file, start=1):
                try:
                    given = _input(json.loads(text), audio)
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
        """What the node decided when it was recorded: whole lines, without one in the middle of which it broke off."""
        path = self.folder / EVENTS
        whole = path.read_bytes().rpartition(b"\n") if path.exists() else (b"", b"", b"")
        try:
            return (whole[0] + whole[1]).decode()
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: not what a recording has there: {error}") from None


def is_call(path: Path) -> bool:
    """Whether the folder is a recorded call."""
    return (path / CALL).is_file()


def read_call(folder: Path) -> RecordedCall:
    """The call in `folder`. UserError, naming the file and the reason, for what can't be read."""
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


class _Pcm:
    """The audio of a file, taken piece by piece."""

    def __init__(self, path: Path) -> None:
        self._blocks = iter_wav(path) if _begun(path) and wav_info(path).frames else iter(())
        self._held = b""

    def take(self, size: int) -> bytes | None:
        """The next `size` bytes; None where the file ends before them."""
        while len(self._held) < size:
            block = next(self._blocks, None)
            if block is None:
                return None
            self._held += block
        taken, self._held = self._held[:size], self._held[size:]
        return taken


def _begun(path: Path) -> bool:
    """Whether some of the file was on the disk when the recording broke off."""
    return path.exists() and path.stat().st_size > 0


def _turn(turn: Turn) -> list[Any]:
    return [turn.trace_id, turn.number]


def _input(line: dict[str, Any], audio: dict[str, _Pcm]) -> Input | None:
    """The input of a line; None where its audio is missing."""
    kind = line.pop("in")
    if kind == "audio":
        pcm = audio[CALLER].take(line["bytes"])
        return AudioChunk(line["t_us"], pcm, line["rate"], line.get("echo", False)) if pcm is not None else None
    if kind == "gap":
        return AudioGap(**line)
    if kind == "played_out":
        return PlayedOut(line["t_us"], Turn(*line["turn"]))
    if kind == "closed":
        return Closed(**line)
    if kind != "told":
        raise ValueError(f"an unknown input {kind!r}")
    made = getattr(events, line.pop("value"))
    line["turn"] = Turn(*line["turn"])
    if issubclass(made, ReplyAudio):
        line["pcm"] = audio[REPLIES].take(line.pop("bytes"))
        if line["pcm"] is None:
            return None
    value: Reply = made(**line)
    return OrchestratorOutput(value)
