"""Whether the caller's audio has an echo of the bot, and how much of it a canceller may leave. Pure.

It compares the power of what was heard and of what was played, 10 ms at a time. A canceller that has no echo to cancel
still attenuates a caller who talks over the bot: with LiveKit's, only 13 % of callers without a loudspeaker were found
within 300 ms. So the canceller's output is used until it is certain that there is no echo: for each possible delay, the
bot was loud that long ago and the microphone was quiet. The output is used again once the microphone was loud while the
bot spoke and quiet as soon as it stopped.

Where the canceller has not learnt yet, or rests, powers do not say who is heard. It `asks` then how much of what was
heard what was played explains (echo_share.py): mostly, and it is the bot, which interrupts nothing, and wakes the
canceller; hardly at all, and it is the caller, who is heard without the canceller. While that is not known yet, who is
louder than any possible echo is taken for a caller.
"""

from __future__ import annotations

import numpy as np

from webapi.voice_node.events import BOT

LATEST = 50  # pieces of 10 ms: the longest delay of an echo in a call
PLAIN = 8  # pieces in a row in which an echo of one delay was due and not heard: that delay is ruled out
ECHO = 10**-2.5  # -25 dB: a weaker echo does not matter
OVER_FLOOR = 2.0  # 3 dB over the noise floor, up to which a piece counts as quiet
LEAST = 30.0  # power of the lowest noise floor: -75 dBFS
RISE = 1.002  # rise of the noise floor for each piece: 0.9 dB a second
LOUD = 10  # loud pieces while the bot spoke that, if they end with it, were an echo
RING = 8  # pieces of reverberation

SPEAKS = 1e5  # least power of the bot's voice outside its pauses: -40 dBFS
NEW = 100  # pieces of the bot's voice that count as its first words
LOUDER = 10**-0.3  # -3 dB of the bot: louder than any echo
BELIEVED = 50  # pieces for which what was taken for a caller then is one
# Pieces of the bot's voice until LiveKit's canceller left no echo that a detector took for a voice, in an hour.
LEARNS = 150

EVERY = 3  # pieces: how often it asks
KNOWN = 8  # the same while the answer is known: HELD and BELIEVED are longer
RESTING = 16  # the same while it is the caller, and the canceller rests
MOSTLY = 0.45  # of the energy of what was heard lately: this is the bot
HELD = 15  # pieces for which it then is
WAKES = 3  # times in a row: the canceller that rests is needed
HARDLY = 0.15  # of the energy, at most, STRANGE times in a row: this is not the bot, but the caller
STRANGE = 3


class EchoDetector:
    """Takes pieces of 10 ms, in order. `echo` is False while the caller's audio needs no canceller.

    `none` is True while it is certain that there is no echo; else `echo` may be False for a loud caller.
    """

    def __init__(self) -> None:
        self.none = False
        self._missed = np.zeros(LATEST + 1, int)  # per delay: pieces in a row in which an echo was due and missing
        self._played = np.zeros(LATEST + 1 + RING)  # power played, by delay
        self._spoke = 0  # pieces
        self._believed = 0
        self._until = NEW  # pieces of the bot's voice until that is over
        self._wait = 0  # pieces until it asks again
        self._quiet = True  # the last piece
        self._bot = 0  # pieces for which what is heard is still taken for the bot
        self._alike, self._strange = 0, 0  # times in a row that it was the bot, and that it was not
        self._seen = False  # an echo which, however weak, was there: it may not be ruled out any more
        self._floor = 0.0
        self._loud = 0  # pieces while the bot was heard
        self._since = LATEST + 1  # pieces since the bot was last loud

    @property
    def echo(self) -> bool:
        """Whether the canceller's output is to be used."""
        return not (self.none or (self._believed and not self._bot and self._spoke < self._until))

    @property
    def left(self) -> float:
        """How much of the echo the canceller may leave: 1 at first, 0 once it has learnt the echo path."""
        return max(0.0, 1 - self._spoke / LEARNS)

    @property
    def echo_left(self) -> float | None:
        """As AudioChunk has it: `left`, BOT where this is the bot's voice, None where no canceller is needed."""
        return BOT if self._bot else self.left if self.echo else None

    @property
    def asks(self) -> bool:
        """Whether it matters how much of what was heard is the bot's voice: `explained` tells it."""
        unsure = self.none or self._spoke < LEARNS
        return unsure and not self._quiet and not self._wait and float(self._played.max()) > SPEAKS

    def explained(self, share: float) -> None:
        """So much of the energy of what was heard lately is the bot's voice."""
        self._alike = self._alike + 1 if share >= MOSTLY else 0
        self._strange = self._strange + 1 if share <= HARDLY else 0
        self._wait = EVERY
        if self._alike:
            self._bot, self._believed, self._until = HELD, 0, NEW
            self._seen |= self._alike >= WAKES
            self.none &= not self._seen
            self._wait = EVERY if self.none else KNOWN
        elif self._strange >= STRANGE:
            self._bot, self._believed, self._until = 0, BELIEVED, LEARNS
            self._wait = RESTING if self.none else KNOWN

    def look(self, heard: float, played: float) -> None:
        """One piece: the power (mean square of int16) of what was heard and of what was played."""
        heard = max(heard, LEAST)
        self._floor = min(heard, self._floor * RISE) if self._floor else heard
        visible = OVER_FLOOR * self._floor / ECHO  # least power played whose echo would be above the noise
        quiet = heard <= OVER_FLOOR * self._floor
        self._quiet = quiet
        self._wait = max(0, self._wait - 1)
        self._bot = max(0, self._bot - 1)
        self._played[1:] = self._played[:-1]
        self._played[0] = played
        self._spoke += played > SPEAKS
        if not self.none:
            self._rule_out(quiet, self._played[: LATEST + 1] > visible)
            if not quiet and self._louder(heard):
                self._believed = BELIEVED
            self._believed = max(0, self._believed - 1)
        self._see_again(quiet, played > visible)

    def _rule_out(self, quiet: bool, due: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        """Rule out delays. `due`: per delay, whether an echo would be heard now."""
        if not due.any():
            self._missed[:] = 0  # the bot has paused: the caller may have moved, so start again
        elif quiet:
            self._missed[due] += 1
        else:
            self._missed[due & (self._missed < PLAIN)] = 0
        self.none = not self._seen and bool((self._missed >= PLAIN).all())

    def _louder(self, heard: float) -> bool:
        """Whether it is louder than any possible echo, while the bot was heard at all."""
        most = float(self._played.max())
        if heard > LOUDER * most:
            return most > 0
        if not self._missed.any():  # no delay is ruled out: what was loudest is possible
            return False
        return heard > LOUDER * self._possible()

    def _possible(self) -> float:
        """The highest power played at any delay that is not ruled out."""
        ringing = np.convolve(self._missed < PLAIN, np.ones(RING + 1)) > 0
        return float(self._played.max(where=ringing, initial=0))

    def _see_again(self, quiet: bool, loud: bool) -> None:
        """Sound that ends together with the bot's speech was its echo: there is an echo again."""
        self._since = 0 if loud else self._since + 1
        if self._since <= LATEST:
            self._loud += not quiet
            return
        if self._since == LATEST + 1 and quiet and self._loud >= LOUD:
            self.none = False
            self._missed[:] = 0
        self._loud = 0
