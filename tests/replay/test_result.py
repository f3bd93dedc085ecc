"""What a replay shows of each frame is what decided: a second opinion counts where the bot can't be heard."""

from __future__ import annotations

from webapi.voice_node.events import Frame, PlaybackEnded, PlaybackStarted, Turn, Voiced
from webapi.voice_node.hearing.bot_heard import LINGERS_US
from webapi.voice_node.replay.result import ReplayResult

FRAME_US = 20_000
TURN = Turn("a", 0)


def test_a_frame_is_shown_with_the_evidence_that_counted() -> None:
    result = ReplayResult("a call", "a graph")

    def hear(t_us: int) -> None:
        frame = Frame(t_us, bytes(320), 8000, len(result.voiced))
        result.watch(Voiced(frame, False, 0.125, second=0.875))

    hear(FRAME_US)
    result.add(PlaybackStarted(FRAME_US, TURN))
    hear(2 * FRAME_US)
    result.add(PlaybackEnded(2 * FRAME_US, TURN, 20, completed=True))
    hear(LINGERS_US + FRAME_US)
    hear(LINGERS_US + 2 * FRAME_US)
    assert result.voiced == [True, False, False, True]
    assert result.likely == [0.875, 0.125, 0.125, 0.875]
