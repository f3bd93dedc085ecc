"""The telephone of bench.phone, and its code for audio. Two of them call each other on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bench import g711
from bench.hearing import rooms
from bench.phone_lines import programs
from bench.sip_phone import RATE_HZ, Phone, read
from webapi.voice_node.errors import UserError
from webapi.voice_node.orchestrator_mock import tone

WAIT_S = 20.0


@pytest.fixture
def two() -> Iterator[tuple[Phone, Phone]]:
    phones = Phone("+491"), Phone("+492")
    yield phones
    for phone in phones:
        phone.close()


def until(look: Callable[[], object]) -> None:
    """Wait until it gives something true."""
    until_s = time.monotonic() + WAIT_S
    while not look():
        assert time.monotonic() < until_s
        time.sleep(0.005)


def test_mu_law_keeps_every_sample_to_within_a_step() -> None:
    samples = np.arange(-32_635, 32_636, 7).astype("<i2")
    back = np.frombuffer(g711.decode(g711.encode(samples.tobytes())), "<i2").astype(int)
    error = np.abs(back - samples.astype(int))
    assert (error <= np.maximum(8, np.abs(samples.astype(int)) / 16 + 8)).all()
    assert g711.encode(bytes(2)) == b"\xff"


def test_codes_of_the_standard() -> None:
    """ITU-T G.711, table 2a: the ends of the scale, and the step next to silence."""
    decoded = np.frombuffer(g711.decode(bytes([0x80, 0x00, 0xFF, 0x7F, 0xFE])), "<i2").tolist()
    assert decoded == [32_124, -32_124, 0, 0, 8]


def test_a_telephone_line_passes_the_middle_of_the_band_alone() -> None:
    t = np.arange(RATE_HZ) / RATE_HZ
    levels = []
    for hz in (100, 1000, 3800):
        passed = rooms.telephone(np.sin(2 * np.pi * hz * t), 0.0, np.random.default_rng(1))
        levels.append(float(np.sqrt((passed**2).mean())))
    assert levels == pytest.approx([0, 0.5**0.5, 0], abs=0.01)


def test_a_message_of_a_server() -> None:
    text = "SIP/2.0 180 Ringing\r\nv: SIP/2.0/UDP a\r\nVia: SIP/2.0/UDP b\r\n"
    text += "t: <sip:x>;tag=1\r\nCSeq: 1 INVITE\r\n\r\nbody"
    message = read(text.encode())
    assert (message.status, message.method, message.body) == (180, "INVITE", "body")
    assert message.via == ["SIP/2.0/UDP a", "SIP/2.0/UDP b"]
    assert message.headers["to"] == "<sip:x>;tag=1"


def test_a_call_from_one_to_the_other(two: tuple[Phone, Phone]) -> None:
    one, other = two
    one.dial("+492", other.port)
    until(one.ringing.is_set)
    assert not one.answered.is_set()
    other.picks_up.set()
    until(one.answered.is_set)
    one.say(tone(0.2, RATE_HZ, 440))
    until(lambda: any(np.abs(np.frombuffer(each.pcm, "<i2")).max() > 1000 for each in list(other.heard)))
    until(lambda: one.heard)
    one.hang_up()
    until(other.ended.is_set)


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"Not on PATH: redis-server, .*livekit-sip\. .*Redis by the system's packages"):
        programs()
