"""Audio in and out: sizes, delay, aliases, and the same bits however the input is cut."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from webapi.voice_node.audio.fir_resampler import DELAY_MS, TAP_BITS, Fir, taps
from webapi.voice_node.audio_io import (
    SOXR_QUALITIES,
    Framer,
    Resampler,
    frame_8k_20ms,
    join_frames,
    resample_8k_to_48k,
    resample_48k_to_8k,
    resample_pcm,
    resampler,
)
from webapi.voice_node.errors import UserError

PAIRS = [
    (48_000, 8_000),
    (48_000, 16_000),
    (8_000, 48_000),
    (16_000, 48_000),
    (16_000, 8_000),
    (8_000, 16_000),
    (24_000, 48_000),
]
BANDS = [(8_000, 48_000), (16_000, 48_000), (8_000, 16_000), (24_000, 48_000)]  # the same filter serves both ways
ENGINES = ["fir", *SOXR_QUALITIES]


def noise(samples: int, seed: int = 1) -> bytes:
    """White noise, loud enough to clip here and there once it is filtered."""
    return np.random.default_rng(seed).normal(0, 12_000, samples).clip(-32768, 32767).astype("<i2").tobytes()


def sine(hz: float, rate: int, seconds: float, peak: float = 16_000) -> bytes:
    """A tone."""
    return np.round(peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("<i2").tobytes()


def through(stream: Resampler, pieces: Iterable[bytes]) -> bytes:
    """All that comes out, the rest included."""
    return b"".join([*(stream.push(piece) for piece in pieces), stream.flush()])


def cut(pcm: bytes, sizes: Iterable[int]) -> list[bytes]:
    """The PCM in pieces of these many bytes, over and over."""
    pieces, at = [], 0
    sizes = list(sizes)
    while at < len(pcm):
        for size in sizes:
            pieces.append(pcm[at : at + size])
            at += size
    return pieces


def samples(pcm: bytes) -> NDArray[np.float64]:
    """As numbers."""
    return np.frombuffer(pcm, "<i2").astype(float)


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_the_same_bits_however_the_input_is_cut(rate_in: int, rate_out: int, sizes: list[int]) -> None:
    pcm = noise(6001)
    assert through(resampler(rate_in, rate_out), cut(pcm, sizes)) == through(resampler(rate_in, rate_out), [pcm])


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_the_length_is_exact(rate_in: int, rate_out: int, aligned: bool) -> None:
    for count in (1, 5, 6, 7, 479, 480, 4801):
        out = through(resampler(rate_in, rate_out, aligned=aligned), cut(noise(count), [960]))
        held = 0 if aligned else DELAY_MS * rate_out // 1000
        assert len(out) // 2 == -(-count * rate_out // rate_in) + held


def test_every_10_ms_give_80_samples_at_once() -> None:
    stream = resampler(48_000, 8_000)
    assert [len(stream.push(piece)) for piece in cut(noise(4800), [960])] == [160] * 10
    stream = resampler(8_000, 48_000)
    assert [len(stream.push(piece)) for piece in cut(noise(800), [160])] == [960] * 10


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_it_is_what_integers_give(rate_in: int, rate_out: int) -> None:
    """Against a convolution in Python's integers, sample by sample: not one bit comes from floating point."""
    pcm = noise(300)
    low, high = sorted((rate_in, rate_out))
    up, down = rate_out // low, rate_in // low
    h = [int(tap) for tap in taps(low, high)]
    x = [0] * (len(pcm) // 2 * up)
    x[::up] = [int(s) for s in np.frombuffer(pcm, "<i2")]
    expected = []
    for at in range(0, len(x), down):
        total = sum(h[j] * x[at - j] for j in range(min(len(h), at + 1)))
        unit = down << TAP_BITS
        expected.append(max(-32768, min(32767, (2 * total + unit) // (2 * unit))))
    assert np.frombuffer(Fir(rate_in, rate_out).push(pcm), "<i2").tolist() == expected


def test_every_sum_fits_a_float64() -> None:
    for low, high in BANDS:
        assert np.abs(taps(low, high)).sum() * 32768 < 2**43
        assert (taps(low, high) == np.round(taps(low, high))).all()


@pytest.mark.parametrize(("low", "high"), BANDS)
def test_the_filter_itself_is_flat_then_shut_everywhere_and_late_by_the_same_time(low: int, high: int) -> None:
    """The response of the very taps that run, at 131,073 frequencies: every alias and image there could be."""
    h = taps(low, high)
    assert (h == h[::-1]).all()  # linear phase
    assert len(h) // 2 == DELAY_MS * high // 1000
    assert {h[phase :: high // low].sum() for phase in range(high // low)} == {2**TAP_BITS}
    hz = np.fft.rfftfreq(1 << 18, 1 / high)
    db = 20 * np.log10(np.abs(np.fft.rfft(h, 1 << 18)) / h.sum() + 1e-9)
    assert np.abs(db[hz <= 0.85 * low / 2]).max() < 0.01  # up to 3.4 kHz of 4
    assert db[hz >= low / 2].max() < -69


def test_the_filter_of_2_ms_loses_twice_as_much_of_the_band() -> None:
    for low, high in BANDS:
        h = taps(low, high, 2)
        assert (h == h[::-1]).all()
        assert [len(h), len(taps(low, high))] == [4 * high // 1000 + 1, 8 * high // 1000 + 1]
        hz = np.fft.rfftfreq(1 << 18, 1 / high)
        db = 20 * np.log10(np.abs(np.fft.rfft(h, 1 << 18)) / h.sum() + 1e-9)
        assert np.abs(db[hz <= low / 2 - 1_100]).max() < 0.01
        assert db[hz >= low / 2].max() < -68


def test_the_filter_of_2_ms_keeps_audio_in_its_place() -> None:
    pcm = bytearray(2 * 4_800)
    pcm[2 * 2_400 : 2 * 2_400 + 2] = (30_000).to_bytes(2, "little", signed=True)
    out = np.abs(samples(through(Fir(48_000, 16_000, aligned=True, delay_ms=2), [bytes(pcm)])))
    assert [int(out.argmax()), len(out)] == [800, 1_600]


@pytest.mark.parametrize("rate_low", [8_000, 16_000])
def test_it_holds_back_4_ms(rate_low: int) -> None:
    """An impulse comes out 4 ms later, both ways."""
    for rate_in, rate_out in ((48_000, rate_low), (rate_low, 48_000)):
        pcm = bytearray(2 * rate_in // 10)
        at = rate_in // 20
        pcm[2 * at : 2 * at + 2] = (30_000).to_bytes(2, "little", signed=True)
        out = np.abs(samples(resampler(rate_in, rate_out).push(bytes(pcm))))
        assert out.argmax() / rate_out == pytest.approx(at / rate_in + 0.004)


def test_what_would_alias_is_60_db_down() -> None:
    for hz in (*range(4_000, 6_000, 50), *range(6_000, 24_000, 250)):
        out = samples(resampler(48_000, 8_000).push(sine(hz, 48_000, 0.25, 32_000)))[200:]
        # Below one and a half units in the last place is rounding, which no filter can remove.
        assert np.sqrt((out**2).mean()) < max(32_000 / np.sqrt(2) / 1000, 1.5), hz


def test_images_are_60_db_down() -> None:
    for hz in (300, 1000, 2000, 3000, 3400):
        out = samples(resampler(8_000, 48_000).push(sine(hz, 8_000, 1.0, 30_000)))[4800:43200]
        spectrum = np.abs(np.fft.rfft(out * np.blackman(len(out))))
        frequencies = np.fft.rfftfreq(len(out), 1 / 48_000)
        wanted = spectrum[np.abs(frequencies - hz) < 50].max()
        assert spectrum[frequencies > 4_000].max() < wanted / 1000, hz


def test_a_telephone_voice_passes_unchanged() -> None:
    for hz in (100, 300, 1000, 2000, 3000, 3300):
        out = samples(resampler(48_000, 8_000).push(sine(hz, 48_000, 0.5)))[400:]
        assert np.sqrt((out**2).mean()) == pytest.approx(16_000 / np.sqrt(2), rel=0.02), hz


def test_a_constant_stays_that_constant() -> None:
    for rate_in, rate_out in PAIRS:
        out = samples(resampler(rate_in, rate_out).push(np.full(4800, 12_345, "<i2").tobytes()))
        assert set(out[len(out) // 2 :]) == {12_345}


def test_there_are_no_clicks_where_pieces_meet() -> None:
    pcm = sine(440, 8_000, 1.0)
    out = samples(through(resampler(8_000, 48_000), cut(pcm, [2, 320, 14, 962])))[400:-400]
    assert np.abs(np.diff(out)).max() <= 2 * np.pi * 440 / 48_000 * 16_000 * 1.01


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_long_silence_gives_the_same_bits_as_in_pieces(rate_in: int, rate_out: int) -> None:
    pcm = noise(5_001) + bytes(2 * 60_001) + noise(4_999) + bytes(2 * 20_000)
    assert through(resampler(rate_in, rate_out), cut(pcm, [962])) == through(resampler(rate_in, rate_out), [pcm])


@pytest.mark.parametrize("delay_ms", [2, DELAY_MS])
@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_a_piece_of_many_blocks_gives_the_same_bits_as_in_pieces(rate_in: int, rate_out: int, delay_ms: int) -> None:
    pcm = noise(100_001)  # more than twice what is filtered at a time
    once, cut_up = (Fir(rate_in, rate_out, aligned=True, delay_ms=delay_ms) for _ in range(2))
    assert through(once, [pcm]) == through(cut_up, cut(pcm, [962, 11_111]))


def test_after_a_flush_it_begins_anew() -> None:
    stream = resampler(48_000, 8_000)
    assert through(stream, [noise(4800)]) == through(stream, [noise(4800)])


@pytest.mark.parametrize("engine", ENGINES)
def test_half_a_sample_waits_for_its_other_half_and_is_dropped_at_the_end(engine: str) -> None:
    stream = resampler(48_000, 8_000, engine)
    pcm = noise(480)
    assert through(stream, [pcm[:333], pcm[333:334], b"", pcm[334:]]) == through(stream, [pcm])
    assert through(stream, [pcm, b"\x7f"]) == through(stream, [pcm])


@pytest.mark.parametrize(("rate_in", "rate_out"), [(48_000, 8_000), (8_000, 48_000)])
def test_ten_seconds_at_once_are_filtered_in_little_memory(rate_in: int, rate_out: int) -> None:
    def peak(pcm: bytes) -> int:
        stream = resampler(rate_in, rate_out)
        tracemalloc.start()
        out = stream.push(pcm)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used - 3 * len(out)  # the output, its pieces, and its bytes

    peak(bytes(2))  # the taps are made once
    assert peak(bytes(2 * 10 * rate_in)) < 300_000  # bytes; as floats all of it would be 4 MB


@pytest.mark.parametrize("engine", SOXR_QUALITIES)
@pytest.mark.parametrize(("rate_in", "rate_out"), [(48_000, 8_000), (8_000, 48_000), (44_100, 48_000)])
@given(count=st.integers(0, 9_000), sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=4))
@settings(max_examples=10, deadline=None)
def test_soxr_gives_the_same_bits_however_the_input_is_cut_and_exact_lengths(
    engine: str, rate_in: int, rate_out: int, count: int, sizes: list[int]
) -> None:
    pcm = noise(count)
    once = through(resampler(rate_in, rate_out, engine), [pcm])
    assert through(resampler(rate_in, rate_out, engine), cut(pcm, sizes)) == once
    assert len(once) == 2 * -(-count * rate_out // rate_in)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_rate_passes_through(engine: str) -> None:
    assert through(resampler(8_000, 8_000, engine), [b"abc", b"d"]) == b"abcd"


def test_an_unknown_engine_or_rate_is_refused() -> None:
    for rate_in, rate_out in ((48_000, 8_000), (8_000, 8_000)):
        with pytest.raises(UserError, match="engine 'sinc': there are fir, soxr-qq"):
            resampler(rate_in, rate_out, "sinc")
    for rate_in, rate_out in ((44_100, 8_000), (8_000, 22_050), (16_000, 24_000), (0, 8_000), (8_000, -48_000)):
        with pytest.raises(UserError, match=f"{rate_in} Hz to {rate_out} Hz: .* 8000, 16000, 24000, 48000 Hz"):
            resampler(rate_in, rate_out)
    with pytest.raises(UserError, match="0 Hz to 8000 Hz"):
        resampler(0, 8_000, "soxr-hq")


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 160, 48_000])
def test_whole_buffers_have_exact_lengths(count: int) -> None:
    down = resample_48k_to_8k(np.zeros(count, np.float32))
    assert (len(down), str(down.dtype)) == (-(-count // 6), "int16")
    up = resample_8k_to_48k(np.zeros(count, np.int16))
    assert (len(up), str(up.dtype)) == (6 * count, "float32")


def test_a_tone_survives_both_whole_buffer_ways() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.float32)
    back = resample_8k_to_48k(resample_48k_to_8k(tone))
    assert np.abs(back[2000:-2000] - tone[2000:-2000]).max() < 0.001


def test_whole_buffers_are_the_same_every_time_and_clip() -> None:
    loud = np.random.default_rng(3).normal(0, 2, 48_000).astype(np.float32)
    assert (resample_48k_to_8k(loud) == resample_48k_to_8k(loud)).all()
    assert resample_48k_to_8k(np.full(4800, 3.0, np.float32)).max() == 32767
    assert resample_8k_to_48k(np.array([-32768, 32767] * 400, np.int16)).max() <= 1


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf, 3e38, 1e300])
@pytest.mark.filterwarnings("error")
def test_what_is_no_sample_is_silence_and_the_rest_is_heard(fault: float) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    broken, quiet = tone.copy(), tone.copy()
    broken[[5, 20_000, 20_001]], quiet[[5, 20_000, 20_001]] = fault, 0
    assert (resample_48k_to_8k(broken) == resample_48k_to_8k(quiet)).all()


def test_whole_buffers_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="mono samples in one dimension"):
        resample_48k_to_8k(np.zeros((2, 10), np.float32))
    whole: Any = np.zeros(10, np.int16)
    with pytest.raises(ValueError, match="float samples are needed, int16 came"):
        resample_48k_to_8k(whole)
    with pytest.raises(ValueError, match="int16 samples are needed, float64 came"):
        resample_8k_to_48k(np.zeros(10))  # type: ignore[arg-type]  # that is the point


def test_any_rate_becomes_any_other() -> None:
    out = resample_pcm(sine(1000, 44_100, 1.0), 44_100, 8_000)
    assert len(out) // 2 == 8_000
    assert np.sqrt((samples(out)[100:-100] ** 2).mean()) == pytest.approx(16_000 / np.sqrt(2), rel=0.01)
    assert resample_pcm(noise(441) + b"\x7f", 44_100, 48_000) == resample_pcm(noise(441), 44_100, 48_000)


def test_frames_are_exact_and_the_last_is_filled_up() -> None:
    frames = list(frame_8k_20ms(b"\x01" * 700))
    assert [len(frame) for frame in frames] == [320, 320, 320]
    assert join_frames(frames) == b"\x01" * 700 + b"\0" * 260
    assert list(frame_8k_20ms(b"")) == []


@given(sizes=st.lists(st.integers(0, 1000), max_size=30))
def test_the_framer_gives_the_same_frames_however_it_is_fed(sizes: list[int]) -> None:
    pcm = bytes(i % 251 for i in range(sum(sizes)))
    framer, out, at = Framer(320), list[bytes](), 0
    for size in sizes:
        out += framer.push(pcm[at : at + size])
        at += size
    rest = framer.flush()
    assert [*out, *([rest] if rest else [])] == list(frame_8k_20ms(pcm))
    assert framer.flush() is None
