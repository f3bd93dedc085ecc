"""WAV files: every form is read, or refused by name with the reason."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapi.voice_node.audio.wav import iter_wav, read_wav, silence_note, wav_info, write_wav
from webapi.voice_node.errors import UserError

RAMP = np.linspace(-0.9, 0.9, 101)


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk with its length, padded to an even one."""
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)


def wav(
    body: bytes,
    *,
    code: int = 1,
    channels: int = 1,
    rate: int = 8000,
    bits: int = 16,
    block: int | None = None,
    length: int | None = None,
    extra: bytes = b"",
    before: bytes = b"",
    after: bytes = b"",
    magic: bytes = b"RIFF",
) -> bytes:
    """A WAV with whatever header one likes."""
    block = channels * bits // 8 if block is None else block
    form = struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits) + extra
    data = struct.pack("<4sI", b"data", len(body) if length is None else length) + body
    chunks = before + chunk(b"fmt ", form) + data + after
    return magic + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def extensible(code: int, bits: int) -> bytes:
    """What follows the format in a WAVE_FORMAT_EXTENSIBLE header."""
    return struct.pack("<HHI", 22, bits, 4) + struct.pack("<H", code) + bytes.fromhex("000000001000800000AA00389B71")


def in_bits(values: np.ndarray[tuple[int], np.dtype[np.float64]], bits: int) -> bytes:
    """The values as integers of that width."""
    if bits == 8:
        return (np.round(values * 128) + 128).astype(np.uint8).tobytes()
    whole = np.round(values * 2 ** (bits - 1)).astype("<i4")
    narrow: bytes = whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()
    return narrow


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_integers_of_every_width(tmp_path: Path, bits: int) -> None:
    (tmp_path / "a.wav").write_bytes(wav(in_bits(RAMP, bits), bits=bits))
    pcm, rate = read_wav(tmp_path / "a.wav")
    assert rate == 8000
    assert np.abs(np.frombuffer(pcm, "<i2") / 32768 - RAMP).max() < (1 / 128 if bits == 8 else 1 / 32768 + 1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("bits", "most"), [(32, 3e38), (64, 1.7e308)])
def test_floats(tmp_path: Path, bits: int, most: float) -> None:
    values = np.concatenate([RAMP, [2.0, -2.0, np.nan, np.inf, most, -most]])
    (tmp_path / "a.wav").write_bytes(wav(values.astype(f"<f{bits // 8}").tobytes(), code=3, bits=bits))
    got = np.frombuffer(read_wav(tmp_path / "a.wav")[0], "<i2")
    assert np.abs(got[:101] / 32768 - RAMP).max() < 1 / 32768
    assert got[101:].tolist() == [32767, -32768, 0, 32767, 32767, -32768]


@pytest.mark.parametrize(("code", "bits"), [(1, 16), (1, 24), (3, 32)])
def test_extensible(tmp_path: Path, code: int, bits: int) -> None:
    body = RAMP.astype("<f4").tobytes() if code == 3 else in_bits(RAMP, bits)
    (tmp_path / "a.wav").write_bytes(wav(body, code=0xFFFE, bits=bits, extra=extensible(code, bits)))
    assert np.abs(np.frombuffer(read_wav(tmp_path / "a.wav")[0], "<i2") / 32768 - RAMP).max() < 1 / 16384


def test_channel_0_of_six(tmp_path: Path) -> None:
    many = np.zeros((101, 6))
    many[:, 0] = RAMP
    many[:, 3] = 0.5
    (tmp_path / "a.wav").write_bytes(wav(in_bits(many.ravel(), 16), channels=6, rate=44_100))
    pcm, rate = read_wav(tmp_path / "a.wav")
    assert rate == 44_100
    assert np.abs(np.frombuffer(pcm, "<i2") / 32768 - RAMP).max() < 1 / 16384


