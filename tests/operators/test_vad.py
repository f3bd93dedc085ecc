"""Each frame is asked about, in order, by a detector that each subscription has of its own."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from reactivex import Subject

from tests.operators.build import info
from webapi.voice_node.events import AudioGap, Frame, Voiced
from webapi.voice_node.operators.kinds import VOICED, Kind
from webapi.voice_node.operators.vad import vad

GAP = AudioGap(0, "muted")
FRAMES = [Frame(i, bytes([i]) * 320, 8000, i) for i in range(4)]


class Scripted:
    """A detector that notes what it is told, and finds a voice in odd frames."""

    made: list[Scripted]

    def __init__(self, backend: str, rate: int, frame_ms: int) -> None:
        self.made_with = (backend, rate, frame_ms)
        self.told: list[Any] = []
        self.probability: float | None = None
        self.second: float | None = None
        Scripted.made.append(self)

    def is_speech(self, pcm: bytes) -> bool:
        self.told.append(pcm[0])
        self.probability, self.second = pcm[0] / 10, pcm[0] / 20
        return pcm[0] % 2 == 1

    def reset(self) -> None:
        self.told.append("reset")


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted.made = []
    monkeypatch.setattr(importlib.import_module(vad.__module__), "VoiceActivityDetector", Scripted)


def test_a_voice_is_looked_for_in_each_frame_and_the_end_of_the_audio_resets() -> None:
    source, out = Subject[Any](), list[Any]()
    vad(backend="webrtc", info=info(Kind(VOICED.name, 16_000, 30)))(source).subscribe(out.append)
    for value in [*FRAMES[:2], GAP, *FRAMES[2:]]:
        source.on_next(value)
    assert out == [
        Voiced(FRAMES[0], False, 0.0, second=0.0),
        Voiced(FRAMES[1], True, 0.1, second=0.05),
        GAP,
        Voiced(FRAMES[2], False, 0.2, second=0.1),
        Voiced(FRAMES[3], True, 0.3, second=0.15),
    ]
    (detector,) = Scripted.made
    assert detector.made_with == ("webrtc", 16_000, 30)
    assert detector.told == [0, 1, "reset", 2, 3]


def test_each_subscription_has_a_detector_which_is_made_before_the_first_frame() -> None:
    source = Subject[Any]()
    stage = vad(backend="webrtc", info=info(Kind(VOICED.name, 8000, 20)))(source)
    assert Scripted.made == []
    stage.subscribe(lambda _: None)
    stage.subscribe(lambda _: None)
    assert len(Scripted.made) == 2
