"""What was played, in step with the caller's clock: also after the caller's audio stopped for a while."""

from __future__ import annotations

import numpy as np
import pytest

from webapi.voice_node.events import ReplyAudio, Turn
from webapi.voice_node.playback.far_end import PIECE_BYTES, FarEnd

MS = 1000
SAMPLES = 480  # in a piece


def playing() -> FarEnd:
    """A far end that plays for ten seconds from 0 on; each piece of 10 ms has its own number as its samples."""
    far_end = FarEnd()
    pcm = np.repeat(np.arange(1, 1001, dtype="<i2"), SAMPLES).tobytes()
    far_end.on_played(ReplyAudio(0, Turn("a", 0), pcm, 48_000))
    return far_end


def taken(far_end: FarEnd, t_us: int) -> int:
    """The number of the piece that was played while the caller's chunk that arrives at `t_us` was taken up."""
    far_end.arrived(t_us, 1)
    piece = far_end.next_piece()
    assert len(piece) == PIECE_BYTES
    return int(np.frombuffer(piece, "<i2")[-1])


@pytest.mark.parametrize("gap_ms", [100, 500, 3000])
def test_after_a_gap_it_is_in_step_with_the_first_chunk(gap_ms: int) -> None:
    far_end = playing()
    assert [taken(far_end, at * 10 * MS) for at in range(1, 201)] == list(range(1, 201))
    far_end.lose_step()
    begins = 200 + gap_ms // 10
    after = [taken(far_end, (begins + at) * 10 * MS) for at in range(1, 21)]
    assert after == [begins + at for at in range(1, 21)]


def test_without_a_gap_a_late_chunk_moves_nothing() -> None:
    far_end = playing()
    late_us = [0] * 50 + [300 * MS] + [0] * 50
    assert [taken(far_end, at * 10 * MS + late) for at, late in enumerate(late_us, 1)] == list(range(1, 102))