def test_other_chunks_are_passed_over_odd_ones_too(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(in_bits(RAMP, 16), before=b"LIST" + struct.pack("<I", 3) + b"abc\0"))
    assert len(read_wav(tmp_path / "a.wav")[0]) == 202


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])  # the last is what sox and espeak-ng write
def test_a_length_that_a_pipe_could_not_know(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.wav").write_bytes(wav(in_bits(RAMP, 16), length=length))
    assert wav_info(tmp_path / "a.wav").frames == 101
    assert not wav_info(tmp_path / "a.wav").truncated


INFO = chunk(b"LIST", b"INFOISFT\4\0\0\0test")


def test_no_audio_before_another_chunk_is_no_audio_and_not_what_that_chunk_holds(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(b"", after=INFO))
    with pytest.raises(UserError, match="the header ends before any audio"):
        wav_info(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(wav(b"", after=INFO + chunk(b"data", in_bits(RAMP, 16))))
    assert read_wav(tmp_path / "b.wav") == (in_bits(RAMP, 16), 8000)


def test_what_follows_the_audio_is_no_audio(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(in_bits(RAMP, 24)[:99], bits=24, after=b"\0" + INFO))  # padded: 99 is odd
    assert wav_info(tmp_path / "a.wav").frames == 33


@pytest.mark.parametrize("place", ["before the format", "between", "both, odd"])
def test_lists_anywhere(tmp_path: Path, place: str) -> None:
    odd = chunk(b"LIST", b"INFOx") if "odd" in place else INFO
    extra = b"\0\0" + (b"\0" if "odd" in place else b"")  # the format's own rest, which may be odd too
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16) + extra
    parts = [chunk(b"fmt ", form), chunk(b"data", in_bits(RAMP, 16))]
    if place != "between":
        parts.insert(0, odd)
    if place != "before the format":
        parts.insert(-1, odd)
    body = b"".join(parts)
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    assert read_wav(tmp_path / "a.wav") == (in_bits(RAMP, 16), 8000)


@pytest.mark.parametrize("of", ["a list", "the format", "several"])
def test_a_chunk_of_odd_size_without_its_pad_byte(tmp_path: Path, of: str) -> None:
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    odd = b"LIST" + struct.pack("<I", 5) + b"INFOx"
    parts = [chunk(b"fmt ", form), odd, chunk(b"data", in_bits(RAMP, 16))]
    if of == "the format":
        parts[:2] = [b"fmt " + struct.pack("<I", 19) + form + b"\0\0x"]
    if of == "several":
        parts[:0] = [odd, b"bext" + struct.pack("<I", 1) + b"x"]
    body = b"".join(parts)
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    assert read_wav(tmp_path / "a.wav") == (in_bits(RAMP, 16), 8000)


ONE = wav(in_bits(RAMP, 16))


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (chunk(b"data", in_bits(RAMP, 16)), "it has two chunks of audio"),
        (INFO + b"LIST" + struct.pack("<I", 3) + b"abc" + chunk(b"data", b"\1\0"), "it has two chunks of audio"),
        (ONE, "a second WAV follows in the same file"),
    ],
)
def test_audio_after_the_audio_is_refused_by_name(tmp_path: Path, after: bytes, said: str) -> None:
    (tmp_path / "a.wav").write_bytes(ONE + after)
    with pytest.raises(UserError, match=said):
        wav_info(tmp_path / "a.wav")


