"""Rooms and callers that a rule could wrongly rely on not to meet: `python -m bench.hearing --harder`.

The noises have the form of `noises.NOISES`. A caller changes what is heard, or who says what when; see `CALLERS`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.hearing.noises import Noise, Random, add, click, drum, pink, shaped, talker, unit, white
from bench.hearing.voices import RATE_HZ, Samples


def fan(n: int, random: Random, _: str = "") -> Samples:
    """A fan that turns to and fro: its level goes up and down by 3 to 5 dB in 3 to 12 s, and it hums."""
    blades = np.sin(2 * np.pi * random.uniform(80, 200) * _time(n))
    return unit((pink(n, random) + 0.3 * blades) * _wobble(n, random, random.uniform(3, 5), random.uniform(3, 12)))


def rain(n: int, random: Random, _: str = "") -> Samples:
    """Drops, 200 a second, on a hiss that gusts slowly."""
    out = 0.5 * white(n, random) * _wobble(n, random, 4, 8)
    at = np.flatnonzero(random.random(n) < 200 / RATE_HZ)
    drops = np.zeros(n)
    drops[at] = random.standard_normal(len(at)) * random.exponential(1, len(at))
    return unit(out + unit(shaped(drops, lambda hz: np.asarray(1 / (1 + ((hz - 1500) / 1200) ** 2)))))


def traffic(n: int, random: Random, _: str = "") -> Samples:
    """A street: a rumble, and each 2 to 8 s something that passes in 1 to 4 s, 6 to 15 dB louder."""
    out = pink(n, random)
    at = 0
    while at < n:
        length = round(random.uniform(1, 4) * RATE_HZ)
        add(out, at, pink(length, random) * np.hanning(length) ** 2 * 10 ** (random.uniform(6, 15) / 20))
        at += length + round(random.uniform(2, 8) * RATE_HZ)
    return unit(out)


def keyboard(n: int, random: Random, _: str = "") -> Samples:
    """Somebody types: words of 2 to 10 keys, 5 to 12 keys a second, each with its echo from the table."""
    out = 0.02 * pink(n, random)
    at = 0
    while at < n:
        for _key in range(int(random.integers(2, 11))):
            add(out, at, click(random) * random.uniform(0.3, 1))
            thump = np.sin(2 * np.pi * random.uniform(150, 400) * _time(400)) * np.exp(-_time(400) / 0.01)
            add(out, at + 40, thump * random.uniform(0.1, 0.4))
            at += round(RATE_HZ / random.uniform(5, 12))
        at += round(random.uniform(0.2, 2) * RATE_HZ)
    return unit(out)


def dishes(n: int, random: Random, _: str = "") -> Samples:
    """Plates and cups: rings of 600 to 3800 Hz that take 0.05 to 0.3 s to die, on a kitchen's hiss."""
    out = 0.05 * pink(n, random)
    at = 0
    while at < n:
        length = RATE_HZ // 2
        for _tone in range(int(random.integers(2, 6))):
            ring = np.sin(2 * np.pi * random.uniform(600, 3800) * _time(length) + random.uniform(0, 6))
            add(out, at, ring * np.exp(-_time(length) / random.uniform(0.02, 0.1)) * random.uniform(0.2, 1))
        at += round(random.exponential(0.5) * RATE_HZ)
    return unit(out)


def radio(n: int, random: Random, language: str) -> Samples:
    """Talk on a radio in the next room: 300 to 2500 Hz, and its echo from the walls for half a second."""
    length = RATE_HZ // 2
    walls = random.standard_normal(length) * np.exp(-_time(length) / 0.12)
    far = np.fft.irfft(np.fft.rfft(talker(n, random, language), 2 * n) * np.fft.rfft(walls, 2 * n), 2 * n)[:n]
    return unit(shaped(far, lambda hz: np.asarray((hz > 300) & (hz < 2500), np.float64)))


def party(n: int, random: Random, language: str) -> Samples:
    """Four people talking at once: harder than six, whose voices run together."""
    return unit(sum((talker(n, random, language) for _ in range(4)), np.zeros(n)))


