"""Is there an echo at all? A canceller that hears none still holds down the caller who talks over the bot.

Measured with LiveKit's: of callers without any echo who spoke over the bot, it left half to be found within 300 ms.
With one, nearly all. So what it gives is used until it is plain that there is no echo: the bot has been talking for
longer than an echo takes, loud enough that one would be heard, and the microphone is as quiet as ever. And it is used
again where what the microphone took up ended with what the bot said. Who talks over the very first words of the bot,
when nothing is plain yet, is believed where they are louder than an echo.
"""

from __future__ import annotations

from collections import deque

LATEST = 30  # pieces of 10 ms: an echo that takes longer is none that a room makes
PLAIN = 8  # pieces in a row that must be quiet, though the last LATEST of the bot were loud
ECHO = 10**-2.5  # −25 dB: a weaker echo is none that matters
OVER_FLOOR = 2.0  # 3 dB: a piece is quiet that is no louder than so much over the noise
LEAST = 30.0  # power of the least noise that there is: −75 dBFS
RISE = 1.002  # how fast the noise floor follows what is always louder: 0.9 dB a second
LOUD = 10  # pieces over the bot's voice that, ending with it, were an echo


NEW = 60  # pieces of the bot's voice after which it is too late to be its very first words
LOUDER = 10**-0.6  # −6 dB of the bot: no echo is so loud
BELIEVED = 50  # pieces from there on


class EchoWatch:
    """Fed with the power of each piece of 10 ms; `echo` is False where it is plain that there is none."""

    def __init__(self) -> None:
        self.echo = True
        self._new = NEW
        self._believed = 0
        self._floor = 0.0
        self._played: deque[float] = deque([0.0] * LATEST, LATEST)
        self._quiet = 0  # pieces in a row, each with an echo due
        self._loud = 0  # pieces while the bot was heard
        self._since = LATEST + 1  # pieces since the bot was last loud

    def look(self, heard: float, played: float) -> None:
        """One piece: the power (mean square, int16) of what the microphone took up, and of what the bot said then."""
        heard = max(heard, LEAST)
        self._floor = min(heard, self._floor * RISE) if self._floor else heard
        visible = OVER_FLOOR * self._floor / ECHO  # what the bot must say for its echo to be seen
        self._played.append(played)
        quiet = heard <= OVER_FLOOR * self._floor
        due = not quiet or min(self._played) > visible
        self._quiet = self._quiet + 1 if quiet and due else 0
        if self._quiet >= PLAIN:
            self.echo, self._new = False, 0
        if self._new:
            self._begin(heard, played > visible)
        if played > visible:
            self._since = 0
        else:
            self._since += 1
        if self._since <= LATEST:
            self._loud += not quiet
        else:
            if self._since == LATEST + 1 and quiet and self._loud >= LOUD:
                self.echo = True
            self._loud = 0

    def _begin(self, heard: float, speaks: bool) -> None:
        """Of the bot's very first words."""
        self._new -= speaks
        if heard > LOUDER * max(self._played) and any(self._played):
            self._believed = BELIEVED
        self._believed = max(0, self._believed - 1)
        self.echo = not (self._believed and self._new)
