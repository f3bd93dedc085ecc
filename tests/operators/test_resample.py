"""Audio at another rate: chunk by chunk or a window at a time, with the filter's tail where the audio stops."""

from __future__ import annotations

from typing import Any

import pytest
from reactivex import Subject

from tests.operators.build import info
from tests.speech import vowel
from webapi.voice_node.events import (
    AudioChunk,
    AudioGap,
    FillerAudio,
    HaltReply,
    ReplyAudio,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    Turn,
)
from webapi.voice_node.operators.kinds import AUDIO, FRAMES, Kind
from webapi.voice_node.operators.resample import resample

TURN = Turn("a", 0)
GAP = AudioGap(0, "muted")
PCM = vowel(0.2)  # at 48 kHz
TAIL = 4 * 8 * 2  # bytes: what the filter holds back, 4 ms at 8 kHz


def run(values: list[Any], rate: Any = 8000, following: Kind = AUDIO, *, unheard: bool = False) -> list[Any]:
    """What comes out."""
    source, out = Subject[Any](), list[Any]()
    resample(rate=rate, info=info(Kind("audio", rate), following, unheard=unheard))(source).subscribe(out.append)
    for value in values:
        source.on_next(value)
    return out


def chunks(size: int, echo: bool = False) -> list[AudioChunk]:
    """The same audio, cut into pieces of `size` ms."""
    step = size * 96
    return [AudioChunk(at // 96 * 1000, PCM[at : at + step], 48_000, echo, 0.5) for at in range(0, len(PCM), step)]


def lengths(values: list[Any]) -> list[int]:
    """Bytes of audio; -1 for what is none."""
    return [len(value.pcm) if hasattr(value, "pcm") else -1 for value in values]


def test_each_chunk_comes_out_at_once_with_its_stamp_and_its_marks() -> None:
    given = chunks(10, echo=True)
    out = run(given)
    assert lengths(out) == [160] * 20
    assert [(c.t_us, c.rate, c.echo, c.echo_left) for c in out] == [(c.t_us, 8000, True, 0.5) for c in given]


def test_a_filler_that_halts_takes_its_tail_with_it() -> None:
    filler = FillerAudio(0, TURN, bytes(1600), 8000)
    halted = [
        ReplyStarted(0, TURN),
        filler,
        HaltReply(0, TURN),
        ReplyAudio(0, TURN, bytes(1600), 8000),
        ReplyEnded(0, TURN, "completed"),
    ]
    out = [value for value in run(halted, 48_000) if isinstance(value, ReplyAudio)]
    assert [type(value) for value in out] == [FillerAudio, ReplyAudio, ReplyAudio]
    assert sum(len(value.pcm) for value in out[1:]) == 1600 * 6


def test_a_gap_flushes_the_tail_and_begins_anew() -> None:
    out = run([*chunks(10), GAP, *chunks(10), GAP])
    assert lengths(out) == [*[160] * 20, TAIL, -1] * 2
    assert [getattr(v, "pcm", b"") for v in out[:22]] == [getattr(v, "pcm", b"") for v in out[22:]]


def test_where_a_window_follows_it_is_filtered_a_window_at_a_time_to_the_same_samples() -> None:
    windowed = run([*chunks(10), GAP], following=Kind(FRAMES.name, 8000, 20))
    assert lengths(windowed) == [*[320] * 10, TAIL, -1]
    assert b"".join(c.pcm for c in windowed[:-1]) == b"".join(c.pcm for c in run([*chunks(10), GAP])[:-1])
    part = run([*chunks(10)[:3], GAP], following=Kind(FRAMES.name, 8000, 20))
    assert lengths(part) == [320, 160 + TAIL, -1]


def test_a_reply_comes_out_as_long_as_it_went_in() -> None:
    reply = [ReplyAudio(i, TURN, bytes(320), 8000) for i in range(5)]
    out = run([ReplyStarted(0, TURN), *reply, ReplyEnded(9, TURN, "completed")], rate=48_000)
    assert [type(v) for v in out] == [ReplyStarted, *[ReplyAudio] * 6, ReplyEnded]
    assert sum(len(v.pcm) for v in out[1:-1]) == 5 * 320 * 6
    assert {v.rate for v in out[1:-1]} == {48_000}
    assert out[-2].t_us == 9


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 48_000, 22_050])
@pytest.mark.parametrize("size", [2, 100, 318, 320, 4000, 400_000])
def test_a_reply_that_nobody_hears_is_silence_as_long_piece_by_piece(rate: int, size: int) -> None:
    said = [ReplyAudio(i, TURN, b"\x10\x27" * (size // 2), rate) for i in range(5)]
    reply = [ReplyStarted(0, TURN), *said, ReplyEnded(9, TURN, "completed"), *said[:2]]
    heard, unheard = run(reply, rate=48_000), run(reply, rate=48_000, unheard=True)
    assert lengths(unheard) == lengths(heard)
    assert [(type(v), v.t_us) for v in unheard] == [(type(v), v.t_us) for v in heard]
    if rate in (8000, 16_000, 24_000):  # others are not filtered, or by soxr
        assert not any(any(v.pcm) for v in unheard if hasattr(v, "pcm"))


def test_the_caller_is_resampled_whoever_hears_the_bot() -> None:
    assert run(chunks(20), unheard=True) == run(chunks(20))


def test_a_reply_that_is_cut_takes_its_tail_with_it() -> None:
    reply = [ReplyAudio(i, TURN, b"\x10\x27" * 160, 8000) for i in range(2)]
    begun = [ReplyStarted(0, TURN), *reply]
    out = run([*begun, HaltReply(3, TURN), ReplyCut(4, TURN, "barged_in"), *begun], rate=48_000)
    assert [type(v) for v in out] == [
        ReplyStarted, ReplyAudio, ReplyAudio, HaltReply, ReplyCut, ReplyStarted, ReplyAudio, ReplyAudio,
    ]  # fmt: skip
    assert [v.pcm for v in out[1:3]] == [v.pcm for v in out[6:]]


def test_a_filler_stays_one_and_ends_before_the_reply_begins() -> None:
    filler, reply = FillerAudio(0, TURN, bytes(320), 8000), ReplyAudio(1, TURN, bytes(320), 8000)
    out = run([filler, reply, ReplyEnded(2, TURN, "completed")], rate=48_000)
    assert [type(v) for v in out] == [FillerAudio, FillerAudio, ReplyAudio, ReplyAudio, ReplyEnded]
    assert len(out[0].pcm + out[1].pcm) == len(out[2].pcm + out[3].pcm) == 320 * 6


def test_another_rate_begins_anew() -> None:
    narrow = AudioChunk(7, bytes(320), 16_000)
    out = run([*chunks(10), narrow])
    assert lengths(out) == [*[160] * 20, TAIL, 160]
    assert out[-2].t_us == 7


def test_each_subscription_has_a_filter_of_its_own() -> None:
    source, first, second = Subject[Any](), list[Any](), list[Any]()
    audio = resample(rate=8000, info=info(Kind("audio", 8000), AUDIO))(source)
    audio.subscribe(first.append)
    source.on_next(chunks(10)[0])
    audio.subscribe(second.append)
    for chunk in chunks(10):
        source.on_next(chunk)
    assert second == run(list(chunks(10)))
    assert first[1:] != second
