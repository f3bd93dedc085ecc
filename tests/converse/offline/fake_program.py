"""A program that answers as it is told: one request a line. It takes the place of the one with the model.

`say TEXT` answers at once · `wait PATH TEXT` makes PATH.begun, and answers when the file is there · `exit CODE` ends ·
`warn TEXT` is no answer · `twice TEXT` answers two times · `close` closes its output and lives on · `endless` writes
no line end · `environment NAME` answers with a variable · `pid` answers with its process id
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path


def answer(text: str) -> None:
    print(f"answer {text}", flush=True)


def main() -> None:
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        if command == "say":
            answer(rest)
        elif command == "wait":
            path, _, text = rest.partition(" ")
            with suppress(OSError):
                Path(f"{path}.begun").touch()
            while not Path(path).exists():
                time.sleep(0.01)
            answer(text)
        elif command == "exit":
            print("ImportError: no module named model", file=sys.stderr, flush=True)
            sys.exit(int(rest))
        elif command == "warn":
            print(f"a library warns of {rest}", file=sys.stderr, flush=True)
        elif command == "twice":
            answer(rest)
            answer(rest)
        elif command == "close":
            sys.stdout.flush()
            os.close(1)
            os.close(2)
            time.sleep(60)
        elif command == "endless":
            sys.stdout.write("x" * 200_000)
            sys.stdout.flush()
            time.sleep(60)
        elif command == "environment":
            answer(os.environ.get(rest, "none"))
        elif command == "pid":
            answer(str(os.getpid()))


main()
