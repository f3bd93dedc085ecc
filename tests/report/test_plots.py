"""Plots: each has a title, and all words are inside of the picture; those in a plot inside of its axes."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from tests.report.test_summary import CUT, turn
from webapi.voice_node.replay.sweep.plots import counts, trade
from webapi.voice_node.replay.sweep.rows import Facts, Row, mark_best, row
from webapi.voice_node.replay.sweep.scoring import MatchKind, Score
from webapi.voice_node.report.plots import barge_in_stop, latency, timeline
from webapi.voice_node.report.plotting import style

LATENCY = "latency_speech_end_to_first_bot_chunk_ms"
TURNS: dict[str, list[dict[str, Any]]] = {
    "one": [turn(0, **CUT)],
    "alike": [turn(n, **CUT, **{LATENCY: 12345.0}) for n in range(20)],
    "apart": [turn(0, **CUT), *(turn(n, **{LATENCY: 100.0 + 900 * n}) for n in range(1, 12))],
    "one that is far off": [*(turn(n, **{LATENCY: 100.0}) for n in range(30)), turn(30, **{**CUT, LATENCY: 60_000.0})],
    "slow": [turn(0, **CUT, t5_tts_first_chunk=99.0, t6_first_bot_audio=99.1)],
    "slow, with an outcome of somebody else": [
        turn(0, **{**CUT, "outcome": "x" * 300}, t5_tts_first_chunk=99.0, t6_first_bot_audio=99.1)
    ],
    "many": [turn(n, **CUT) for n in range(60)],
}


def check(figure: Figure | None) -> None:
    """Draw it, and look at every word."""
    assert figure is not None
    assert figure.get_suptitle()
    renderer: Any = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]  # matplotlib has no type here
    figure.draw(renderer)
    whole = figure.bbox
    for axes in figure.axes:
        for text in (*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label):
            box = text.get_window_extent(renderer)
            if not text.get_text():
                continue
            limits = axes.get_window_extent(renderer) if isinstance(text, Annotation) else whole
            words = f"{text.get_text()!r} at {box} is not in {limits}"
            assert limits.x0 - 1 <= box.x0 <= box.x1 <= limits.x1 + 1, words
            assert limits.y0 - 1 <= box.y0 <= box.y1 <= limits.y1 + 1, words


@pytest.mark.parametrize("name", TURNS)
def test_plots_of_a_report(name: str) -> None:
    with style():
        for plot in (latency, barge_in_stop, timeline):
            check(plot(TURNS[name]))


def rows(*found: tuple[int, int, float], name: str = "5") -> list[Row]:
    """A row for each (missed, false starts, delay in seconds)."""
    made = []
    for index, (missed, false, delay_s) in enumerate(found):
        kinds: tuple[MatchKind, ...] = (*["found"] * 4, *["false"] * false)  # type: ignore[arg-type]  # lists widen literals
        score = Score(4 + missed, kinds, (delay_s,) * 4, (delay_s,) * 4, 60.0, 60.0)
        made.append(row({"A": f"{name}{index}", "B": "x"}, [Facts((1, 1, 0, 0), (100.0,), score=score)]))
    mark_best(made)
    return made


@pytest.mark.parametrize(
    "found",
    [
        [(0, 0, 0.1)],
        [(0, 0, 0.1)] * 30,
        [(0, 9, 0.1), (1, 5, 0.2), (2, 0, 0.3), (0, 0, 0.9)],
        [(0, 100, 0.01), (0, 0, 5.0)],
    ],
)
@pytest.mark.parametrize("name", ["5", "a/very/long/path/of/a/graph/that/is/compared.yaml"])
def test_plots_of_a_sweep(found: list[tuple[int, int, float]], name: str) -> None:
    with style():
        check(trade(rows(*found, name=name), ["A", "B"]))
        check(counts(rows(*found, name=name), ["A", "B"]))
