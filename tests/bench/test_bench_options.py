"""The options of the measurements: what would measure nothing, or be lost at the end, is refused at the start."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from importlib import import_module
from pathlib import Path

import pytest

from bench.options import out_folder, whole_number

COUNTS = (
    ("bench.hearing.words", "--orders"),
    ("bench.hearing.words", "--jobs"),
    ("bench.hearing.__main__", "--count"),
    ("bench.hearing.__main__", "--jobs"),
    ("bench.hearing.carry", "--count"),
    ("bench.end_of_turn", "--count"),
    ("bench.echo_first_words", "--calls"),
    ("bench.echo_cost", "--rounds"),
    ("bench.sweep_cost", "--rounds"),
    ("bench.replay", "--minutes"),
    ("bench.capacity.__main__", "--per-node"),
)
FOLDERS = ("bench.hearing.words", "bench.hearing.__main__", "bench.turns.__main__")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "many"])
def test_a_number_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="not a whole number from 1 on"):
        whole_number(text)


def test_a_whole_number_is_taken() -> None:
    assert [whole_number(text) for text in ("1", "60")] == [1, 60]


@pytest.mark.parametrize(("module", "option"), COUNTS)
@pytest.mark.parametrize("number", ["0", "-1"])
def test_no_measurement_measures_nothing(
    module: str, option: str, number: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [module, f"{option}={number}"])
    with pytest.raises(SystemExit) as ended:
        import_module(module).main()
    assert ended.value.code == 2
    assert f"argument {option}: '{number}' is not a whole number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize("module", FOLDERS)
def test_a_folder_that_cant_be_made_is_told_before_the_measurement(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", [module, "--out", f"{tmp_path}/file/out"])
    with pytest.raises(SystemExit) as ended:
        import_module(module).main()
    assert ended.value.code == 2
    assert f"argument --out: {tmp_path}/file/out: Not a directory" in capsys.readouterr().err


def test_the_folder_is_made(tmp_path: Path) -> None:
    assert out_folder(f"{tmp_path}/a/b").is_dir()
