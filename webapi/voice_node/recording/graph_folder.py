"""Where the model and the sounds lie that a recorded graph names. call.json has it as `graph_folder`.

It has the way from the recording to that folder, and not the whole path, which would tell of this machine whoever the
recording is given to. So the files are found where recording and graph are moved together.
"""

from __future__ import annotations

import os
from pathlib import Path

from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.recording.recorded_call import RecordedCall


def to_graph_folder(graph: GraphSpec, call: Path) -> str | None:
    """The way from the folder `call` to that of the graph. None where the graph names no file there."""
    arguments = (text for stream in graph.streams for step in stream.steps for text in step.arguments.values())
    if not any(isinstance(text, str) and _lies_in(graph.folder, text) for text in arguments):
        return None
    return os.path.relpath(graph.folder.resolve(), call.resolve())


def graph_folder(call: RecordedCall) -> Path:
    """Where the files of the recorded graph lie: where they were, or else in the recording itself."""
    way = call.header.get("graph_folder")  # older recordings have none
    if isinstance(way, str) and os.path.isdir(call.folder / way):  # noqa: PTH112 - of Path, it raises for a wrong name
        return (call.folder / way).resolve()
    return call.folder


def _lies_in(folder: Path, text: str) -> bool:
    return not Path(text).is_absolute() and os.path.isfile(folder / text)  # noqa: PTH113 - as above
