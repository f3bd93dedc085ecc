"""Prints the result of a replay: its marbles, and whether they are as expected, as recorded or as without changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from webapi.voice_node.errors import PrintLine
from webapi.voice_node.recording.call_file import is_call
from webapi.voice_node.replay.changes import ReplayChanges
from webapi.voice_node.replay.event_diff import event_texts
from webapi.voice_node.replay.marble_diff import difference, line_difference, write_marbles
from webapi.voice_node.replay.marbles import DIVERGED, NAMES, render
from webapi.voice_node.replay.output import as_text
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.vad import missing_note

COLUMNS = 79


@dataclass(frozen=True)
class Expected:
    """The marble text that a replay must give, and whether the file is written instead of compared."""

    file: Path
    text: str
    update: bool


class ReplayPrinter:
    """Prints results with `print_line`, problems and differences with `print_error`."""

    def __init__(
        self,
        print_line: PrintLine,
        print_error: PrintLine,
        expected: Expected | None = None,
        columns: int | None = None,
    ) -> None:
        """`columns`: the width of the terminal, where one is narrower than the marbles."""
        self._print_line = print_line
        self._print_error = print_error
        self._expected = expected
        self._columns = min(COLUMNS, columns or COLUMNS)
        self._vads: set[str] = set()  # whose stand-in was told
        self.failed_replies = 0  # of all results that were printed

    def show(self, path: Path, replayed: ReplayResult, changes: ReplayChanges) -> bool:
        """Print the result of a recording. True where it is the same as what it is compared with."""
        for vad in set(replayed.vads) - self._vads:
            self._vads.add(vad)
            note = missing_note(vad)
            if note:
                self._print_error(f"VAD: {note}")
        for note in _notes(path, replayed):
            self._print_error(note)
        self.failed_replies += replayed.failed_replies
        if replayed.before:
            return self._show_both(path, replayed.before, replayed, changes)
        self._print_marbles(replayed)
        text = render(replayed)
        as_expected = self._expected is None or self._compare_with_expected(text, self._expected)
        as_recorded = replayed.recorded is None or self._compare_with_recorded(path, replayed, replayed.recorded)
        return as_expected and as_recorded and not replayed.threads

    def _print_marbles(self, replayed: ReplayResult) -> None:
        self._print_line(render(replayed, self._columns - NAMES))

    def _compare_with_expected(self, text: str, expected: Expected) -> bool:
        """Compare the marbles with the file, or write them into it."""
        if expected.update:
            write_marbles(expected.file, text)
            self._print_line(f"{expected.file} says this now")
            return True
        found = difference(expected.text, text, self._columns - NAMES - 2)
        if found:
            self._print_error(f"not as {expected.file} says:\n{found}")
            return False
        self._print_line(f"as {expected.file} says")
        return True

    def _compare_with_recorded(self, path: Path, replayed: ReplayResult, recorded: str) -> bool:
        """Compare a call's events, byte for byte, with those that were recorded."""
        now = as_text(replayed.events)
        if now == recorded:
            self._print_line(f"{path}: the same {len(replayed.events)} events as when it was recorded")
            return True
        if now.startswith(recorded):
            self._print_line(f"{path}: the recording broke off; as far as it goes, the events are the same")
            return True
        found = line_difference(recorded, now)
        self._print_error(f"{path}: not the events that it was recorded with; {found}")
        return False

    def _show_both(self, path: Path, before: ReplayResult, after: ReplayResult, changes: ReplayChanges) -> bool:
        """Print the marbles without and with the changes, and the first event that differs."""
        call = is_call(path)
        one, other = "as it was recorded" if call else "as it is", f"with {changes}"
        for name, replayed in ((one, before), (other, after)):
            self._print_line(f"{f'── {name} ':─<{self._columns}}")
            self._print_marbles(replayed)
        if after.diverged is None:
            same = f"{path}: no event is another one {other}"
            self._print_line("\n  ".join([same, *after.without_effect]))
            return True
        was, now = event_texts(before.events, after.events, after.diverged, changes.tolerance_s)
        width = max(len(one), len(other))
        differ = f"{path}: they part in event {after.diverged + 1}:"
        self._print_line(f"{differ}\n  {one:{width}}  {was}\n  {other:{width}}  {now}")
        if call:
            self._print_line(f"  {DIVERGED} after that: the caller still says what they said to the other.")
        return False


def _notes(path: Path, replayed: ReplayResult) -> Iterator[str]:
    if replayed.truncated:
        yield f"{path}: the file is shorter than its header says; what is there was replayed"
    for problem in replayed.problems:
        yield f"{path}: {problem}"
    if replayed.threads:
        yield (
            f"{path}: threads can't run in virtual time, and the orchestrator has some "
            f"({', '.join(replayed.threads)}): what they give comes too late or at any time. "
            "Replay it with --pace real, or from a recorded call."
        )
    for file in replayed.taps:
        yield f"{path}: wrote {file}"
    if replayed.unwritten_taps:
        files = ", ".join(dict.fromkeys(replayed.unwritten_taps))
        yield f"{path}: without --out the graph's tap writes nothing ({files})"
