"""Runs a program and ends it when the node is gone. It is a process of its own, so it works however the node ends.

`python keeper.py COMMAND…`. The node holds the other end of standard input and writes at most one word to it. When
that end closes (the node stopped the program, crashed, or was killed: the operating system closes it in each case) the
program is asked to end, asked again, and then killed. The word `kill` kills it at once. The exit code is the program's.

It imports nothing of this package and is started with -I -S, so that it starts within 20 ms and takes little memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

ASKED_ONCE_S = 0.3  # after one SIGTERM, LiveKit waits until every participant has left
ASKED_TWICE_S = 3.0  # after two it ends; so does `docker compose up`


def main() -> int:
    """Run the command until it ends or standard input is closed.

    SIGINT and SIGTERM are for the node, which leaves its room before the server ends. systemd sends them to all
    processes of a service. A handler that does nothing, and not SIG_IGN, which the program would inherit.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603 - the node's own command
    threading.Thread(target=_end_it_with_the_node, args=(program,), daemon=True).start()
    code = program.wait()
    # Not sys.exit: it would wait for the lock of standard input, which the other thread holds.
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
