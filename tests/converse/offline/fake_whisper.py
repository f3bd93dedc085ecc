"""In place of whisper_worker.py: says how long the audio is. Its first byte chooses what goes wrong.

Before it hangs it makes the file BEGUN, where that variable is set.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hint")
    hint = parser.parse_known_args()[0].hint
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        pcm = sys.stdin.buffer.read(request["bytes"])
        wrong = pcm[0]
        if wrong == 7:
            if begun := os.environ.get("BEGUN"):
                Path(begun).touch()
            time.sleep(3600)
        if wrong == 4:
            raise MemoryError
        answer = {"id": request["id"], "text": f"{len(pcm)} bytes at {request['rate']} with hint {hint}", "ms": 1}
        if wrong == 1:
            answer = {"id": request["id"], "error": "ValueError: no", "ms": 1}
        if wrong == 3:
            answer["id"] += 1
        print("{]" if wrong == 2 else json.dumps(answer), flush=True)


main()