def beat(n: int, random: Random, _: str = "") -> Samples:
    """Music of which little but the beat comes through a wall: 100 to 140 a minute."""
    out = 0.1 * pink(n, random)
    step = round(RATE_HZ * 60 / random.uniform(100, 140))
    for number, at in enumerate(range(0, n, step)):
        add(out, at, 2 * drum(True, step, random))
        add(out, at + step // 2, drum(False, step // 2, random) * (0.5 if number % 2 else 1))
    return unit(out)


ROOMS: dict[str, Noise] = {
    "fan": fan, "rain": rain, "traffic": traffic, "keyboard": keyboard, "dishes": dishes, "radio": radio,
    "party": party, "beat": beat,
}  # fmt: skip

Caller = Callable[[Samples, float, Random], Samples]  # (talk, RMS of its speech, …) as it arrives


def soft(talk: Samples, rms: float, _: Random) -> Samples:
    """A quiet voice: -45 dB."""
    return np.asarray(talk * (10 ** (-45 / 20) / rms))


def softest(talk: Samples, rms: float, _: Random) -> Samples:
    """A quieter one: -50 dB."""
    return np.asarray(talk * (10 ** (-50 / 20) / rms))


def softer(talk: Samples, rms: float, _: Random) -> Samples:
    """Half a minute at -20 dB, and then at -45: the telephone was handed to somebody else."""
    half = len(talk) // 2
    return np.concatenate([talk[:half] * 10 ** (-20 / 20), talk[half:] * 10 ** (-45 / 20)]) / rms


def dtx(talk: Samples, rms: float, _: Random) -> Samples:
    """Digital silence wherever the voice is 45 dB down for 20 ms, as clients that save bandwidth send it."""
    frame = RATE_HZ // 50
    loud = (talk.reshape(-1, frame) ** 2).mean(axis=1) > (rms * 10 ** (-45 / 20)) ** 2
    return np.asarray(talk * np.repeat(loud, frame))


def offset(talk: Samples, _: float, random: Random) -> Samples:
    """A cheap sound card: a steady offset of 2 to 5 % of full scale."""
    return talk + random.uniform(0.02, 0.05)


def pumped(talk: Samples, rms: float, random: Random) -> Samples:
    """Noise 20 dB below, and a gain control that brings whatever there is to the same level within a second or two."""
    mixed = talk + rms / 10 * pink(len(talk), random)
    gain, out, frame = 1.0, np.empty_like(mixed), RATE_HZ // 100
    for at in range(0, len(mixed), frame):
        part = mixed[at : at + frame]
        level = float(np.sqrt((part**2).mean())) * gain
        gain = max(0.3, gain * 0.9) if level > 1.5 * rms else min(8.0, gain * (1.015 if level < rms else 1.0))
        out[at : at + frame] = part * gain
    return out


def begins(talk: Samples, rms: float, random: Random) -> Samples:
    """Half a minute of quiet, and then a hiss 10 dB below the voice: somebody opens a window."""
    noise = rms * 10 ** (-10 / 20) * pink(len(talk), random)
    noise[: len(talk) // 2] = 0
    return talk + noise


def telephone(talk: Samples, _: float, __: Random) -> Samples:
    """300 to 3400 Hz."""
    return shaped(talk, lambda hz: np.asarray((hz > 300) & (hz < 3400), np.float64))


CALLERS: dict[str, Caller] = {
    "soft": soft, "softest": softest, "softer": softer, "dtx": dtx, "offset": offset, "pumped": pumped,
    "begins": begins, "telephone": telephone,
}  # fmt: skip


def _time(n: int) -> Samples:
    return np.arange(n) / RATE_HZ


def _wobble(n: int, random: Random, db: float, period_s: float) -> Samples:
    phase = 2 * np.pi * _time(n) / period_s + random.uniform(0, 6)
    return np.asarray(10 ** (db * np.sin(phase) / 40))
