"""What a caller's room sounds like, from a seed: steady noises, people, and short bangs. Mono at RATE_HZ, floats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.hearing.voices import RATE_HZ, Samples, prompts

Random = np.random.Generator
Noise = Callable[[int, Random, str], Samples]  # (samples, random, language of its voices), of RMS 1


def white(n: int, random: Random, _: str = "") -> Samples:
    """As much of every frequency: a hiss."""
    return unit(random.standard_normal(n))


def pink(n: int, random: Random, _: str = "") -> Samples:
    """3 dB less with each octave: rain, traffic, a fan."""
    return unit(shaped(random.standard_normal(n), lambda hz: np.asarray(np.maximum(hz, 20) ** -0.5)))


def hum(n: int, random: Random, _: str = "") -> Samples:
    """Mains: 50 or 60 Hz and its harmonics, wavering a little, and a little hiss."""
    t = np.arange(n) / RATE_HZ
    base = random.choice([50.0, 60.0])
    out = np.zeros(n)
    for k in range(1, 13):
        depth, rate = random.uniform(0, 0.3), random.uniform(0.1, 1)
        wave = np.sin(2 * np.pi * base * k * t + random.uniform(0, 2 * np.pi))
        out += wave * (1 + depth * np.sin(2 * np.pi * rate * t)) / k
    return unit(unit(out) + 0.1 * random.standard_normal(n))


def music(n: int, random: Random, _: str = "") -> Samples:
    """A band from another room: four chords in turn, plucked, a bass, a drum, a cymbal."""
    beat = round(RATE_HZ * 60 / random.uniform(80, 140))
    root = 110 * 2 ** (random.integers(0, 12) / 12)
    scale = random.choice([[0, 4, 7], [0, 3, 7]])
    out = np.zeros(n + 4 * beat)
    for number, at in enumerate(range(0, n, beat)):
        step = [0, 5, 7, 3][number // 4 % 4]
        notes = [step - 12, *(step + s + random.choice([0, 12]) for s in scale)]
        for note in notes if number % 2 == 0 else notes[1:]:
            add(out, at, _pluck(root * 2 ** (note / 12), 2 * beat, random) * random.uniform(0.5, 1))
        add(out, at + int(random.integers(0, beat // 50)), drum(number % 2 == 0, beat, random))
        add(out, at + beat // 2, 0.3 * drum(False, beat // 4, random))
    return unit(out[:n])


def babble(n: int, random: Random, language: str) -> Samples:
    """Six people talking at once, one of them rarely louder than the rest."""
    return unit(sum((talker(n, random, language) for _ in range(6)), np.zeros(n)))


def talker(n: int, random: Random, language: str) -> Samples:
    """One person talking on and on."""
    parts: list[Samples] = []
    length = 0
    while length < n + RATE_HZ:
        prompt = prompts(language)[int(random.integers(len(prompts(language))))]
        parts += [prompt.samples / prompt.rms, np.zeros(round(random.uniform(0.05, 0.4) * RATE_HZ))]
        length += len(parts[-1]) + len(parts[-2])
    start = int(random.integers(RATE_HZ))
    return unit(np.concatenate(parts)[start : start + n])


NOISES: dict[str, Noise] = {
    "white": white, "pink": pink, "hum": hum, "music": music, "babble": babble, "talker": talker,
}  # fmt: skip


def click(random: Random) -> Samples:
    """A key, a pen, a plug: 1 to 8 ms."""
    n = round(random.uniform(0.02, 0.06) * RATE_HZ)
    ring = np.sin(2 * np.pi * random.uniform(300, 3500) * np.arange(n) / RATE_HZ)
    return _peak((random.standard_normal(n) + ring) * np.exp(-np.arange(n) / (random.uniform(0.001, 0.008) * RATE_HZ)))


def cough(random: Random) -> Samples:
    """One to three bursts of breath through a throat, each with a short voiced tail."""
    parts = []
    for _ in range(int(random.integers(1, 4))):
        n = round(random.uniform(0.15, 0.32) * RATE_HZ)
        t = np.arange(n) / RATE_HZ
        formants = [
            (random.uniform(400, 800), 200),
            (random.uniform(1200, 1900), 350),
            (random.uniform(2300, 3000), 500),
        ]

        def throat(hz: Samples, formants: list[tuple[float, int]] = formants) -> Samples:
            return np.asarray(sum(1 / (1 + ((hz - c) / w) ** 2) for c, w in formants) + 0.05)

        burst = shaped(random.standard_normal(n), throat)
        burst *= np.minimum(t / 0.008, 1) * np.exp(-t / random.uniform(0.05, 0.1))
        pitch = random.uniform(110, 260)
        voice = shaped(np.sign(np.sin(2 * np.pi * pitch * t * (1 - 0.5 * t))), throat)
        voice *= np.exp(-(((t - 0.6 * t[-1]) / 0.05) ** 2))
        parts += [
            _peak(burst) + random.uniform(0, 0.4) * _peak(voice),
            np.zeros(round(random.uniform(0.05, 0.2) * RATE_HZ)),
        ]
    return _peak(np.concatenate(parts))


def slam(random: Random) -> Samples:
    """A door: a bang of low resonances, and what it shakes."""
    n = round(random.uniform(0.3, 0.7) * RATE_HZ)
    t = np.arange(n) / RATE_HZ
    out = np.zeros(n)
    for _ in range(6):
        out += (
            random.uniform(0.3, 1)
            * np.sin(2 * np.pi * random.uniform(50, 500) * t)
            * np.exp(-t / random.uniform(0.03, 0.15))
        )
    bang = shaped(random.standard_normal(n), lambda hz: np.asarray(1 / np.maximum(hz, 100)))
    return _peak(_peak(out) + _peak(bang * np.exp(-t / random.uniform(0.02, 0.1))))


BANGS: dict[str, Callable[[Random], Samples]] = {"clicks": click, "coughs": cough, "slams": slam}


def bangs(sound_of: Callable[[Random], Samples], n: int, random: Random) -> Samples:
    """One every 0.4 to 2.5 s, of peaks between -26 and -4 dB of full scale."""
    out = np.zeros(n + 3 * RATE_HZ)
    at = round(random.uniform(0.5, 2) * RATE_HZ)
    while at < n:
        sound = sound_of(random) * 10 ** (random.uniform(-26, -4) / 20)
        add(out, at, sound)
        at += len(sound) + round(random.uniform(0.4, 2.5) * RATE_HZ)
    return out[:n]


def add(out: Samples, at: int, sound: Samples) -> None:
    end = min(at + len(sound), len(out))
    out[at:end] += sound[: max(0, end - at)]


def unit(x: Samples) -> Samples:
    return np.asarray(x / np.sqrt((x**2).mean()))


def _peak(x: Samples) -> Samples:
    return np.asarray(x / max(np.abs(x).max(), 1e-9))


def shaped(x: Samples, gain: Callable[[Samples], Samples]) -> Samples:
    hz = np.asarray(np.fft.rfftfreq(len(x), 1 / RATE_HZ), np.float64)
    return np.fft.irfft(np.fft.rfft(x) * gain(hz), len(x))


def _pluck(hz: float, n: int, random: Random) -> Samples:
    t = np.arange(n) / RATE_HZ
    overtones = [k for k in range(1, 9) if k * hz < RATE_HZ / 2]
    wave = sum((np.sin(2 * np.pi * hz * k * t + random.uniform(0, 6)) / k**1.2 for k in overtones), np.zeros(n))
    return np.asarray(wave * np.minimum(t / 0.005, 1) * np.exp(-t / random.uniform(0.2, 0.8)))


def drum(low: bool, n: int, random: Random) -> Samples:
    t = np.arange(n) / RATE_HZ
    if low:
        return np.asarray(1.5 * np.sin(2 * np.pi * 60 * t * (1 + np.exp(-t * 30))) * np.exp(-t * 15))
    return np.asarray(0.7 * random.standard_normal(n) * np.exp(-t * 25))
