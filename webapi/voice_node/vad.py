"""Is there a voice in this frame? One class, and the backends behind it by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import webrtcvad

from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.plugins import Plugins

ENTRY_POINTS = "voice_node.vads"
SLOT = "sierra"
WEBRTC_MODE = 3  # the strictest; modes 0 to 2 start falsely more often than they gain in onsets found
WEBRTC_RATES_HZ = (8000, 16000, 32000, 48000)
WEBRTC_FRAME_MS = (10, 20, 30)


class Backend(Protocol):
    """What a voice detector is: made with (rate, frame_ms), asked frame by frame, in order."""

    def is_speech(self, frame: bytes) -> bool:
        """Whether there is a voice in `frame` (int16 mono of the rate and length it was made for)."""
        ...


BackendFactory = Callable[[int, int], Backend]


class _Webrtc:
    def __init__(self, rate: int, frame_ms: int) -> None:
        if rate not in WEBRTC_RATES_HZ or frame_ms not in WEBRTC_FRAME_MS:
            raise ValueError(f"webrtc takes frames of 10, 20 or 30 ms at 8 to 48 kHz, not {frame_ms} ms at {rate} Hz")
        self._vad = webrtcvad.Vad(WEBRTC_MODE)
        self._rate = rate

    def is_speech(self, frame: bytes) -> bool:
        return bool(self._vad.is_speech(frame, self._rate))


def _wrong(_: str, loaded: Any) -> str:
    return "" if callable(loaded) else "it must be called with (rate, frame_ms), and can't be."


BACKENDS: Plugins[BackendFactory] = Plugins("VAD backend", ENTRY_POINTS, {"webrtc": _Webrtc}, _wrong)


class VoiceActivityDetector:
    """`VoiceActivityDetector("webrtc").is_speech(frame)`: one detector, for one caller, with its own memory.

    `backend` is `webrtc`, `sierra` (a slot for a package of that name; `webrtc` where there is none, and `fallback`
    then says so), or a name that an installed package advertises in the entry point group `voice_node.vads`.
    Raises UserError for a backend that is not there.
    """

    def __init__(self, backend: str = "webrtc", *, rate: int = 8000, frame_ms: int = 20) -> None:
        self.fallback = missing_note(backend)
        self.backend = "webrtc" if self.fallback else backend
        self.frame_bytes = rate * frame_ms // 1000 * BYTES_PER_SAMPLE
        self._is_speech = _factory(self.backend)(rate, frame_ms).is_speech

    def is_speech(self, frame_20ms_8k: bytes) -> bool:
        """Whether there is a voice in the frame. ValueError for a frame of a size that it was not made for."""
        if len(frame_20ms_8k) != self.frame_bytes:
            raise ValueError(f"a frame of {len(frame_20ms_8k)} bytes came, {self.frame_bytes} are needed")
        return self._is_speech(frame_20ms_8k)


def available_backends() -> dict[str, str]:
    """Every backend by name, with "" where it is there and the reason where it is not."""
    found = dict.fromkeys(BACKENDS, "")
    found[SLOT] = "" if _slot() else f"no package named {SLOT!r} is installed; webrtc is used instead"
    return found


def missing_note(backend: str) -> str:
    """Why `webrtc` stands in for `backend`: "" where it does not."""
    return available_backends().get(backend, "") if backend == SLOT else ""


def unknown(backend: str) -> str:
    """Why there is no such backend; "" where there is one (whether it can be loaded is another question)."""
    if backend in BACKENDS or backend == SLOT:
        return ""
    there = sorted({*BACKENDS, SLOT})
    return f"there is no such backend.{nearest(backend, there)} There are: {', '.join(there)}."


def _factory(name: str) -> BackendFactory:
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
    try:
        module = importlib.import_module(SLOT)
        detector = module.VoiceActivityDetector
    except (ImportError, AttributeError):
        return None

    def make(rate: int, frame_ms: int) -> Backend:
        backend: Backend = detector(rate=rate, frame_ms=frame_ms)
        return backend

    return make
