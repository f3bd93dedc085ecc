"""The guard at work: what a canceller leaves of the bot's first words, and what is asked of a barge-in meanwhile.

python -m bench.echo_picture guard.svg      # docs/img/echo-guard.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.echo import LOUDNESS, as_pcm, at_48k, reading
from bench.echo_room import CHUNK, RATE_HZ, Room
from bench.hearing.voices import prompts
from webapi.voice_node.audio.fir_resampler import Fir
from webapi.voice_node.errors import UserError
from webapi.voice_node.hearing.echo_canceller import EchoCanceller
from webapi.voice_node.hearing.echo_detector import EchoDetector
from webapi.voice_node.hearing.onset import BARGE_IN, START
from webapi.voice_node.operators.cancel_echo import power
from webapi.voice_node.vad import VoiceActivityDetector

SECONDS, SPEAKS_AT = 8.0, 5.2
BOT, CALLER, SEED = "en", "it", 1
FRAME_BYTES = 320  # 20 ms at 8 kHz
FULL = 32768.0**2
GREY, BLUE, GREEN, RED = "#8c959f", "#54aeff", "#1a7f37", "#cf222e"


def main(path: Path) -> None:
    """Draw it."""
    voice = prompts(CALLER)[3]
    said = np.zeros(int(SECONDS * RATE_HZ))
    words = at_48k(voice.samples * LOUDNESS / 2 / voice.rms)[: int(1.5 * RATE_HZ)]
    said[int(SPEAKS_AT * RATE_HZ) :][: len(words)] += words
    mouth, microphone = as_pcm(reading(BOT, SECONDS, SEED), 0), as_pcm(said, 1)
    room, canceller, watch = Room(60, -10, ring_ms=40), EchoCanceller(), EchoDetector()
    levels: list[tuple[float, float, float]] = []
    left: list[float] = []
    cleaned = b""
    for at in range(0, len(mouth), CHUNK):
        heard = room.mixed(microphone[at : at + CHUNK], mouth[at : at + CHUNK])
        out = canceller.process(heard, mouth[at : at + CHUNK])
        watch.look(power(heard), power(mouth[at : at + CHUNK]))
        levels.append((power(mouth[at : at + CHUNK]), power(heard), power(out)))
        left.append(watch.left)
        cleaned += out
    detector, down = VoiceActivityDetector("confirm"), Fir(RATE_HZ, RATE_HZ // 6)
    frames = down.push(cleaned) + down.flush()
    likely: list[float] = []
    for at in range(0, len(frames) - FRAME_BYTES + 1, FRAME_BYTES):
        detector.is_speech(frames[at : at + FRAME_BYTES])
        likely.append(detector.probability or 0.0)
    draw(np.array(levels), np.array(left), np.array(likely), len(words) / RATE_HZ, path)


def draw(
    levels: NDArray[np.float64], left: NDArray[np.float64], likely: NDArray[np.float64], words_s: float, path: Path
) -> None:
    """`levels`: power of what was played, heard and left, by pieces of 10 ms, as `left`; `likely` by frames."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "voice_node", "font.size": 9}):
        made = Figure(figsize=(11, 5), layout="constrained")
        top, bottom = made.subplots(2, 1, sharex=True)
        t = np.arange(len(levels)) / 100
        for column, (name, colour) in enumerate((("played", GREY), ("heard", BLUE), ("after the canceller", GREEN))):
            top.plot(t, 10 * np.log10(levels[:, column] / FULL + 1e-9), color=colour, label=name, linewidth=1)
        bottom.plot(np.arange(len(likely)) / 50, likely, color=GREEN, linewidth=1, label="probability of a voice")
        bottom.plot(t, START + (1 - START) * left, color=RED, label="asked of a barge-in")
        bottom.axhline(BARGE_IN, color=GREY, linestyle=":", label="asked where no canceller is at work")
        top.set(ylabel="dBFS", ylim=(-90, 15), title="−10 dB, 60 ms late; the caller, half as loud as the bot, in blue")
        bottom.set(xlabel="seconds since the bot began", ylim=(0, 1.03), xlim=(0, SECONDS))
        for axes in (top, bottom):
            axes.axvspan(SPEAKS_AT, SPEAKS_AT + words_s, color=BLUE, alpha=0.12)
            axes.grid(alpha=0.3)
        top.legend(loc="upper right", ncols=3, fontsize=8)
        bottom.legend(loc="center", fontsize=8)
        made.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except (IndexError, UserError) as error:
        sys.exit(str(error) if isinstance(error, UserError) else "usage: python -m bench.echo_picture guard.svg")