@pytest.mark.parametrize("rest", [b"\0", b"\0" * 99, b"TAG" + b"x" * 125, INFO, b"\xff\xfe" * 20])
def test_what_programs_leave_at_the_end_does_not_matter(tmp_path: Path, rest: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(ONE + rest)
    assert read_wav(tmp_path / "a.wav") == (in_bits(RAMP, 16), 8000)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_each_channel_can_be_read(tmp_path: Path, bits: int) -> None:
    both = np.column_stack([RAMP, RAMP[::-1], np.zeros(101)])
    (tmp_path / "a.wav").write_bytes(wav(in_bits(both.ravel(), bits), channels=3, bits=bits))
    got = [np.frombuffer(b"".join(iter_wav(tmp_path / "a.wav", n)), "<i2") / 32768 for n in range(3)]
    for channel, samples in enumerate(got):
        assert np.abs(samples - both[:, channel]).max() < (1 / 120 if bits == 8 else 1 / 16384)
    for none in (3, -1):
        with pytest.raises(UserError, match=f"there is no channel {none}: it has 3 channels, 0 to 2"):
            next(iter_wav(tmp_path / "a.wav", none))


@pytest.mark.parametrize(
    ("levels", "channel", "said"),
    [
        ((0, 0.5), 0, "channel 0 is silent and channel 1 is not: try --channel 1"),
        ((0.5, 0), 1, "channel 1 is silent and channel 0 is not: try --channel 0"),
        ((0.0005, 0.5, 0.7), 0, "channel 0 is silent and channel 2 is not: try --channel 2"),  # it hums
        ((0.5, 0), 0, ""),
        ((0.1, 0.9), 0, ""),
        ((0, 0), 0, ""),
        ((0,), 0, ""),
    ],
)
def test_a_silent_channel_beside_one_that_is_not(
    tmp_path: Path, levels: tuple[float, ...], channel: int, said: str
) -> None:
    many = RAMP[:, None] * np.array(levels)
    (tmp_path / "a.wav").write_bytes(wav(in_bits(many.ravel(), 16), channels=len(levels)))
    assert silence_note(tmp_path / "a.wav", channel) == said


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
@pytest.mark.parametrize("known", [True, False])
def test_sixty_four_bits_of_length(tmp_path: Path, magic: bytes, known: bool) -> None:
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, 202 if known else 0, 101, 0))
    content = wav(in_bits(RAMP, 16), magic=magic, before=sizes, length=0xFFFFFFFF, after=INFO if known else b"")
    (tmp_path / "a.wav").write_bytes(content)
    assert read_wav(tmp_path / "a.wav") == (in_bits(RAMP, 16), 8000)


def test_24_bits_in_a_container_of_32(tmp_path: Path) -> None:
    extra = struct.pack("<HHI", 22, 24, 4) + struct.pack("<H", 1) + bytes.fromhex("000000001000800000AA00389B71")
    (tmp_path / "a.wav").write_bytes(wav(in_bits(RAMP, 32), code=0xFFFE, bits=32, extra=extra))
    assert np.abs(np.frombuffer(read_wav(tmp_path / "a.wav")[0], "<i2") / 32768 - RAMP).max() < 1 / 16384


def test_an_hour_takes_no_memory(tmp_path: Path) -> None:
    hour = 44_100 * 4 * 3600
    with (tmp_path / "hour.wav").open("wb") as file:
        file.write(wav(b"\1\0\2\0", channels=2, rate=44_100, length=hour))
        file.truncate(44 + hour)  # a hole: nothing on the disk
    assert wav_info(tmp_path / "hour.wav").frames == 44_100 * 3600
    tracemalloc.start()
    try:
        samples = sum(len(block) // 2 for block in iter_wav(tmp_path / "hour.wav"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert samples == 44_100 * 3600
    assert most < 4_000_000


def test_a_truncated_file_gives_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(in_bits(RAMP, 16))[:-61])
    assert wav_info(tmp_path / "a.wav").truncated
    assert len(read_wav(tmp_path / "a.wav")[0]) == 2 * 70


