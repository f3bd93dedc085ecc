"""A second opinion of Silero's network: by another state of it, that hears soft voices louder.

The network is sure of a soft voice only once it sounds as loud as others (soft_voice.py). One state can't hear both:
after quiet that was amplified, it is unsure of the loud voice that follows.

What the network remembers can also spoil its judgement: after some sounds it finds, for a minute, no voice in what it
knew for one before (seen by others too: silero-vad's issue 725). Two states are hardly ever spoilt at once. So where
one is sure of a voice for ALONE windows and the other is not, the other begins anew with the next quiet. To begin anew
more often is worse: a new state takes bangs for voices, and is unsure of soft ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.hearing.onset import START
from webapi.voice_node.hearing.silero_network import RATE_HZ, WINDOW, new_model
from webapi.voice_node.hearing.soft_voice import SOFT_GAIN, SoftVoiceGain

LIKELY = 0.75  # at most, of what is not soft: it begins no turn at once, but if it goes on (onset.HELD)
NO_VOICE, UNSURE = 0.1, 0.5  # probabilities: up to the first it is quiet, up to the second a state is unsure
QUIET, ALONE = 9, 6  # windows: 0.3 and 0.2 s


class SecondOpinion:
    """Takes windows in order. Raises ImportError where the package is missing."""

    def __init__(self) -> None:
        self._model = new_model()
        self.reset()

    def reset(self) -> None:
        """Forget all audio."""
        self._model.reset()
        self._amplifier = SoftVoiceGain(WINDOW * 1000 // RATE_HZ)
        self._quiet = 0
        self._doubts_first, self._doubts_second = Doubt(), Doubt()
        self.first_is_spoilt = False

    def window(self, samples: NDArray[np.int16], scaled: NDArray[np.float32], first: float) -> float:
        """The probability (0 to 1) of one more window. `scaled`: it in -1 to 1. `first`: the first opinion of it."""
        gain = self._amplifier.window(samples)
        second = self._model.process(scaled * np.float32(gain))
        self._quiet = self._quiet + 1 if max(second, first) < NO_VOICE else 0
        quiet = self._quiet >= QUIET
        self.first_is_spoilt = self._doubts_first.window(first, second, quiet)
        if self._doubts_second.window(second, first, quiet):
            self._model.reset()
        return second if gain >= SOFT_GAIN else min(second, LIKELY)


class Doubt:
    """Whether a state is spoilt."""

    def __init__(self) -> None:
        self._alone = 0  # windows in a row in which only the other is sure
        self._grown = False

    def window(self, likely: float, other: float, quiet: bool) -> bool:
        """Whether it is to begin anew, after one more window."""
        self._alone = self._alone + 1 if other >= START and likely < UNSURE else 0
        self._grown = self._grown or self._alone >= ALONE
        renews = self._grown and quiet
        self._grown = self._grown and not quiet
        return renews
