"""Does a recorded echo interrupt the bot, and are the people in the recording found over it?

    python -m bench.echo_recordings FOLDER [--only TEXT] [--aecmos FILE.onnx]

The bot's greeting is the far end of a recording, and the caller's audio is what the microphone took up meanwhile. So
the default graph gets a real echo, in virtual time, once with the canceller and once without. FOLDER has for each
recording NAME some WAVs of any rate, which begin at the same moment:

    NAME.far.wav    what the loudspeaker played
    NAME.mic.wav    what the microphone took up: the echo of that, and the voice of the near end
    NAME.near.wav   the voice of the near end alone; or NAME.near.txt, its spans: "start<TAB>end<TAB>label" in seconds

What is counted is the first barge-in: it is false where the near end has not spoken yet, and finds the near end
where it comes within 500 ms of its first sound (a recording that begins with both is counted apart). `--aecmos` names a
model of Microsoft's AEC-Challenge (AECMOS_local/Run_1663915512_Stage_0.onnx) that scores what is left: echo and other
degradation, 1 to 5. It needs onnxruntime. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.echo_room import CHUNK, RATE_HZ, Room, call
from bench.hearing.voices import BLOCK, PAUSE_S, SPEECH_DB
from bench.hearing.voices import RATE_HZ as LABEL_HZ
from webapi.voice_node.audio.wav import read_wav, write_wav
from webapi.voice_node.audio_io import resample_pcm
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import BYTES_PER_SAMPLE, AudioChunk, BargeIn, Event, PlaybackStarted, ReplyAudio, Turn
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.operators.cancel_echo import cancel_echo
from webapi.voice_node.reactive.direct import DirectSubject

FOUND_S = 0.5  # after the near end's first sound
FIRST_S = 0.8  # a near end that begins sooner than that after the far end talks from the start
LONGEST_S = 20.0  # of a recording


class Recording(NamedTuple):
    """int16 mono at 48 kHz; `speaks_s`: when the near end first speaks, None: never; `far_s`: when the far end does."""

    name: str
    far: bytes
    mic: bytes
    speaks_s: float | None
    far_s: float

    @property
    def both(self) -> bool:
        """Whether the near end talks from the start."""
        return self.speaks_s is not None and self.speaks_s < self.far_s + FIRST_S


def recordings(folder: Path, only: str) -> Iterator[Recording]:
    """Those in the folder. Raises UserError where a WAV is missing or can't be read."""
    found = sorted(folder.glob("*.far.wav"))
    if not found:
        raise UserError(
            f"{folder}: there is no NAME.far.wav; python -m bench.echo_recordings --help says what is needed"
        )
    for path in found:
        name = path.name.removesuffix(".far.wav")
        if only in name:
            far, mic = _read(path), _read(folder / f"{name}.mic.wav")
            yield Recording(name, far, mic, _speaks(folder / name), first_sound(far) or 0.0)


def _read(path: Path) -> bytes:
    pcm, rate = read_wav(path)
    return resample_pcm(pcm, rate, RATE_HZ)[: int(LONGEST_S * RATE_HZ) * BYTES_PER_SAMPLE]


def _speaks(path: Path) -> float | None:
    """When the near end first speaks."""
    labels = path.with_name(f"{path.name}.near.txt")
    if labels.exists():
        starts = [float(line.split("\t")[0]) for line in labels.read_text().splitlines() if line.strip()]
        return min(starts, default=None)
    return first_sound(_read(path.with_name(f"{path.name}.near.wav")))


def first_sound(pcm: bytes) -> float | None:
    """When the voice in it begins, in seconds: labelled by energy, as bench/hearing labels; None for silence."""
    samples = np.frombuffer(resample_pcm(pcm, RATE_HZ, LABEL_HZ), "<i2") / 32768
    power = (samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK) ** 2).mean(axis=1)
    if not len(power) or power.max() < 1e-7:  # −70 dBFS
        return None
    speech = power > np.percentile(power, 95) * 10 ** (SPEECH_DB / 10)
    speech &= np.convolve(speech, np.ones(3), "same") >= 2
    runs = np.convolve(speech, np.ones(int(PAUSE_S * 20)))[int(PAUSE_S * 20) - 1 :]  # in the next 100 ms
    at = np.flatnonzero(speech & (runs >= 6))
    return float(at[0]) / 100 if len(at) else None


