"""How a process of the node ends: with its exit code, behind all else, and without tearing down the interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import atexit, os, sys, threading, time, types
{sdk}
from webapi.voice_node.cli.program import run_as_program

class Last:
    def __del__(self, write=os.write):
        write(1, b"torn down\\n")

sys.last_of_all = Last()  # lives until the interpreter is torn down

def command():
    atexit.register(print, "at exit")
    threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
    sys.stdout.write("said, without a flush; ")
    {ends}

run_as_program(command)
"""
WITH_SDK = 'sys.modules["livekit.rtc"] = types.ModuleType("livekit.rtc")'
ENDS = [("pass", 0), ("sys.exit()", 0), ("sys.exit(2)", 2), ("sys.exit('no')", 1), ("raise KeyError('k')", 1)]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("ends", "code"), ENDS)
@pytest.mark.parametrize("sdk", [True, False])
def test_it_ends_with_its_code_behind_threads_and_exit_functions(sdk: bool, ends: str, code: int) -> None:
    text = PROGRAM.format(sdk=WITH_SDK if sdk else "", ends=ends)
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    said = ["said, without a flush; thread", "at exit"]
    assert done.stdout.splitlines() == (said if sdk else [*said, "torn down"])
    assert ("KeyError" in done.stderr) == ("KeyError" in ends)
