"""The labelled recordings: meetings, spoken digits, prompts, and one's own. The same from the same seed and folders.

Nothing is fetched. Each function takes a folder, and says by a UserError what must be in it.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.turns.pauses import SHORTEST_S, Recording, Segment
from webapi.voice_node.audio.wav import read_wav
from webapi.voice_node.audio_io import resample_pcm
from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.sweep.labels import find_labels, read_labels
from webapi.voice_node.vad import VoiceActivityDetector

Samples = NDArray[np.float64]
Random = np.random.Generator

SPEECH_DB, ROOM_DB = -26.0, -66.0  # dBFS of what is put together: RMS of the speech, and the hiss of a quiet room
QUIET_S = 1.0  # after the last word
BLOCK_S, FRAME_S = 0.01, 0.02
SPEECH_BELOW_DB = 30.0  # a block is speech that is at most so far below the loud ones (95th percentile)
LONGEST_S, SHORTEST_PROMPT_S = 12.0, 0.4
NO_SPEECH = re.compile(r"beep|tone|monkey|silence|ha/|jeopardy|confbridge-(join|leave)")

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS = 16  # of each speaker
GROUPS = ((3, 3, 4), (2, 2, 2, 2, 2), (4, 3, 3), (3, 4), (5, 5))
WITHIN_S, BETWEEN_S = (0.15, 0.35), (0.35, 0.7)  # the gaps in a group of digits, and between two

PAUSE_S = 0.15  # a silence in a prompt that is longer than those inside words
JOINED = 60  # turns of each language
PROMPTS = (2, 5)  # in a turn: at least, less than
# How long holds are. The share of the English holds of eot-bench that silence alone cuts off is 55.6 % at 300 ms,
# 21.7 at 600, 10 at 1000 and 5 at 1600: the gaps between joined prompts are drawn from that distribution.
LONGER = ((1.0, 0.2), (0.556, 0.3), (0.217, 0.6), (0.1, 1.0), (0.05, 1.6), (0.0, 3.0))

SENTENCE_ENDS = (".", "!", "?")


class Prompt(NamedTuple):
    """A recorded prompt: samples (full scale is 1), seconds of its stretches of speech, its text (or "")."""

    name: str
    samples: Samples
    spans: tuple[tuple[float, float], ...]
    text: str


def meetings(folder: Path, rate: int) -> list[Recording]:
    """Meetings with speakers labelled: `*.rttm`, and a WAV for each name in them. Every other one is held back."""
    turns: dict[str, list[Segment]] = {}
    for path in sorted(folder.rglob("*.rttm")):
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = line.split()
            if len(fields) >= 8 and fields[0] == "SPEAKER":
                start_s = float(fields[3])
                turns.setdefault(fields[1], []).append(Segment(fields[7], start_s, start_s + float(fields[4])))
    wavs = {path.stem: path for path in sorted(folder.rglob("*.wav"))}
    there = sorted(name for name in turns if name in wavs)
    if not there:
        raise UserError(f"{folder}: no meetings there. Needed: NAME.wav, and .rttm files whose lines name them")
    found = []
    for k, name in enumerate(there):
        pcm = _read(wavs[name], rate)
        segments = tuple(spoken_parts(turns[name], voices(pcm, rate)))
        found.append(Recording(name, "meetings", name, bool(k % 2), pcm, rate, segments))
    return found


def voices(pcm: bytes, rate: int) -> list[tuple[float, float]]:
    """Where Silero hears a voice, in seconds; less than SHORTEST_S between two is not divided."""
    detector = VoiceActivityDetector("silero", rate=rate)
    step = detector.frame_bytes
    flags = [detector.is_speech(pcm[at : at + step]) for at in range(0, len(pcm) - step + 1, step)]
    return _runs(np.flatnonzero(flags), FRAME_S)


def spoken_parts(turns: Sequence[Segment], voiced: Sequence[tuple[float, float]]) -> list[Segment]:
    """The labels without the silences in them: people label who speaks, and not each pause."""
    return [
        Segment(turn.speaker, max(turn.start_s, start_s), min(turn.end_s, end_s))
        for turn in turns
        for start_s, end_s in voiced
        if min(turn.end_s, end_s) - max(turn.start_s, start_s) >= FRAME_S
    ]


def labelled(folder: Path, rate: int) -> list[Recording]:
    """One's own recordings: `NAME.wav`, and a label track whose labels are the caller's words, a text for each turn.

    Two labels with the same text are one turn with a pause in it. Held back, since nothing is tuned on them.
    """
    found = []
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    for wav in sorted(folder.rglob("*.wav")):
        labels = find_labels(wav, wav.stem, None)
        if labels is None:
            print(f"{wav} is left out: there is no {wav.stem}.txt", file=sys.stderr)
            continue
        pcm = _read(wav, rate)
        read = read_labels(labels, len(pcm) / 2 / rate)
        segments = tuple(Segment(label.text, label.span.start_s, label.span.end_s) for label in read)
        found.append(Recording(wav.stem, "own", wav.stem, True, pcm, rate, segments, closed=True))
    if not found:
        raise UserError(f"{folder}: no recordings there. Needed: NAME.wav and NAME.txt, a label track")
    return found


def digits(folder: Path, rate: int, seed: int) -> list[Recording]:
    """Phone numbers of spoken digits: `DIGIT_SPEAKER_NUMBER.wav`. Every other speaker is held back."""
    takes: dict[str, dict[int, list[Path]]] = {}
    for path in sorted(folder.rglob("*.wav")):
        if match := re.fullmatch(r"(\d)_([a-z]+)_(\d+)", path.stem):
            takes.setdefault(match[2], {}).setdefault(int(match[1]), []).append(path)
    speakers = sorted(name for name, each in takes.items() if len(each) == len(DIGITS))
    if not speakers:
        raise UserError(f"{folder}: no spoken digits there. Needed: DIGIT_SPEAKER_NUMBER.wav, such as 7_jackson_32.wav")
    found = []
    for k, speaker in enumerate(speakers):
        random = np.random.default_rng([seed, k, 1])
        for number in range(NUMBERS):
            parts: list[tuple[Samples, str, float]] = []
            for size in GROUPS[int(random.integers(len(GROUPS)))]:
                for at in range(size):
                    digit = int(random.integers(10))
                    path = takes[speaker][digit][int(random.integers(len(takes[speaker][digit])))]
                    gap_s = random.uniform(*(BETWEEN_S if at == size - 1 else WITHIN_S))
                    parts.append((_samples(path, rate), DIGITS[digit], gap_s))
            pcm, segments = join(parts, rate, random)
            name = f"{speaker}-{number:02}"
            found.append(Recording(name, "digits", speaker, bool(k % 2), pcm, rate, segments, "digits", closed=True))
    return found


def prompts(folders: Sequence[str], rate: int, seed: int) -> list[Recording]:
    """Recorded prompts: alone, the pauses that are in them made longer; and several joined. Every other folder is held.

    Somebody who reads pauses where callers do, but not as long as somebody who thinks: see LONGER.

    A folder is `FOLDER` or `FOLDER:TEXTS`, where TEXTS has lines `name: what is said` (it may be gzipped). Then only
    prompts whose text ends as a sentence does end a turn, and the words are known.
    """
    found = []
    for k, given in enumerate(folders):
        folder, _, texts = given.partition(":")
        spoken = list(_prompts(Path(folder), _transcript(Path(texts)) if texts else {}, rate))
        whole = [p for p in spoken if not texts or p.text.endswith(SENTENCE_ENDS)]
        if not whole:
            raise UserError(f"{folder}: no prompts there. Needed: WAVs of speech, such as asterisk-core-sounds-en-wav")
        random = np.random.default_rng([seed, k, 2])
        for prompt in whole:
            parts = [(samples, words, gap(random)) for samples, words in phrases(prompt, rate)]
            if len(parts) > 1:
                pcm, segments = join(parts, rate, random)
                found.append(Recording(prompt.name, "prompts", folder, bool(k % 2), pcm, rate, segments, closed=True))
        for number in range(JOINED):
            chosen = [spoken[int(random.integers(len(spoken)))] for _ in range(int(random.integers(*PROMPTS)) - 1)]
            chosen.append(whole[int(random.integers(len(whole)))])
            pcm, segments = join([(p.samples, p.text, gap(random)) for p in chosen], rate, random)
            name = f"{Path(folder).name}-{number:02}"
            found.append(Recording(name, "joined", folder, bool(k % 2), pcm, rate, segments, closed=True))
    return found


def phrases(prompt: Prompt, rate: int) -> list[tuple[Samples, str]]:
    """A prompt divided at its own pauses; with the words, if the text has as many phrases."""
    spans = [prompt.spans[0]]
    for start_s, end_s in prompt.spans[1:]:
        if start_s - spans[-1][1] < PAUSE_S:
            spans[-1] = (spans[-1][0], end_s)
        else:
            spans.append((start_s, end_s))
    texts = [part.strip() for part in re.findall(r"[^,.;:?!]+[,.;:?!]*", prompt.text) if part.strip()]
    if len(texts) != len(spans):
        texts = [""] * len(spans)
    cuts = [prompt.samples[round(start_s * rate) : round(end_s * rate)] for start_s, end_s in spans]
    return list(zip(cuts, texts, strict=True))


def gap(random: Random) -> float:
    """A gap in seconds, drawn from LONGER."""
    shares, seconds = zip(*LONGER[::-1], strict=True)
    return float(np.interp(random.uniform(), shares, seconds))


def join(parts: Sequence[tuple[Samples, str, float]], rate: int, random: Random) -> tuple[bytes, tuple[Segment, ...]]:
    """Parts (samples, words, gap after it in seconds) as one turn of a caller in a quiet room."""
    lead = round(QUIET_S / 2 * rate)
    pieces, segments, at = [np.zeros(lead)], [], lead
    for samples, words, gap_s in parts:
        segments.append(Segment("caller", at / rate, (at + len(samples)) / rate, words))
        pieces += [samples, np.zeros(round(gap_s * rate))]
        at += len(samples) + len(pieces[-1])
    pieces.append(np.zeros(round(QUIET_S * rate)))
    talk = np.concatenate(pieces)
    speech = np.concatenate([samples for samples, _, _ in parts])
    talk *= 10 ** (SPEECH_DB / 20) / max(1e-9, float(np.sqrt((speech**2).mean())))
    talk += 10 ** (ROOM_DB / 20) * random.standard_normal(len(talk))
    return np.round(np.clip(talk, -1, 1) * 32767).astype("<i2").tobytes(), tuple(segments)


def spoken_spans(samples: Samples, rate: int) -> list[tuple[float, float]]:
    """Where there is speech, in seconds: blocks of 10 ms by their level, joined over less than SHORTEST_S."""
    block = round(BLOCK_S * rate)
    blocks = len(samples) // block
    if blocks == 0:
        return []
    power = (samples[: blocks * block].reshape(blocks, block) ** 2).mean(axis=1)
    speech = power > np.percentile(power, 95) * 10 ** (-SPEECH_BELOW_DB / 10)
    speech &= np.convolve(speech, np.ones(3), "same") >= 2  # a lone block is a click of the lips
    return _runs(np.flatnonzero(speech), BLOCK_S)


def _runs(at: NDArray[np.int64], step_s: float) -> list[tuple[float, float]]:
    """Blocks in a row, less than SHORTEST_S apart, as (start, end) in seconds."""
    if len(at) == 0:
        return []
    breaks = np.flatnonzero((np.diff(at) - 1) * step_s >= SHORTEST_S - 1e-9)
    starts, ends = at[np.r_[0, breaks + 1]], at[np.r_[breaks, len(at) - 1]] + 1
    return [(float(a) * step_s, float(b) * step_s) for a, b in zip(starts, ends, strict=True)]


def _prompts(folder: Path, texts: Mapping[str, str], rate: int) -> Iterator[Prompt]:
    """Each prompt, cut to begin and end with speech. With texts, only those that have one."""
    for path in sorted(folder.rglob("*.wav")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if NO_SPEECH.search(name) or (texts and not texts.get(name)):
            continue
        try:
            samples = _samples(path, rate)
        except UserError:  # an empty file
            continue
        spans = spoken_spans(samples, rate)
        if not spans or not SHORTEST_PROMPT_S <= spans[-1][1] - spans[0][0] <= LONGEST_S:
            continue
        first_s, last_s = spans[0][0], spans[-1][1]
        cut = samples[round(first_s * rate) : round(last_s * rate)]
        yield Prompt(name, cut, tuple((a - first_s, b - first_s) for a, b in spans), texts.get(name, ""))


def _transcript(path: Path) -> dict[str, str]:
    """What is said in each prompt, by name. What is in brackets is no speech."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror}") from None
    rows = [line.partition(":") for line in raw.decode("utf-8", "replace").splitlines() if not line.startswith(";")]
    return {name.strip(): text.strip() for name, colon, text in rows if colon and "[" not in text and "<" not in text}


def _read(path: Path, rate: int) -> bytes:
    pcm, there = read_wav(path)
    return resample_pcm(pcm, there, rate)


def _samples(path: Path, rate: int) -> Samples:
    return np.frombuffer(_read(path, rate), "<i2") / 32768