class Outcome(NamedTuple):
    """Of one call: when the bot was first interrupted (seconds after it began), and the two scores."""

    cut_s: float | None
    echo_mos: float | None = None
    other_mos: float | None = None


def interrupted(recording: Recording, cancel: str) -> float | None:
    """When the bot is first interrupted, in seconds from the greeting's first sample; None: never."""
    before = bytes(int(_begins_s() * RATE_HZ) * BYTES_PER_SAMPLE)
    cut = _first(_greeted(before + recording.mic, recording.far, cancel), BargeIn)
    return None if cut is None else cut - _begins_s()


@lru_cache
def _begins_s() -> float:
    """When a greeting begins: with the caller's first frame."""
    begins = _first(_greeted(bytes(20 * CHUNK), bytes(20 * CHUNK), "never"), PlaybackStarted)
    assert begins is not None
    return begins


def _greeted(said: bytes, greeting: bytes, cancel: str) -> list[Event]:
    """A call whose caller is greeted, in the default graph."""

    def fail(error: Exception) -> None:
        raise error

    settings = load_settings(None, echo_cancel=cancel)
    with tempfile.TemporaryDirectory() as folder:
        write_wav(Path(folder, "greeting.wav"), greeting, RATE_HZ)
        text = load_graph("default", settings).path.read_text(encoding="utf-8")
        path = Path(folder, "greets.yaml")
        path.write_text(text.replace("- turn_events:\n", "- turn_events:\n          greeting: greeting.wav\n"), "utf-8")
        return call(said, Room(0, -300), load_graph(str(path), settings), settings, fail=fail)


def _first(events: list[Event], kind: type[Event]) -> float | None:
    return next((event.t_us / 1e6 for event in events if isinstance(event, kind)), None)


def cleaned(recording: Recording) -> bytes:
    """What `cancel_echo` gives for the microphone's audio, where nothing interrupts the far end."""
    caller: DirectSubject[AudioChunk] = DirectSubject()
    played: DirectSubject[ReplyAudio] = DirectSubject()
    out: list[bytes] = []
    cancel_echo(when="needed", played=played)(caller).subscribe(
        lambda value: out.append(value.pcm if isinstance(value, AudioChunk) else b"")
    )
    caller.on_next(AudioChunk(0, b"", RATE_HZ, True))
    played.on_next(ReplyAudio(0, Turn("far", 0), recording.far, RATE_HZ))
    for number, at in enumerate(range(0, len(recording.mic) - CHUNK + 1, CHUNK), 1):
        caller.on_next(AudioChunk(number * 10_000, recording.mic[at : at + CHUNK], RATE_HZ, True))
    return b"".join(out)


