"""What each backend says of each pause: asked once, and kept in a folder by what was asked."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np

from bench.turns import sound
from bench.turns.pauses import Pause
from bench.turns.scoring import FRAME_S, Floats, Pauses
from webapi.voice_node.end_of_turn import BUILT_IN, Backend, Said, probability_of
from webapi.voice_node.errors import UserError, describe
from webapi.voice_node.hearing import last_words, pause_estimator, smart_turn
from webapi.voice_node.hearing.expectations import BOUNDS
from webapi.voice_node.hearing.pause_estimator import PauseEstimate

SAVED_EVERY = 50  # answers

MADE_OF = {"smart-turn": smart_turn, "words": last_words}


def cache() -> Path:
    """Where answers are kept."""
    return Path(tempfile.gettempdir()) / "voice-node-bench-turns"


def key(name: str, said: Said) -> str:
    """Names what was asked of which backend; another version of ours is another one."""
    source = _code(name) if name in MADE_OF else ""
    head = f"{name} {source} {said.rate} {said.words} {said.expects} "
    return hashlib.sha256(head.encode() + said.pcm).hexdigest()[:32]


@lru_cache
def _code(name: str) -> str:
    """The code of a backend of ours, whatever its comments."""
    return ast.unparse(ast.parse(inspect.getsource(MADE_OF[name])))


def answers(name: str, backend: Backend, pauses: Sequence[Pause]) -> Floats:
    """The probability of an end at each pause. Kept are only those of ours without arguments.

    Another package's code, or a file of weights, may be another one the next time.
    """
    path, ours = cache() / f"{name}.json", name in MADE_OF and BUILT_IN[name] is backend
    kept: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if ours and path.is_file() else {}
    found, fresh = [], 0
    for pause in pauses:
        said = pause.said()
        of = key(name, said)
        if of not in kept:
            kept[of], fresh = _answer(name, backend, said), fresh + 1
            if ours and fresh % SAVED_EVERY == 0:
                keep(path, kept)
        found.append(kept[of])
    if ours and fresh % SAVED_EVERY:
        keep(path, kept)
    return np.array(found)


def _answer(name: str, backend: Backend, said: Said) -> float:
    """What the backend answers. Raises UserError where it raises, or answers no probability."""
    try:
        return probability_of(backend, said)
    except Exception as error:
        raise UserError(f"the backend {name}: {describe(error)}") from error


def keep(path: Path, kept: Mapping[str, float] | Mapping[str, str]) -> None:
    """Write the answers up to now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_text(json.dumps(kept), encoding="utf-8")
    path.with_suffix(".part").replace(path)


def usual_s(pauses: Sequence[Pause]) -> Floats:
    """For each pause the hold that the caller's earlier pauses give (pause_estimator), infinite before the first."""
    found: list[float] = []
    for _, of_one in groupby(pauses, key=lambda p: (p.of.source, p.of.caller)):
        estimate: PauseEstimate | None = None
        for pause in of_one:
            found.append(estimate.hold * FRAME_S if estimate else float("inf"))
            if not pause.ends:
                estimate = pause_estimator.update(estimate, round(pause.silence_s / FRAME_S))
    return np.array(found)


def arrays(pauses: Sequence[Pause], likely: Floats, usual: Floats) -> Pauses:
    """The pauses for the scoring."""
    numbers: dict[tuple[str, str, int], int] = {}
    turn = [numbers.setdefault((p.of.source, f"{p.of.caller} {p.of.name}", p.turn), len(numbers)) for p in pauses]
    expected = [next(b for name, b in BOUNDS.items() if name == p.of.expects) for p in pauses]
    return Pauses(
        np.array([p.silence_s for p in pauses]),
        np.array([p.ends for p in pauses], bool),
        likely,
        usual,
        np.array(turn, np.int64),
        np.array([bounds.least / 1000 for bounds in expected], float),
        np.array([bounds.longest / 1000 for bounds in expected], float),
    )


def by_sound(pauses: Sequence[Pause], extra: Floats | None = None) -> Floats:
    """The probability of an end by how it sounds, fitted on what is not held back, each source with the same weight.

    `extra`: columns of further evidence, a row a pause.
    """
    rows = np.array([sound.features(pause.said()) for pause in pauses])
    if extra is not None:
        rows = np.c_[rows, extra]
    ends = np.array([p.ends for p in pauses], bool)
    tuned = np.array([not p.of.held for p in pauses], bool)
    if not (tuned & ends).any() or not (tuned & ~ends).any():
        return np.full(len(pauses), 0.5)
    kinds = [(p.of.source, p.ends) for p in pauses]
    sizes = {kind: sum(k == kind and t for k, t in zip(kinds, tuned, strict=True)) for kind in set(kinds)}
    weights = np.array([1000 / max(1, sizes[kind]) for kind in kinds])
    fitted = sound.fit(rows[tuned], ends[tuned], weights[tuned])
    return fitted.likely(rows)
