"""Noises by other makers: `python -m bench.hearing --others`. A rule must not rely on how noises.py makes its own.

Music on hold is real (Debian's asterisk-moh-opsound-wav): a condition for each piece. The rest is by SoX. They have
the form of `noises.NOISES` and `noises.BANGS`.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache, partial

import numpy as np

from bench.hearing.noises import Noise, Random, unit
from bench.hearing.voices import MUSIC, RATE_HZ, Samples, music
from webapi.voice_node.errors import UserError

PIECES = 5  # of that package
BANK = 24  # bangs of a kind


def hold(n: int, random: Random, _: str = "", *, piece: int) -> Samples:
    """A stretch of a piece of music on hold, from anywhere in it."""
    pieces = music()
    if len(pieces) < PIECES:
        raise UserError(f"{MUSIC}: no music there. On Debian: apt-get install asterisk-moh-opsound-wav")
    played = pieces[piece]
    return unit(np.roll(np.resize(played, max(n, len(played))), -int(random.integers(len(played))))[:n])


def brown(n: int, random: Random, _: str = "") -> Samples:
    """A rumble that swells."""
    return unit(sox(n, f"brownnoise tremolo {random.uniform(0.2, 2):.2f} {random.uniform(20, 60):.0f}"))


def engine(n: int, random: Random, _: str = "") -> Samples:
    """A motor: two sawtooths that beat, distorted and dull."""
    hz = random.uniform(45, 110)
    return unit(sox(n, f"sawtooth {hz:.2f} synth sawtooth mix {hz * 1.013:.2f} overdrive 12 lowpass 1100"))


def vent(n: int, random: Random, _: str = "") -> Samples:
    """Air through a grille: a band of noise that wanders."""
    return unit(sox(n, f"pinknoise band -n {random.uniform(300, 1500):.0f} 500 phaser 0.9 0.9 3 0.4 0.3 -s"))


def siren(n: int, random: Random, _: str = "") -> Samples:
    """A siren, up and down."""
    low = random.uniform(400, 700)
    up = sox(round(random.uniform(0.5, 3) * RATE_HZ), f"triangle {low:.0f}:{low * 2:.0f}")
    return unit(np.resize(np.concatenate([up, up[::-1]]), n))


def ring(n: int, random: Random, _: str = "") -> Samples:
    """A telephone rings, 1 s of every 3, in a hiss 30 dB below."""
    tone = np.r_[sox(RATE_HZ, "sine 440 synth sine mix 480"), np.zeros(2 * RATE_HZ)]
    start = int(random.integers(len(tone)))
    return unit(unit(np.resize(np.roll(tone, start), n)) + 10 ** (-30 / 20) * random.standard_normal(n))


def tap(random: Random) -> Samples:
    """A fingernail on the table."""
    seconds = random.uniform(0.01, 0.04)
    return sox(round(0.3 * RATE_HZ), f"whitenoise band {random.uniform(800, 3000):.0f} 900", seconds, "reverb 25 50 20")


def hack(random: Random) -> Samples:
    """A cough: one to three bursts through a tube."""
    seconds, times = random.uniform(0.12, 0.3), int(random.integers(0, 3))
    shape = f"pinknoise band {random.uniform(500, 1400):.0f} 900 overdrive 15"
    return sox(RATE_HZ, shape, seconds, f"pad 0 {random.uniform(0.05, 0.2):.2f} repeat {times} reverb 15 50 10")


def knock(random: Random) -> Samples:
    """One to four knocks on wood."""
    high, times = random.uniform(120, 320), int(random.integers(0, 4))
    return sox(RATE_HZ, f"sine {high:.0f}:{high / 3:.0f}", 0.1, f"pad 0 0.15 repeat {times} reverb 30 50 15")


HOLD: dict[str, Noise] = {f"hold-{piece + 1}": partial(hold, piece=piece) for piece in range(PIECES)}
BY_SOX: dict[str, Noise] = {"brown": brown, "engine": engine, "vent": vent, "siren": siren, "ring": ring}
OTHERS: dict[str, Noise] = {**HOLD, **BY_SOX}
MAKERS = {"taps": tap, "hacks": hack, "knocks": knock}


@lru_cache
def _bank(kind: str) -> tuple[Samples, ...]:
    return tuple(MAKERS[kind](np.random.default_rng([7, number])) for number in range(BANK))


def bang(random: Random, *, kind: str) -> Samples:
    """One of that kind's bangs, of peak 1."""
    sound = _bank(kind)[int(random.integers(BANK))]
    return np.asarray(sound / np.abs(sound).max())


OTHER_BANGS = {kind: partial(bang, kind=kind) for kind in MAKERS}


def sox(n: int, synth: str, seconds: float | None = None, then: str = "") -> Samples:
    """`n` samples of SoX's `synth`. `seconds`: so long a sound, that dies away, and what is done with it `then`."""
    if not shutil.which("sox"):
        raise UserError("sox is not there. On Debian: apt-get install sox")
    length = n / RATE_HZ if seconds is None else seconds
    fades = "" if seconds is None else f"fade t 0.002 {seconds:.4f} {seconds * 0.8:.4f} {then}"
    what = f"sox -R -D -r {RATE_HZ} -n -t raw -e signed -b 16 -c 1 - synth {length:.4f} {synth} {fades} vol 0.5"
    made = subprocess.run(what.split(), capture_output=True, check=True).stdout
    samples = np.frombuffer(made, "<i2") / 32768
    return np.asarray(np.resize(samples, n) if seconds is None else samples[:n])
