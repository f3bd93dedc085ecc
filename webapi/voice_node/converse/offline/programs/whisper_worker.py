"""Recognises speech in a process of its own. recogniser.py runs it by its path; it imports nothing of this project.

A request is a line of JSON, `{"id": 1, "rate": 8000, "bytes": 32000}`, and that many bytes of int16 mono PCM. The
answer is a line of JSON: `{"id": 1, "text": "…", "ms": 130}`, or `{"id": 1, "error": "…"}`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from typing import Any, BinaryIO

import numpy as np
import soxr
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

RATE_HZ = 16_000
FRAMES_PER_S = 100  # of the spectrum that the model takes
SHORTEST_S = 8.0  # audio that the model is given at least: of less it repeats words
QUIET_S = 2.0  # after the speech, at least
LONGEST_S = 28.0  # that fits into the model's 30 s; what is longer goes the library's way, in several pieces
NO_SPEECH = 0.6  # from this probability on an unlikely text is none (the limits of Whisper's own code)
UNLIKELY = -1.0  # mean log probability of a token


class Model:
    """A Whisper model. It is given the utterance and a little silence, and not always the 30 s of its training."""

    def __init__(self, path: str, language: str, hint: str, threads: int, beam: int) -> None:
        self._whisper = WhisperModel(path, device="cpu", compute_type="int8", cpu_threads=threads)
        self._language, self._hint, self._beam = language, hint, beam
        multilingual = self._whisper.model.is_multilingual
        self._tokens = Tokenizer(self._whisper.hf_tokenizer, multilingual, "transcribe", language)
        hinted = self._tokens.encode(f" {hint}") if hint else []
        with_hint = self._whisper.get_prompt(self._tokens, hinted, without_timestamps=True)
        without = self._whisper.get_prompt(self._tokens, [], without_timestamps=True)
        self._prompts = (with_hint, without) if hint else (without,)

    def recognise(self, pcm: bytes, rate: int) -> str:
        """The text of int16 mono PCM at `rate` Hz."""
        audio = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        audio = soxr.resample(audio, rate, RATE_HZ) if rate != RATE_HZ else audio
        seconds = len(audio) / RATE_HZ
        return self._in_one(audio, seconds) if seconds <= LONGEST_S else self._in_pieces(audio)

    def _in_one(self, audio: Any, seconds: float) -> str:
        """The encoder's time grows with what it is given: 8 s take a third of 30 s."""
        given = max(SHORTEST_S, seconds + QUIET_S)
        padded = np.pad(audio, (0, int(given * RATE_HZ) - len(audio)))
        features = self._whisper.feature_extractor(padded)[:, : int(given * FRAMES_PER_S)]
        encoded = self._whisper.encode(np.ascontiguousarray(features))
        most = 12 + int(6 * seconds)  # tokens; nobody speaks faster
        for prompt in self._prompts:
            result = self._whisper.model.generate(
                encoded,
                [prompt],
                beam_size=self._beam,
                max_length=min(len(prompt) + most, self._whisper.max_length),
                return_scores=True,
                return_no_speech_prob=True,
            )[0]
            tokens = result.sequences_ids[0]
            if not repeats(tokens, most):
                break  # a hint sometimes makes the model say a word again and again; without it that is rare
        else:
            tokens = cut(tokens)
        if result.no_speech_prob > NO_SPEECH and result.scores[0] < UNLIKELY:
            return ""
        return once(str(self._tokens.decode(tokens)).strip())

    def _in_pieces(self, audio: Any) -> str:
        segments, _ = self._whisper.transcribe(
            audio,
            language=self._language,
            beam_size=self._beam,
            temperature=0.0,
            condition_on_previous_text=False,
            initial_prompt=self._hint or None,
        )
        return " ".join(segment.text.strip() for segment in segments)


def repeats(tokens: list[int], most: int) -> bool:
    """Whether the text came to no end within `most` tokens, or has the same few of them three times in a row."""
    if len(tokens) >= most:
        return True
    return any(
        tokens[at : at + size] == tokens[at + size : at + 2 * size] == tokens[at + 2 * size : at + 3 * size]
        for size in range(1, len(tokens) // 3 + 1)
        for at in range(len(tokens) - 3 * size + 1)
    )


def cut(tokens: list[int]) -> list[int]:
    """The tokens without a repetition at their end: of one that goes on to the end, only the first time is kept."""
    shortest = len(tokens)
    for size in range(1, len(tokens) // 2 + 1):
        at = len(tokens) - size
        while at and tokens[at - 1] == tokens[at - 1 + size]:
            at -= 1
        if at + 2 * size <= len(tokens):
            shortest = min(shortest, at + size)
    return tokens[:shortest]


def once(text: str) -> str:
    """The text without sentences that repeat the one before: of little audio the model often makes two."""
    said: list[str] = []
    for sentence in re.split(r"(?<=[.!?]) +", text):
        if not said or not said[-1].lower().startswith(sentence.lower()):
            said.append(sentence)
    return " ".join(said)


def serve(model: Model, requests: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while line := requests.readline():
        request = json.loads(line)
        pcm = requests.read(request["bytes"])
        begun = time.perf_counter()
        answer: dict[str, Any] = {"id": request["id"]}
        try:
            answer["text"] = model.recognise(pcm, request["rate"])
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        answer["ms"] = round((time.perf_counter() - begun) * 1000)
        print(json.dumps(answer), flush=True)


def main() -> None:
    """Read the arguments, load the model, serve stdin."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--language", required=True)
    parser.add_argument("--hint", default="")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beam", type=int, default=1)
    given = parser.parse_args()
    serve(Model(given.model, given.language, given.hint, given.threads, given.beam), sys.stdin.buffer)


if __name__ == "__main__":
    main()