class Aecmos:
    """Microsoft's AECMOS (Purin et al. 2022) by its ONNX file: how annoying echo and other degradation are, 1 to 5.

    Features as AECMOS_local has them: mel spectrograms of far end, microphone and output, in dB below their maximum.
    """

    RATE_HZ, FFT, HOP, MELS = 16_000, 513, 256, 160

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime  # type: ignore[import-untyped,unused-ignore]  # it may be missing: then there is no score
        except ImportError:
            raise UserError("--aecmos needs the package onnxruntime") from None
        self._model = onnxruntime.InferenceSession(str(path))
        self._filters = self._mel()

    def score(self, recording: Recording, out: bytes) -> tuple[float, float]:
        """The scores for echo and for other degradation."""
        signals = [
            np.frombuffer(resample_pcm(pcm, RATE_HZ, self.RATE_HZ), "<i2") / 32768
            for pcm in (recording.far, recording.mic, out)
        ]
        length = min(map(len, signals))
        far, mic, cleaned = (self._features(signal[:length]) for signal in signals)
        near, echo = float(recording.speaks_s is not None), 1.0
        marks = ((far, echo), (mic, near), (cleaned, 1.0))
        stacked = [np.concatenate((f, np.full((20, self.MELS), m), np.zeros((20, self.MELS)))) for f, m in marks]
        given = {self._model.get_inputs()[0].name: np.stack(stacked)[None].astype(np.float32)}
        given["h0"] = np.zeros((4, 1, 64), np.float32)
        result = self._model.run([], given)[0]
        return float(result[0]), float(result[1])

    def _features(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.pad(samples, self.FFT // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.FFT)[:: self.HOP]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.FFT) / self.FFT)
        power = np.abs(np.fft.rfft(frames * window)) ** 2 @ self._filters.T
        db = 10 * np.log10(np.maximum(power, 1e-10) / max(1e-10, float(power.max())))
        features: NDArray[np.float64] = (np.maximum(db, -80) + 40) / 40
        return features

    def _mel(self) -> NDArray[np.float64]:
        """Triangles of equal area on Slaney's mel scale: linear up to 1 kHz, then logarithmic."""
        top = 15 + np.log(self.RATE_HZ / 2 / 1000) / (np.log(6.4) / 27)
        mels = np.linspace(0, top, self.MELS + 2)
        hz = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))
        bins = np.fft.rfftfreq(self.FFT, 1 / self.RATE_HZ)
        up = (bins - hz[:-2, None]) / np.diff(hz)[:-1, None]
        down = (hz[2:, None] - bins) / np.diff(hz)[1:, None]
        triangles: NDArray[np.float64] = np.maximum(0, np.minimum(up, down)) * (2 / (hz[2:] - hz[:-2]))[:, None]
        return triangles


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="recordings that have this in their name")
    parser.add_argument("--aecmos", type=Path, help="the ONNX file of AECMOS")
    options = parser.parse_args()
    scorer = Aecmos(options.aecmos) if options.aecmos else None
    console = Console(width=150)
    table = Table(
        "recording", "near end at", "cut, no canceller", "cut, canceller", "AECMOS echo/other: none", "canceller"
    )
    right = []
    for one in track(list(recordings(options.folder, options.only)), "recordings", console=Console(stderr=True)):
        cuts = [interrupted(one, cancel) for cancel in ("never", "needed")]
        scores = ["–", "–"]
        if scorer:
            scores = ["{:.2f} / {:.2f}".format(*scorer.score(one, out)) for out in (one.mic, cleaned(one))]
        speaks = "never" if one.speaks_s is None else f"{one.speaks_s:.2f} s"
        table.add_row(one.name, speaks, *(judged(one, cut) for cut in cuts), *scores)
        right.append((one, cuts))
    console.print(table)
    return summary(right, console)


def judged(one: Recording, cut: float | None) -> str:
    """A cell: when the bot was interrupted, and whether that was right."""
    if cut is None:
        return "never" if one.speaks_s is None else "never: not found"
    if one.speaks_s is None or cut < one.speaks_s:
        return f"{cut:.2f} s: own voice"
    late = cut - one.speaks_s
    return f"{cut:.2f} s: {'found' if late <= FOUND_S else 'late'}, +{late * 1000:.0f} ms"


def summary(right: list[tuple[Recording, list[float | None]]], console: Console) -> int:
    """The counts, without and with the canceller; 1 where a goal is missed."""
    missed = 0
    for title, group in (
        ("near end silent at first", [(one, cuts) for one, cuts in right if not one.both]),
        ("both from the start", [(one, cuts) for one, cuts in right if one.both]),
    ):
        for index, name in enumerate(("no canceller", "canceller")):
            verdicts = [judged(one, cuts[index]) for one, cuts in group]
            own = sum("own voice" in verdict for verdict in verdicts)
            speak = sum(one.speaks_s is not None for one, _ in group)
            found = sum(": found" in verdict for verdict in verdicts)
            ever = found + sum(": late" in verdict for verdict in verdicts)
            console.print(
                f"{title}, {name}: {len(group)} recordings, {own} cut by the bot's own voice; "
                f"near end found within {FOUND_S * 1000:.0f} ms {found} of {speak}, ever {ever}"
            )
            if index and title.startswith("near"):
                missed = int(own > 0 or found < speak)
    console.print(f"goals: none cut, all found where the near end is silent at first: {'missed' if missed else 'met'}")
    return missed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
