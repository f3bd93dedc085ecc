"""The second opinion: soft voices louder, loud ones never sure, and two states that watch each other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from webapi.voice_node.hearing import second_opinion
from webapi.voice_node.hearing.onset import HELD, START
from webapi.voice_node.hearing.second_opinion import ALONE, LIKELY, QUIET, Doubt, SecondOpinion
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


def grown(windows: str) -> str:
    """When a state is renewed. A window each: v only the other is sure, b both are, q quiet, - else."""
    doubt = Doubt()
    likely = {"v": (0.1, 0.9), "b": (0.9, 0.9), "q": (0.0, 0.0), "-": (0.3, 0.3)}
    return "".join("R" if doubt.window(*likely[each], each == "q") else "." for each in windows)


def test_a_state_that_finds_no_voice_where_the_other_is_sure_begins_anew_in_the_next_quiet() -> None:
    assert grown("v" * ALONE + "--qq") == "." * (ALONE + 2) + "R."
    assert "R" not in grown("v" * (ALONE - 1) + "qq")
    assert "R" not in grown("v" * (ALONE - 1) + "b" + "v" * (ALONE - 1) + "q")
    assert grown("v" * 50 + "q" + "v" * ALONE + "q") == "." * 50 + "R" + "." * ALONE + "R"


@pytest.mark.parametrize("spoilt", [0, 1])
def test_either_of_sileros_states_is_renewed_where_the_other_knows_better(made: list[Scripted], spoilt: int) -> None:
    silero = Silero(16_000, twice=True)
    frame = LOUD.tobytes()
    before = [network.resets for network in made]
    made[1 - spoilt].says = 0.9
    for _ in range(ALONE):
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
