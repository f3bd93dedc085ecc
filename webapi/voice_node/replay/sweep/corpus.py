"""The recordings of a sweep, with the labels of those that a person has labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webapi.voice_node.errors import UserError
from webapi.voice_node.recording.call_file import CALLER, is_call
from webapi.voice_node.replay.find import find_recordings, length_s
from webapi.voice_node.replay.sweep.labels import LABELS, find_labels, read_labels
from webapi.voice_node.replay.sweep.scoring import SpeechSpan


@dataclass(frozen=True)
class Recording:
    """A recording that is replayed with every cell."""

    path: Path
    seconds: float  # 0: it can't be read
    labels: tuple[SpeechSpan, ...] | None  # None: it is not labelled


def find_corpus(given: Sequence[str], labels: Path | None, problems: list[str] | None = None) -> list[Recording]:
    """Return the recordings in files, folders and glob patterns; of a recorded call, the caller's audio.

    `problems`: as for `find_recordings`. Labels are beside the recordings, or in the folder `labels`. Raises UserError
    where that does not exist.
    """
    if labels is not None and not labels.is_dir():
        raise UserError(f"--labels {labels}: there is no such folder")
    corpus = []
    for path in find_recordings(given, problems):
        if path.suffix in LABELS:  # a pattern like corpus/* finds them too
            continue
        wav = path / CALLER if is_call(path) else path
        seconds = length_s(wav)
        marked = find_labels(wav, path.name if is_call(path) and labels else wav.stem, labels)
        spans = tuple(label.span for label in read_labels(marked, seconds)) if marked and seconds else None
        corpus.append(Recording(wav, seconds, spans))
    return corpus
