"""Is there an echo at all, and how much of it is left? From the power of what was heard and played, piece by piece.

A canceller that hears no echo still holds down the caller who talks over the bot. Measured with LiveKit's: of callers
without a loudspeaker, it left 13 % to be found within 300 ms. So what it gives is used until it is plain that there
is no echo: for each delay that one may have, the bot was loud so long ago, and the microphone as quiet as ever. It is
used again where what the microphone took up ended with what the bot said. Who talks over the very first words of the
bot, when nothing is plain yet, is believed where they are louder than an echo that is still possible.
"""

from __future__ import annotations

import numpy as np

LATEST = 50  # pieces of 10 ms: an echo that takes longer is none that a call makes
PLAIN = 8  # pieces in a row in which an echo of some delay was due, and nothing heard: there is none so late
ECHO = 10**-2.5  # −25 dB: a weaker echo is none that matters
OVER_FLOOR = 2.0  # 3 dB: a piece is quiet that is no louder than so much over the noise
LEAST = 30.0  # power of the least noise that there is: −75 dBFS
RISE = 1.002  # how fast the noise floor follows what is always louder: 0.9 dB a second
LOUD = 10  # pieces over the bot's voice that, ending with it, were an echo
RING = 8  # pieces for which a room still rings

SPEAKS = 1e5  # power of the bot's voice, where it is no pause: −40 dBFS
NEW = 100  # pieces of the bot's voice after which it is too late to be its very first words
LOUDER = 10**-0.3  # −3 dB of the bot: no echo is so loud
BELIEVED = 50  # pieces from there on
LEARNS = 150  # pieces of the bot's voice: after them LiveKit's left nothing, in an hour, that a detector took for one


class EchoDetector:
    """Fed with each piece of 10 ms. `echo` is False where what was heard needs no canceller."""

    def __init__(self) -> None:
        self.echo = True
        self._none = False  # it is plain that there is no echo
        self._missed = np.zeros(LATEST + 1, int)  # of each delay: pieces in a row in which an echo was due and missing
        self._played = np.zeros(LATEST + 1 + RING)  # by how long ago
        self._spoke = 0  # pieces
        self._believed = 0
        self._floor = 0.0
        self._loud = 0  # pieces while the bot was heard
        self._since = LATEST + 1  # pieces since the bot was last loud

    @property
    def left(self) -> float:
        """How much of an echo the canceller may leave: 1 at first, 0 when it has learnt the way that it takes."""
        return max(0.0, 1 - self._spoke / LEARNS)

    def look(self, heard: float, played: float) -> None:
        """One piece: the power (mean square, int16) of what the microphone took up, and of what the bot said then."""
        heard = max(heard, LEAST)
        self._floor = min(heard, self._floor * RISE) if self._floor else heard
        visible = OVER_FLOOR * self._floor / ECHO  # what the bot must say for its echo to be seen
        quiet = heard <= OVER_FLOOR * self._floor
        self._played[1:] = self._played[:-1]
        self._played[0] = played
        self._spoke += played > SPEAKS
        if not self._none:
            self._rule_out(quiet, self._played[: LATEST + 1] > visible)
            if not quiet and self._played.any() and heard > LOUDER * self._possible():
                self._believed = BELIEVED
            self._believed = max(0, self._believed - 1)
        self._see_again(quiet, played > visible)
        self.echo = not (self._none or (self._believed and self._spoke < NEW))

    def _rule_out(self, quiet: bool, due: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        """Delays that an echo can't have. `due`: of each, whether one would be heard now."""
        if not due.any():
            self._missed[:] = 0  # the bot begins anew, and so does this: the caller may have moved
        elif quiet:
            self._missed[due] += 1
        else:
            self._missed[due & (self._missed < PLAIN)] = 0
        self._none = bool((self._missed >= PLAIN).all())

    def _possible(self) -> float:
        """The loudest that the bot said when an echo heard now may have left it."""
        ringing = np.convolve(self._missed < PLAIN, np.ones(RING + 1)) > 0
        return float(self._played.max(where=ringing, initial=0))

    def _see_again(self, quiet: bool, loud: bool) -> None:
        """What ends with the bot's words was an echo of them."""
        self._since = 0 if loud else self._since + 1
        if self._since <= LATEST:
            self._loud += not quiet
            return
        if self._since == LATEST + 1 and quiet and self._loud >= LOUD:
            self._none = False
            self._missed[:] = 0
        self._loud = 0
