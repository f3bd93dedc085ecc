"""Chunks of any length become frames of one length, counted from the start."""

from __future__ import annotations

from typing import Any

import pytest
from reactivex import Subject

from webapi.voice_node.events import AudioChunk, AudioGap, Frame
from webapi.voice_node.operators.window import window

PCM = bytes(i % 251 for i in range(4 * 320))  # 80 ms at 8 kHz
GAP = AudioGap(90_000, "muted")


def run(values: list[Any]) -> tuple[list[Any], bool]:
    """What comes out, and whether that is completed with the source."""
    source, out, over = Subject[Any](), list[Any](), list[bool]()
    window(ms=20)(source).subscribe(out.append, on_completed=lambda: over.append(True))
    for value in values:
        source.on_next(value)
    source.on_completed()
    return out, over == [True]


def chunks(size: int) -> list[AudioChunk]:
    """The audio, cut into pieces of so many bytes."""
    return [AudioChunk(at + size, PCM[at : at + size], 8000, echo_left=0.5) for at in range(0, len(PCM), size)]


@pytest.mark.parametrize("size", [2, 160, 320, 322, len(PCM)])
def test_the_same_frames_however_the_audio_is_cut(size: int) -> None:
    out, over = run(chunks(size))
    assert over
    assert [(f.pcm, f.rate, f.number, f.echo_left) for f in out] == [
        (PCM[i * 320 : (i + 1) * 320], 8000, i, 0.5) for i in range(4)
    ]


def test_a_frame_has_the_stamp_of_the_chunk_that_completed_it() -> None:
    out, _ = run([AudioChunk(1, bytes(160), 8000), AudioChunk(2, bytes(200), 8000), AudioChunk(3, bytes(280), 8000)])
    assert [f.t_us for f in out] == [2, 3]


def test_a_frame_that_was_begun_is_filled_with_silence_at_a_gap_and_dropped_at_the_end() -> None:
    begun = AudioChunk(5, b"\1\0" * 170, 8000)
    out, _ = run([begun, GAP, GAP, begun])
    assert [type(v) for v in out] == [Frame, Frame, AudioGap, AudioGap, Frame]
    assert out[1].pcm == b"\1\0" * 10 + bytes(300)
    assert [v.number for v in out if isinstance(v, Frame)] == [0, 1, 2]
