"""Plots of metrics.jsonl: how long callers wait, how fast the bot falls silent, and where each turn's time goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webapi.voice_node.errors.plain_text import one_line, shortened
from webapi.voice_node.report.metrics_reader import MEASURES, WAIT, TurnLine, values
from webapi.voice_node.report.percentiles import percentiles
from webapi.voice_node.report.plotting import Figure, MaxNLocator, save, style
from webapi.voice_node.report.summary import has_stage, parts_of_wait
from webapi.voice_node.report.table import part_name
from webapi.voice_node.report.turn_line import TIMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LATENCIES = (WAIT, "latency_speech_end_to_first_bot_chunk_ms", "latency_user_to_first_bot_chunk_ms")
COLOURS = ("#0072B2", "#D55E00", "#009E73")  # the colour-blind can tell them apart
# One stretch of a turn: from, to, what it is, colour. t4 is left out: with a streaming language model it is after t6.
STRETCHES = (
    (TIMES[0], TIMES[1], "caller talks, and the pause that ends it", "#56B4E9"),
    (TIMES[1], TIMES[2], "hand over", "#999999"),
    (TIMES[2], TIMES[4], "orchestrator", "#E69F00"),
    (TIMES[4], TIMES[5], "publish", "#009E73"),
)
SHOWN_TIMES = tuple(name for name in TIMES if name != TIMES[3])
SHOWN_TURNS = 40
PART_COLOURS = ("#56B4E9", "#999999", "#E69F00", "#0072B2", "#CC79A7", "#D55E00", "#F0E442")
OTHER_COLOUR = "#444444"
MAX_WHOSE = 40  # characters of owner and setting
MAX_OUTCOME = 16  # characters; only a line of somebody else has longer ones


def draw(turns: Sequence[TurnLine], out: Path) -> list[Path]:
    """Write the plots caller_wait, latency, barge_in_stop and timeline into `out`, as PNG and SVG. Return the paths.

    A plot without values is left out. Raises UserError where `out` can't be written.
    """
    with style():
        drawn = {
            "caller_wait": caller_wait(turns),
            "latency": latency(turns),
            "barge_in_stop": barge_in_stop(turns),
            "timeline": timeline(turns),
        }
        return save({name: figure for name, figure in drawn.items() if figure}, out)


def caller_wait(turns: Sequence[TurnLine]) -> Figure | None:
    """Plot what each of the last turns' waits was made of: a stacked bar for each, from the caller's last voice on."""
    shown = [turn for turn in turns if turn.get("parts")][-SHOWN_TURNS:]
    if not shown:
        return None
    whole = parts_of_wait(shown)
    # An orchestrator may give each of its marks another name: the longest parts have a colour, the rest share one.
    longest = sorted(whole, key=lambda name: -whole[name]["n"] * whole[name]["p50"])[: len(PART_COLOURS)]
    named = [name for name in whole if name in longest]
    colours = dict(zip(named, PART_COLOURS, strict=False))
    figure = Figure(figsize=(10, 2.6 + 0.22 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for row, turn in enumerate(shown):
        left = 0.0
        for part in turn["parts"]:
            axes.barh(row, part["ms"], left=left, height=0.7, color=colours.get(part["name"], OTHER_COLOUR))
            left += part["ms"]
    for name in named:
        axes.barh(0, 0, color=colours[name], label=_part_label(name, whole[name]))
    if len(named) < len(whole):
        axes.barh(0, 0, color=OTHER_COLOUR, label="other parts")
    axes.set_yticks(range(len(shown)), [str(turn.get("turn_index", "")) for turn in shown], fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set(xlabel="ms after the caller's last voice", ylabel="turn")
    figure.suptitle("What callers wait for")
    axes.set_title(f"last {len(shown)} turns with a reply" if len(shown) > 1 else "1 turn", fontsize=10)
    figure.legend(ncols=2, loc="outside lower center", frameon=False, fontsize=8)
    return figure


def _part_label(name: str, part: Mapping[str, Any]) -> str:
    """Return a part with its median, whose it is, and what changes it."""
    whose = f"{part['owner']}, {part['setting']}" if part["setting"] else part["owner"]
    return f"{part_name(name)}: median {part['p50']:.0f} ms ({one_line(shortened(whose, MAX_WHOSE))})"


def latency(turns: Sequence[TurnLine]) -> Figure | None:
    """Plot a histogram of each latency, and below it the share of turns that were at least as fast."""
    fields = [(name, values(turns, name)) for name in LATENCIES]
    fields = [(name, numbers) for name, numbers in fields if numbers]
    if not fields:
        return None
    figure = Figure(figsize=(max(9, 4.5 * len(fields)), 6), layout="constrained")
    axes = figure.subplots(2, len(fields), sharex="col", squeeze=False)
    for column, ((name, numbers), colour) in enumerate(zip(fields, COLOURS, strict=False)):
        above, below = axes[0][column], axes[1][column]
        _histogram(above, numbers, colour)
        above.set_title(f"{MEASURES[name]}\n{len(numbers)} turns", fontsize=10)
        ordered = sorted(numbers)
        shares = [(i + 1) / len(ordered) * 100 for i in range(len(ordered))]
        below.step([ordered[0], *ordered], [0, *shares], where="post", color=colour)
        for share in (50, 95):
            t_ms = percentiles(numbers)[f"p{share}"]
            right = (
                t_ms <= ordered[-1] / 2
            )  # of the curve nothing is there: below it at the right, above it at the left
            below.annotate(
                f"{share} %: {t_ms:.0f} ms",
                (t_ms, share),
                xytext=(8, -8) if right else (-8, 0),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
            )
            below.plot(t_ms, share, "o", color=colour)
        below.set(xlim=(0, ordered[-1] * 1.05 + 1), ylim=(0, 106), xlabel="ms")
        below.grid(alpha=0.3)
        axes[0][0].set_ylabel("turns")
        axes[1][0].set_ylabel("% of turns within")
    figure.suptitle("How long callers wait for the bot")
    return figure


def barge_in_stop(turns: Sequence[TurnLine]) -> Figure | None:
    """Plot a histogram of the time from the interrupting speech's first voiced frame to the flush."""
    numbers = values(turns, "barge_in_stop_ms")
    if not numbers:
        return None
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    _histogram(axes, numbers, COLOURS[1])
    figure.suptitle("How soon the bot falls silent")
    count = "1 barge-in" if len(numbers) == 1 else f"{len(numbers)} barge-ins"
    axes.set_title(f"{MEASURES['barge_in_stop_ms']}, {count}", fontsize=10)
    axes.set(xlabel="ms", ylabel="barge-ins")
    return figure


