"""Smart Turn v3: a network that judges by the sound of speech whether its speaker has finished.

It was made by Daily for Pipecat (https://github.com/pipecat-ai/smart-turn; code and weights are BSD-2-Clause), knows 23
languages, and takes the last 8 s of speech as log-mel features, as Whisper has them (Radford et al. 2022, section 2.2).
It runs in ONNX Runtime, the extra `smart-turn`. Its weights (8.7 MB) come in the wheel of pipecat-ai, of which nothing
else is used or imported, or in a file that the graph names.

The same audio gives the same probability. On another type of processor its last bits may differ.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.audio.fir_resampler import Fir
from webapi.voice_node.events import BYTES_PER_SAMPLE

RUNTIME = "onnxruntime"
WEIGHTS, INSIDE, PATTERN = "pipecat", "audio/turn/smart_turn/data", "smart-turn-v3*-cpu.onnx"
RATE_HZ = 16_000
LONGEST_S = 8
SAMPLES = LONGEST_S * RATE_HZ
WINDOW, HOP, BANDS = 400, 160, 80  # samples: 25 ms every 10 ms; mel bands
ROWS = (
    12  # of a product: for 2^18 multiplications and more BLAS starts threads, which spin as long as the network takes
)
LEAST_POWER, LEAST_VARIANCE = 1e-10, 1e-7
RANGE = 8.0  # what is 10^-8 of the loudest, or less, counts as that
LINEAR_HZ, PER_MEL_HZ = 1000.0, 200 / 3  # the mel scale of Slaney's toolbox (1998): linear up to 1 kHz, …
LOG_STEP = np.log(6.4) / 27  # … and then 27 mels for a factor of 6.4
Float = NDArray[np.float32]
Double = NDArray[np.float64]


def missing() -> tuple[str, ...]:
    """What is not there of `RUNTIME` and `WEIGHTS`. Nothing is imported."""
    there = {RUNTIME: find_spec(RUNTIME) is not None, WEIGHTS: bundled_model() is not None}
    return tuple(name for name, found in there.items() if not found)


def bundled_model() -> Path | None:
    """Return the weights in the package pipecat-ai; None where it is not installed. The package is not imported."""
    package = find_spec(WEIGHTS)
    if package is None or package.origin is None:
        return None
    return max((Path(package.origin).parent / INSIDE).glob(PATTERN), default=None)


class SmartTurn:
    """The network with the weights in the file `model`; None: those of pipecat-ai. It has no state.

    It is loaded when it is first asked, or by `load`: once in a process for each file.
    """

    def __init__(self, model: Path | None = None) -> None:
        self._model = model

    def load(self) -> None:
        """Load the network. Raises ImportError without ONNX Runtime, FileNotFoundError without weights."""
        _session(self._path())

    def done(self, pcm: bytes, rate: int) -> float:
        """Return the probability that the speaker of `pcm` has finished. Only the last 8 s count.

        `pcm` is int16 mono at `rate` Hz: 8000, 16000 or 48000.
        """
        last = pcm[-LONGEST_S * rate * BYTES_PER_SAMPLE :]
        at_16k = last if rate == RATE_HZ else _resampled(last, rate)
        samples = np.zeros(SAMPLES, np.float32)
        heard = np.frombuffer(at_16k, "<i2")[-SAMPLES:]
        samples[SAMPLES - len(heard) :] = heard / np.float32(32768)  # silence before it, as the network has learnt
        (found,) = _session(self._path()).run(None, {"input_features": features(samples)[np.newaxis]})
        return float(found.reshape(-1)[0])  # a sigmoid is in the network already

    def _path(self) -> Path:
        path = self._model or bundled_model()
        if path is None:
            raise FileNotFoundError("the weights of Smart Turn are not there: no package pipecat-ai is installed")
        return path


def features(samples: Float) -> Float:
    """Return the log-mel features of SAMPLES samples (−1 to 1, at RATE_HZ): BANDS rows, a column for each HOP.

    As `WhisperFeatureExtractor(chunk_length=8)` of transformers gives them with `do_normalize=True`: the samples get a
    mean of 0 and a variance of 1; the power spectrum of Hann windows around each HOP (the edges are mirrored) becomes
    mel bands; log10, not lower than 8 below the highest; (x + 4) / 4.
    """
    level = (samples - samples.mean()) / np.sqrt(samples.var() + np.float32(LEAST_VARIANCE))
    padded = np.pad(level.astype(np.float64), WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[:SAMPLES:HOP]
    spectrum = np.fft.rfft(windows * _hann(), axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.concatenate([power[at : at + ROWS] @ _mel_bands() for at in range(0, len(power), ROWS)])
    logs = np.log10(np.maximum(bands, LEAST_POWER))
    found: Float = ((np.maximum(logs, logs.max() - RANGE) + 4) / 4).T.astype(np.float32)
    return found


@lru_cache
def _hann() -> Double:
    return np.hanning(WINDOW + 1)[:-1]  # periodic


@lru_cache
def _mel_bands() -> Double:
    """Return the triangular bands, a column each: the power of each frequency of the spectrum that counts in it.

    Slaney's: each has an area of 1, so a wide band is no louder.
    """
    mels = np.linspace(0, LINEAR_HZ / PER_MEL_HZ + np.log(RATE_HZ / 2 / LINEAR_HZ) / LOG_STEP, BANDS + 2)
    beyond = np.maximum(mels - LINEAR_HZ / PER_MEL_HZ, 0)
    corners = np.where(beyond > 0, LINEAR_HZ * np.exp(LOG_STEP * beyond), mels * PER_MEL_HZ)
    frequencies = np.linspace(0, RATE_HZ / 2, WINDOW // 2 + 1)[:, np.newaxis]
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    bands: Double = np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))
    return bands


def _resampled(pcm: bytes, rate: int) -> bytes:
    through = Fir(rate, RATE_HZ, aligned=True)
    return through.push(pcm) + through.flush()


@lru_cache
def _session(model: Path) -> Any:
    """Load the network of a file, for one thread at a time of the processor."""
    import onnxruntime  # it takes 0.1 s: only where it is asked

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
