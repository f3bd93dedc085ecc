"""Runs a console command as the program of a process, and ends the process."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress

SDK = "livekit.rtc"


def run_as_program(command: Callable[[], object]) -> None:
    """Run `command`, and end the process with the code that it exits with.

    Where LiveKit's SDK was used, the interpreter is not torn down: the SDK's native threads go on for a moment, and one
    that calls Python meanwhile aborts the process ("panic in a function that cannot unwind", SIGABRT). So the process
    ends behind all else that runs at exit: threads have been joined, and what was registered by `atexit` has been
    called.
    """
    code = 1  # of a traceback
    atexit.register(lambda: _end(code))
    try:
        command()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        raise


def _end(code: int) -> None:
    if SDK not in sys.modules:
        return
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a pipe whose reader has ended; a closed stream
            stream.flush()
    os._exit(code)