REFUSED = {
    "empty": (b"", "the file is empty"),
    "text": (b"hello, this is not a recording", "not a WAV file"),
    "short": (b"RIFF", "not a WAV file"),
    "avi": (b"RIFF\0\0\0\0AVI ", "not a WAV file"),
    "header only": (wav(b"")[:12], "there is no format in the header"),
    "no data": (wav(b"")[:36], "the header ends before any audio"),
    "no audio": (wav(b""), "there is no audio in it"),
    "half a frame": (wav(b"\0"), "there is no audio in it"),
    "data first": (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "the audio comes before its format"),
    "format cut": (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0", "the format in the header is cut off"),
    "mp3 inside": (wav(b"\0" * 8, code=0x55), "its audio is compressed (MP3, format 0x55)"),
    "a-law": (wav(b"\0" * 8, code=6, bits=8), "its audio is compressed (A-law, format 0x6); make it PCM: sox"),
    "mu-law": (wav(b"\0" * 8, code=7, bits=8), "its audio is compressed (mu-law, format 0x7)"),
    "extensible a-law": (
        wav(b"\0" * 8, code=0xFFFE, bits=8, extra=extensible(6, 8)),
        "its audio is compressed (A-law, format 0x6)",
    ),
    "extensible cut": (
        wav(b"\0" * 8, code=0xFFFE, extra=b"\0\0"),
        "the format in the header is cut off: an extensible one has 40 bytes",
    ),
    "unknown format": (wav(b"\0" * 8, code=0x1234), "its audio is compressed (format 0x1234)"),
    "big-endian": (wav(b"\0" * 8, magic=b"RIFX"), "a RIFX file, whose bytes are the other way round; make it RIFF"),
    "wave64": (b"riff\x2e\x91\xcf\x11" + bytes(40), "not a WAV file"),
    "ogg": (b"OggS" + bytes(60), "not a WAV file"),
    "a list that has no end": (
        wav(b"\0" * 8, before=struct.pack("<4sI", b"LIST", 0xFFFFFFF0)),
        "there is no format in the header",
    ),
    "a ds64 cut off": (b"RF64\0\0\0\0WAVEds64\0\0\0\0\1\2", "there is no format in the header"),
    "0 bits": (wav(b"\0" * 8, bits=0), "0 bits a sample"),
    "rate 1": (wav(b"\0" * 8, rate=1), "a rate of 1 Hz"),
    "block 0": (wav(b"\0" * 8, block=0), "the header contradicts itself: 1 channels of 16 bits are not 0 bytes"),
    "no channels": (wav(b"\0" * 8, channels=0, block=2), "0 channels"),
    "channels": (wav(b"\0" * 8, channels=65), "65 channels"),
    "rate 0": (wav(b"\0" * 8, rate=0), "a rate of 0 Hz"),
    "rate": (wav(b"\0" * 8, rate=2_000_000_000), "a rate of 2000000000 Hz"),
    "12 bits": (wav(b"\0" * 8, bits=12, block=2), "12 bits a sample"),
    "16 bit floats": (wav(b"\0" * 8, code=3), "16 bits a sample"),
    "contradiction": (wav(b"\0" * 8, block=4), "the header contradicts itself"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_wav_is_refused_by_name(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "bad.wav").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_wav(tmp_path / "bad.wav")
    assert str(caught.value).startswith(str(tmp_path / "bad.wav"))
    assert reason in str(caught.value)


def test_a_folder_and_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Is a directory"):
        read_wav(tmp_path)
    with pytest.raises(UserError, match="No such file"):
        read_wav(tmp_path / "no.wav")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="a pipe, which can be read only once"):
        read_wav(tmp_path / "pipe")


FORM = wav(in_bits(RAMP, 16), extra=b"\0\0", before=chunk(b"LIST", b"abcd"))
GOOD = (
    FORM,
    wav(in_bits(RAMP, 32), code=0xFFFE, bits=32, extra=extensible(1, 32), after=INFO),
    wav(RAMP.astype("<f8").tobytes(), code=3, bits=64, channels=1),
    wav(
        in_bits(RAMP, 16), magic=b"RF64", before=chunk(b"ds64", struct.pack("<QQQI", 0, 202, 101, 0)), length=0xFFFFFFFF
    ),
    wav(b"", after=INFO + chunk(b"data", in_bits(RAMP, 16))),
)


@given(
    good=st.sampled_from(GOOD),
    changes=st.lists(
        st.tuples(st.integers(0, 100), st.sampled_from([0, 1, 2, 3, 127, 128, 255]) | st.integers(0, 255)),
        min_size=1,
        max_size=6,
    ),
    end=st.integers(0, 300) | st.just(2000),
)
@settings(max_examples=500, deadline=None)
def test_a_broken_header_is_read_or_refused_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, good: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    broken = bytearray(good[:end])
    for at, value in changes:
        if at < len(broken):
            broken[at] = value
    path = tmp_path_factory.getbasetemp() / "broken.wav"
    path.write_bytes(broken)
    try:
        read = read_wav(path)
    except UserError as refused:
        said = str(refused)
    else:
        said = ""
        assert len(read[0]) > 0
        assert read[1] > 0
    assert said == "" or said.startswith(str(path))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    pcm = in_bits(RAMP, 16)
    write_wav(tmp_path / "a.wav", pcm, 8000)
    assert read_wav(tmp_path / "a.wav") == (pcm, 8000)
