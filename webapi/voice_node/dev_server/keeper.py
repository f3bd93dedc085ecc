"""Runs a program that must not outlive the node: its own small process, which ends the program when the node is gone.

`python dev_server_keeper.py COMMAND…`. The node holds the other end of standard input and never writes more than
one word to it. When that end closes (the node stopped it, crashed, or was killed: the operating system closes it in
every case, on every system) the program is asked to end, asked again, and at last killed. The word `kill` kills it
at once. The exit code is the program's.

It imports nothing of ours and is started with -I -S, so that it is there in some 20 ms and takes little memory.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

ASKED_ONCE_S = 0.3  # asked once, LiveKit waits until every participant has left
ASKED_TWICE_S = 3.0  # asked twice, it ends; so does `docker compose up`


def main() -> int:
    """Run the command until it ends, or standard input does."""
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603 - the node's own command
    threading.Thread(target=_end_it_with_the_node, args=(program,), daemon=True).start()
    code = program.wait()
    # Not sys.exit: at the interpreter's end the thread that waits for standard input would hold its lock.
    os._exit(code if 0 <= code < 256 else 1)


def _end_it_with_the_node(program: subprocess.Popen[bytes]) -> None:
    if sys.stdin.buffer.readline() == b"kill\n":
        program.kill()
        return
    for patience_s in (ASKED_ONCE_S, ASKED_TWICE_S):
        program.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(patience_s)
            return
    program.kill()


if __name__ == "__main__":
    main()
