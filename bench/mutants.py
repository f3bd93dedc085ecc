"""Check that the tests of the core notice when it is wrong: change one place at a time, and run its tests.

    nice python -m bench.mutants [--only TEXT]

The changes are in `core_mutants.py`: bounds, orders and conditions, one line each. They are made in a copy of the
project's files, one after another. A mutant died if one of its tests failed, or hung. The exit code is 1 where one
survived: then a test is missing. A text that is not found exactly once in its file is an error that names it: the code
has moved, and the table must follow. With `--only`, only mutants whose file or text contains TEXT are run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.core_mutants import CORE, MUTANTS, Mutant

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 300.0
FAILED = 1  # pytest's exit code where tests failed; more than that: it could not run them


class MutantError(Exception):
    """A mutant that can't be made or tried; the text names it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them all. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="only mutants whose file or text contains TEXT")
    only = parser.parse_args(arguments).only
    mutants = [mutant for mutant in MUTANTS if only in f"{mutant.file}\n{mutant.old}"]
    try:
        check(ROOT, mutants)
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            survived = run_all(copied(ROOT, Path(folder)), mutants)
    except MutantError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if survived else 0


def check(root: Path, mutants: Sequence[Mutant]) -> None:
    """Raise MutantError naming every mutant whose text is not there exactly once."""
    wrong = [reason for mutant in mutants if (reason := why_not(root, mutant))]
    if wrong or not mutants:
        raise MutantError("\n".join(wrong) or "no mutant: nothing contains that text")


def why_not(root: Path, mutant: Mutant) -> str:
    """Why a mutant can't be made; "" if it can."""
    path = root / CORE / mutant.file
    if not path.is_file():
        return f"{mutant.file}: there is no such file any more"
    missing = next((test for test in mutant.tests if not (root / test).exists()), None)
    if missing:
        return f"{mutant.file}: there is no test file {missing} any more"
    found = path.read_text(encoding="utf-8").count(mutant.old)
    return "" if found == 1 else f"{mutant.file}: the text is there {found} times, not once: {mutant.old.strip()!r}"


def copied(root: Path, folder: Path) -> Path:
    """Copy the project's files as they are now, without what git ignores. Returns the folder of the copy."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    return folder


def run_all(folder: Path, mutants: Sequence[Mutant]) -> list[Mutant]:
    """Try every mutant in the copy `folder`, print a row for each, and return those that survived."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    if tested(folder, tests):
        raise MutantError("the tests fail without a mutant: python -m pytest " + " ".join(tests))
    survived = []
    for number, mutant in enumerate(mutants, 1):
        died = dies(folder, mutant)
        row = f"{number:3}  {'died    ' if died else 'SURVIVED'}  {mutant.file:34} {mutant.what}"
        print(row, flush=True)
        if not died:
            survived.append(mutant)
    print(f"\n{len(mutants) - len(survived)} of {len(mutants)} died")
    return survived


def dies(folder: Path, mutant: Mutant) -> bool:
    """Whether a test of the mutant fails in the copy with it."""
    path = folder / CORE / mutant.file
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code = tested(folder, mutant.tests)
    finally:
        path.write_text(before, encoding="utf-8")
    if code > FAILED:
        raise MutantError(f"{mutant.file}: pytest could not run the tests of {mutant.what!r} (exit code {code})")
    return code == FAILED


def tested(folder: Path, tests: Sequence[str]) -> int:
    """Run tests in the copy until the first one fails. Returns pytest's exit code; FAILED where they hang."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, timeout=TIMEOUT_S, capture_output=True, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
