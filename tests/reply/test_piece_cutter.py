"""Chunks cut anywhere become pieces of whole samples."""

from __future__ import annotations

import pytest

from webapi.voice_node.reply.piece_cutter import PieceCutter

RATE_HZ = 8000
PIECE = 320  # bytes
PCM = bytes(i % 251 for i in range(10 * PIECE + 7))


@pytest.mark.parametrize("size", [1, 2, 319, 320, 321, 1000, len(PCM)])
@pytest.mark.parametrize("count", [1, 3])
def test_the_same_bytes_come_out_however_they_were_cut(size: int, count: int) -> None:
    cutter, out = PieceCutter(RATE_HZ), list[bytes]()
    for at in range(0, len(PCM), size):
        cutter.push(PCM[at : at + size])
        while cutter.pieces:
            pcm, us = cutter.take(count)
            assert len(pcm) == us // 20_000 * PIECE
            out.append(pcm)
    assert max(map(len, out)) <= count * PIECE
    assert cutter.rest() == (PCM[10 * PIECE : -1], True)
    assert b"".join(out) == PCM[: 10 * PIECE]


def test_at_least_one_piece_is_taken_and_no_more_than_are_there() -> None:
    cutter = PieceCutter(RATE_HZ)
    cutter.push(bytes(3 * PIECE))
    assert cutter.take(-1) == (bytes(PIECE), 20_000)
    assert cutter.take(9) == (bytes(2 * PIECE), 40_000)
    assert cutter.rest() == (b"", False)


def test_half_a_sample_is_none() -> None:
    cutter = PieceCutter(RATE_HZ)
    cutter.push(b"\1")
    assert not cutter.has_sample
    cutter.push(b"\1")
    assert cutter.has_sample
