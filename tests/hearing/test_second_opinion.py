"""The second opinion: soft voices louder, loud ones never sure, and two states that watch each other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from webapi.voice_node.hearing import second_opinion
from webapi.voice_node.hearing.onset import HELD, START
from webapi.voice_node.hearing.second_opinion import DOUBTFUL, LIKELY, QUIET, Doubt, SecondOpinion
from webapi.voice_node.hearing.silero import Silero
from webapi.voice_node.hearing.silero_network import WINDOW

LOUD = np.resize(np.array([-3000, 3000], "<i2"), WINDOW)
SOFT = np.resize(np.array([-60, 60], "<i2"), WINDOW)


class Scripted:
    """A network that says what it is told to."""

    def __init__(self) -> None:
        self.says = 0.0
        self.resets = 0
        self.heard: list[float] = []

    def process(self, window: NDArray[np.float32]) -> float:
        self.heard.append(float(np.abs(window).max()))
        return self.says

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Scripted]:
    """The networks that are made."""
    networks: list[Scripted] = []

    def new_model() -> Scripted:
        networks.append(Scripted())
        return networks[-1]

    monkeypatch.setattr(second_opinion, "new_model", new_model)
    monkeypatch.setattr("webapi.voice_node.hearing.silero.new_model", new_model)
    return networks


def ask(opinion: SecondOpinion, samples: NDArray[np.int16], first: float = 0.0) -> float:
    """The opinion of a window."""
    return opinion.window(samples, samples.astype(np.float32) / np.float32(32768), first)


def test_a_soft_voice_is_heard_louder_and_may_be_sure(made: list[Scripted]) -> None:
    opinion = SecondOpinion()
    for _ in range(60):
        ask(opinion, SOFT // 60)
    made[0].says = 0.99
    assert ask(opinion, SOFT) == 0.99
    assert made[0].heard[-1] > 5 * 60 / 32768


def test_of_a_loud_voice_it_is_never_sure_but_it_counts_where_that_goes_on(made: list[Scripted]) -> None:
    opinion = SecondOpinion()
    made[0].says = 0.99
    assert ask(opinion, LOUD) == LIKELY
    assert made[0].heard[-1] == pytest.approx(3000 / 32768)
    assert HELD <= LIKELY < START


def test_that_the_first_state_finds_no_soft_voice_is_no_doubt(made: list[Scripted]) -> None:
    silero = Silero(16_000, twice=True)
    quiet, soft = (SOFT // 60).tobytes(), SOFT.tobytes()
    for _ in range(60):
        silero.push(quiet)
    before = made[0].resets
    made[1].says = 0.9
    for _ in range(3 * DOUBTFUL):
        silero.push(soft)
    assert silero.second == pytest.approx(0.9, abs=0.001)
    made[1].says = 0.0
    for _ in range(3 * QUIET):
        silero.push(quiet)
    assert made[0].resets == before


def grown(windows: str) -> str:
    """When a state is renewed. A window each: d doubtful, q quiet, - else."""
    doubt = Doubt()
    return "".join("R" if doubt.window(each == "d", each == "q") else "." for each in windows)


def test_a_state_that_was_in_doubt_for_long_begins_anew_in_the_next_quiet() -> None:
    long, short = "d" * DOUBTFUL, "d" * (DOUBTFUL - 1)
    assert grown(f"{long}--qq") == "." * (DOUBTFUL + 2) + "R."
    assert "R" not in grown(f"{short}qq")
    assert "R" not in grown(f"{short}-{short}q")
    assert grown(f"{long * 5}q{long}q").count("R") == 2


def test_a_clear_sound_of_which_neither_is_sure_renews_the_second_state(made: list[Scripted]) -> None:
    silero = Silero(16_000, twice=True)
    quiet, loud = bytes(2 * WINDOW), LOUD.tobytes()
    for _ in range(100):
        silero.push(quiet)
    before = [network.resets for network in made]
    for count in (DOUBTFUL - 1, DOUBTFUL):  # a bang is shorter
        assert [network.resets for network in made] == before
        for network in made:
            network.says = 0.4
        for _ in range(count):
            silero.push(loud)
        for network in made:
            network.says = 0.0
        for _ in range(2 * QUIET):
            silero.push(quiet)
    assert [network.resets for network in made] == [before[0], before[1] + 1]


def test_steady_noise_of_which_neither_is_sure_renews_nothing(made: list[Scripted]) -> None:
    silero = Silero(16_000, twice=True)
    for _ in range(300):
        silero.push(LOUD.tobytes())
    before = [network.resets for network in made]
    for says in (0.4, 0.0):
        for network in made:
            network.says = says
        for _ in range(5 * DOUBTFUL):
            silero.push(LOUD.tobytes())
    assert [network.resets for network in made] == before


@pytest.mark.parametrize("spoilt", [0, 1])
def test_either_of_sileros_states_is_renewed_where_the_other_knows_better(made: list[Scripted], spoilt: int) -> None:
    silero = Silero(16_000, twice=True)
    frame = LOUD.tobytes()
    before = [network.resets for network in made]
    made[1 - spoilt].says = 0.9
    for _ in range(DOUBTFUL):
        silero.push(frame)
    made[1 - spoilt].says = 0.0
    for _ in range(QUIET - 1):
        silero.push(frame)
    assert [network.resets for network in made] == before
    silero.push(frame)
    before[spoilt] += 1
    assert [network.resets for network in made] == before
    for _ in range(3 * QUIET):
        silero.push(frame)
    assert [network.resets for network in made] == before
