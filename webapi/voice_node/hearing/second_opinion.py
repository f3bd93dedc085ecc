"""A second opinion of Silero's network: by another state of it, that hears soft voices louder.

The network is sure of a soft voice only once it sounds as loud as others (soft_voice.py). One state can't hear both:
after quiet that was amplified, it is unsure of the loud voice that follows.

What the network remembers can also spoil its judgement: after some sounds it finds, for a minute, no voice in what it
knew for one before (seen by others too: silero-vad's issue 725). A state is in doubt where for DOUBTFUL windows the
other is sure of a voice and it is not; this second one also where neither is sure of a clear sound. With the next quiet
it begins anew. More often is worse: a new state takes bangs for voices, and is unsure of soft ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.hearing.onset import START
from webapi.voice_node.hearing.silero_network import RATE_HZ, WINDOW, new_model
from webapi.voice_node.hearing.soft_voice import SOFT_GAIN, SoftVoiceGain

LIKELY = 0.75  # at most, of what is not soft: it begins no turn at once, but if it goes on (onset.HELD)
NO_VOICE, UNSURE = 0.1, 0.5  # probabilities: up to the first it is quiet, up to the second a state is unsure
QUIET, DOUBTFUL = 9, 8  # windows: 0.3 s; with 6, coughs and knocks, which a new state takes for voices, renew it


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
        self._doubt, self._doubt_of_first = Doubt(), Doubt()
        self.first_is_spoilt = False

    def window(self, samples: NDArray[np.int16], scaled: NDArray[np.float32], first: float) -> float:
        """The probability (0 to 1) of one more window. `scaled`: it in -1 to 1. `first`: the first opinion of it."""
        gain = self._amplifier.window(samples)
        second, soft = self._model.process(scaled * np.float32(gain)), gain >= SOFT_GAIN
        self._quiet = self._quiet + 1 if max(second, first) < NO_VOICE else 0
        quiet, unsure = self._quiet >= QUIET, second < UNSURE
        missed = unsure and first < UNSURE and self._amplifier.clear
        if self._doubt.window((unsure and first >= START) or missed, quiet):
            self._model.reset()
        sure = second >= START and not soft  # of a soft voice the first is never sure
        self.first_is_spoilt = self._doubt_of_first.window(sure and first < UNSURE, quiet)
        return second if soft else min(second, LIKELY)


class Doubt:
    """Whether a state is spoilt."""

    def __init__(self) -> None:
        self._doubtful = 0  # windows in a row
        self._grown = False

    def window(self, doubtful: bool, quiet: bool) -> bool:
        """Whether the state is to begin anew, after one more window."""
        self._doubtful = self._doubtful + 1 if doubtful else 0
        self._grown = self._grown or self._doubtful >= DOUBTFUL
        renews = self._grown and quiet
        self._grown = self._grown and not quiet
        return renews
