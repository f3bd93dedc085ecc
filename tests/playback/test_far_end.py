"""What was played, in step with the caller's clock: also after the caller's audio stopped for a while."""

from __future__ import annotations

import numpy as np
import pytest

from webapi.voice_node.events import PlaybackDucked, PlaybackEnded, PlaybackRestored, ReplyAudio, Turn
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


def test_what_plays_softly_is_soft_from_its_moment_on_until_the_reply_is_over() -> None:
    far_end, turn = FarEnd(), Turn("a", 0)
    far_end.on_played(ReplyAudio(0, turn, np.full(100 * SAMPLES, 10_000, "<i2").tobytes(), 48_000))
    far_end.on_played(PlaybackDucked(200 * MS, turn, 200, 9600, 140 * MS))
    far_end.on_played(PlaybackRestored(400 * MS, turn, 400, 19_200))
    far_end.on_played(PlaybackDucked(600 * MS, turn, 600, 28_800, 540 * MS))
    far_end.on_played(PlaybackEnded(700 * MS, turn, 700, completed=False))
    far_end.on_played(ReplyAudio(800 * MS, Turn("b", 1), np.full(20 * SAMPLES, 5000, "<i2").tobytes(), 48_000))
    ends = [taken(far_end, at * 10 * MS) for at in range(1, 101)]
    assert ends[:20] == [10_000] * 20
    assert ends[21:40] == [1778] * 19
    assert ends[46:60] == [10_000] * 14
    assert ends[61:70] == [1778] * 9
    assert 0 <= ends[70] < 10  # the fade of the cut
    assert ends[71:80] == [0] * 9
    assert ends[80:100] == [5000] * 20


def test_without_a_gap_a_late_chunk_moves_nothing() -> None:
    far_end = playing()
    late_us = [0] * 50 + [300 * MS] + [0] * 50
    assert [taken(far_end, at * 10 * MS + late) for at, late in enumerate(late_us, 1)] == list(range(1, 102))