def timeline(turns: Sequence[TurnLine]) -> Figure | None:
    """Plot a bar for each of the last turns, aligned at its end of speech: what is right of 0 is waiting."""
    shown = [turn for turn in turns if turn.get(TIMES[1]) is not None][-SHOWN_TURNS:]
    if not shown:
        return None
    figure = Figure(figsize=(10, 2.2 + 0.22 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for row, turn in enumerate(shown):
        for start, end, _, colour in STRETCHES:
            if has_stage(turn, start, end):
                left = (turn[start] - turn[TIMES[1]]) * 1000
                axes.barh(row, (turn[end] - turn[start]) * 1000, left=left, height=0.7, color=colour)
        _name_outcome(axes, row, turn)
    for _, _, label, colour in STRETCHES:
        axes.barh(0, 0, color=colour, label=label)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(shown)), [str(turn.get("turn_index", "")) for turn in shown], fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    # The wait matters here: a long speech is cut at the left, so that half of the plot is for the wait.
    waits = [turn[end] - turn[TIMES[1]] for turn in shown for end in SHOWN_TIMES[2:] if turn.get(end) is not None]
    reach_ms = max([*waits, 0.5]) * 1000 * 1.3  # room for the outcome
    axes.set_xlim(-reach_ms, reach_ms)
    axes.set(xlabel="ms after the end of speech", ylabel="turn")
    figure.suptitle("Where each turn's time goes")
    count = "1 turn" if len(shown) == 1 else f"{len(shown)} turns"
    left_out = f"last {len(shown)} of {len(turns)} turns" if len(turns) > len(shown) else count
    axes.set_title(f"{left_out}, up to the first bot audio (long speech is cut at the left)", fontsize=10, pad=28)
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=8)
    return figure


def _name_outcome(axes: Axes, row: int, turn: TurnLine) -> None:
    """Write the outcome beside the bar, where it is not `completed`."""
    if turn["outcome"] == "completed":
        return
    ends = [turn[name] for name in SHOWN_TIMES if turn.get(name) is not None]
    x = (max(ends) - turn[TIMES[1]]) * 1000
    axes.annotate(
        shortened(turn["outcome"], MAX_OUTCOME),
        (x, row),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )


def _histogram(axes: Axes, numbers: Sequence[float], colour: str) -> None:
    """Draw counts over ms, from 0 on: an axis that begins later makes small differences look large."""
    axes.hist(numbers, bins=40, range=(0, max([*numbers, 1.0])), color=colour, alpha=0.85)
    axes.set_xlim(left=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
