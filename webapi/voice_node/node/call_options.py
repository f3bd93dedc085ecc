"""What the metadata of a call chooses: its graph, arguments of the orchestrator, and settings of that call alone.

Metadata comes over the network. So it names a graph and no path, fills in no variable, and can't say where the bot
connects to, which files it reads or which code it runs.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webapi.voice_node.config import Settings, checked_values
from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.errors.plain_text import shortened
from webapi.voice_node.graph.call_arguments import DEEPEST
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.graph.files import find_graphs
from webapi.voice_node.graph.spec import GraphSpec

WHERE = "metadata"
MAX_BYTES = 16 * 1024
KEYS = ("graph", "with", "settings")
SETTINGS = (
    "audio_frame_ms", "audio_target_rate", "echo_cancel", "mock_reply", "mock_think_ms", "publish_track_name",
    "reply_timeout_ms", "vad_backend", "vad_preroll_ms", "vad_speech_end_frames", "vad_speech_start_frames",
)  # fmt: skip
GRAPH_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
SOUND = re.compile(r"beep|echo|tone:[0-9.]{1,10}")  # the values of MOCK_REPLY that are no file
PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
LETTERS = re.compile(r"[A-Za-z]+")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
OF_THE_MACHINE = {  # last words of the keys that say where a bot connects to, what it reads, and what it runs
    "apiurl", "base", "baseurl", "class", "classes", "cmd", "command", "directories", "directory", "dir", "endpoint",
    "executable", "file", "filename", "filepath", "folder", "host", "hostname", "module", "part", "path", "pathname",
    "port", "program", "proxies", "proxy", "server", "uri", "url",
}  # fmt: skip


@dataclass(frozen=True)
class CallOptions:
    """The choices of one call. Without any, it is as the settings of the node say."""

    graph: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)  # over the graph's `reply: with`
    settings: Mapping[str, object] = field(default_factory=dict)  # values by attribute, checked

    def of_call(self, settings: Settings) -> Settings:
        """The node's settings with those of the call."""
        return settings.model_copy(update=dict(self.settings))

    def load(self, settings: Settings) -> GraphSpec:
        """The graph of the call, checked with all that the call gives. Raises UserError.

        The orchestrator's module is imported, so the first time can take long.
        """
        return load_and_check(self.graph or settings.voice_graph, self.of_call(settings), self.arguments or None)

    @property
    def key(self) -> str:
        """The same for calls that choose the same."""
        return json.dumps([self.graph, self.arguments, self.settings], sort_keys=True, default=str)


def read_options(metadata: str) -> CallOptions | None:
    """The choices in the metadata of a call. None where it is no JSON object, and thus not meant for the node.

    `{"graph": NAME, "with": {argument: value}, "settings": {"VAD_SPEECH_END_FRAMES": 20}}`, each of them optional.
    Blank metadata chooses nothing. Raises UserError, with a line for each mistake.
    """
    if not metadata.strip():
        return CallOptions()
    if len(metadata.encode(errors="replace")) > MAX_BYTES:
        raise UserError(f"{WHERE}: longer than {MAX_BYTES // 1024} KB")
    try:
        given = json.loads(metadata)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    lines = [f"{WHERE}: {_unknown(key, KEYS)}" for key in given if key not in KEYS]
    graph = given.get("graph")
    if graph is not None:
        lines += _wrong_graph(graph)
    arguments = _map(given, "with", lines)
    lines += [f"{WHERE}: with{line}" for line in _wrong_arguments(arguments, "", 0)]
    settings = _settings(_map(given, "settings", lines), lines)
    if lines:
        raise UserError("\n".join(lines))
    return CallOptions(graph, arguments, settings)


def _map(given: Mapping[str, Any], key: str, lines: list[str]) -> dict[str, Any]:
    value = given.get(key)
    if value is None or isinstance(value, dict):
        return value or {}
    lines.append(f"{WHERE}: {key}: {_short(value)}: an object is needed")
    return {}


def _wrong_graph(graph: object) -> list[str]:
    if not (isinstance(graph, str) and GRAPH_NAME.fullmatch(graph)):
        return [f"{WHERE}: graph: {_short(graph)}: the name of a graph is needed, and no path"]
    there = find_graphs()
    if graph in there:
        return []
    return [
        f"{WHERE}: graph: there is no graph {graph!r}.{nearest(graph, there)} There are: {', '.join(sorted(there))}"
    ]


def _wrong_arguments(value: object, path: str, depth: int) -> list[str]:
    """A line for each key and value that only the machine's owner may choose."""
    if depth > DEEPEST:  # before the interpreter's own limit, which ends in an error of another kind
        return [f": more than {DEEPEST} maps and lists in one another"]
    if isinstance(value, dict):
        lines = [f"{path}.{_short(key)}: {WHY_NOT}" for key in value if _is_of_the_machine(key)]
        inside = ((each, f"{path}.{_in_path(key)}") for key, each in value.items())
        return lines + [line for each, at in inside for line in _wrong_arguments(each, at, depth + 1)]
    if isinstance(value, list):
        return [line for i, each in enumerate(value) for line in _wrong_arguments(each, f"{path}.{i}", depth + 1)]
    is_file = isinstance(value, str) and _is_file(value)
    return [f"{path}: {_short(value)}: this is a file, and {WHY_NOT}"] if is_file else []


def _in_path(key: str) -> str:
    """The key as it is where that is harmless in a line of the log: other texts could look like lines of their own."""
    return key if PLAIN_KEY.fullmatch(key) else _short(key)


WHY_NOT = "what the bot connects to, reads or runs is said in a graph, not in metadata"


def _is_file(text: str) -> bool:
    try:
        return len(text) < 1024 and Path(text).is_file()
    except (OSError, ValueError):
        return False


def _settings(given: Mapping[str, object], lines: list[str]) -> dict[str, object]:
    """The values by attribute; adds to `lines` what is wrong."""
    allowed = {name.upper(): name for name in SETTINGS}
    lines += [f"{WHERE}: settings: {_unknown(name, allowed)}" for name in given if name not in allowed]
    values = {allowed[name]: value for name, value in given.items() if name in allowed}
    for name, value in values.items():
        if isinstance(value, (dict, list, bool)) or value is None:
            lines.append(f"{WHERE}: settings: {name.upper()}: {_short(value)}: a text or a number is needed")
            return {}
    sound = values.get("mock_reply", "beep")
    if not SOUND.fullmatch(str(sound)):
        lines.append(f"{WHERE}: settings: MOCK_REPLY={_short(sound)}: allowed here: beep, echo or tone:SECONDS")
        return {}
    try:
        return checked_values(WHERE, values)
    except UserError as error:
        lines += str(error).splitlines()
        return {}


def _unknown(key: object, allowed: Iterable[str]) -> str:
    names = list(allowed)
    return f"{_short(key)} is not known here.{nearest(str(key), names)} Allowed: {', '.join(names)}"


def _is_of_the_machine(key: str) -> bool:
    """By the key's last word: in camelCase, between other signs, in whichever letters Unicode has for it, as a plural.

    Words that are written together (`baseurl`, `filename`) are found where they are listed.
    """
    plain = unicodedata.normalize("NFKC", key)
    last = [found[-1].lower() for found in (WORD.findall(plain), LETTERS.findall(plain)) if found]
    return any(word in OF_THE_MACHINE or word.removesuffix("s") in OF_THE_MACHINE for word in last)


def _short(value: object) -> str:
    return shortened(repr(value), 60)
