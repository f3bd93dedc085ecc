"""The list of turns below the timeline picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from webapi.voice_node.replay.timeline.layout import CUT, INK, MARGIN, RIGHT, RULE
from webapi.voice_node.replay.timeline.model import TurnRow
from webapi.voice_node.replay.timeline.texts import ms_text

TABLE_LINE = 22  # px from one line to the next
COLUMNS = (("turn", 60), ("from", 150), ("speech", 250), ("reply after", 380), ("heard", 490), ("silent after", 620))
OUTCOME_X = 660
BAD_OUTCOMES = ("barged_in", "superseded", "failed", "timeout")


def table_height(turns: Sequence[TurnRow], more: int) -> int:
    """Return the height of the list (px); 0 where there are no turns."""
    return 34 + TABLE_LINE * (len(turns) + bool(more)) if turns else 0


def table(turns: Sequence[TurnRow], more: int, y: int) -> Iterator[str]:
    """Draw the turns as lines from `y` on. `more`: how many turns are not shown."""
    yield f'<path d="M{MARGIN} {y}H{RIGHT}" stroke="{RULE}"/>'
    for name, x in COLUMNS:
        yield f'<text class="head cell" x="{MARGIN + x}" y="{y + 24}">{name}</text>'
    yield f'<text class="head" x="{MARGIN + OUTCOME_X}" y="{y + 24}">outcome</text>'
    for i, turn in enumerate(turns):
        at = y + 24 + TABLE_LINE * (i + 1)
        times = (turn.said_ms, turn.reply_ms, turn.heard_ms, turn.stop_ms)
        cells = (str(turn.turn), f"{turn.start:.2f} s", *map(ms_text, times))
        for (_, x), words in zip(COLUMNS, cells, strict=True):
            yield f'<text class="cell" x="{MARGIN + x}" y="{at}">{words}</text>'
        colour = CUT if turn.outcome in BAD_OUTCOMES else INK
        outcome = escape(("prompt " if turn.prompt else "") + turn.outcome.replace("_", " "))
        yield f'<text x="{MARGIN + OUTCOME_X}" y="{at}" style="fill:{colour}">{outcome}</text>'
    if more:
        at = y + 24 + TABLE_LINE * (len(turns) + 1)
        yield f'<text class="head" x="{MARGIN}" y="{at}">… and {more} more turns: see metrics.jsonl</text>'
