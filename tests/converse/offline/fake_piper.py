"""In place of piper: the audio of a line is its text. Some first words choose what goes wrong.

Two of them first make the file of the variable BEGUN: `hang`, and `slow`, which goes on when BEGUN.go is there.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import wave
from pathlib import Path


def write(path: Path, text: str, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(100)
        file.writeframes(text.encode() + b" " * (len(text.encode()) % 2) * channels)


def begin() -> None:
    """Say that the line was taken."""
    Path(os.environ["BEGUN"]).touch()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output-dir", type=Path)
    given, others = parser.parse_known_args()
    for number, line in enumerate(sys.stdin):
        text = line.strip()
        path = given.output_dir / f"{number}.wav"
        match text.split()[0]:
            case "arguments!":
                write(path, " ".join(others))
            case "slow":
                begin()
                while not Path(os.environ["BEGUN"] + ".go").exists():
                    time.sleep(0.01)
                write(path, text)
            case "hang":
                begin()
                time.sleep(3600)
            case "garbage":
                path.write_bytes(b"garbage that is no WAV")
            case "stereo":
                write(path, text, 2)
            case "no":
                pass
            case "elsewhere":
                path = Path("/nowhere/else.wav")
            case "exit":
                raise RuntimeError("no memory")
            case _:
                write(path, text)
        print(f"INFO:__main__:Wrote {path}", file=sys.stderr, flush=True)


main()
