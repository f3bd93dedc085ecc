"""The mutants' table fits the code as it is, and one that does not fit is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import mutants
from bench.core_mutants import CORE, MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
ONE = Mutant("sign.py", "the sign is wrong", "return 1", "return -1", ("test_sign.py",))


def project(folder: Path, code: str, test: str = "assert sign.sign() == 1") -> Path:
    """A project of one function and its test."""
    core = folder / CORE
    core.mkdir(parents=True)
    (core / "sign.py").write_text(code)
    text = f"import sys\nsys.path.insert(0, {str(core)!r})\nimport sign\n\ndef test_sign():\n    {test}\n"
    (folder / "test_sign.py").write_text(text)
    return folder


def test_every_text_of_the_table_is_in_its_file_once() -> None:
    mutants.check(ROOT, MUTANTS)
    assert len(MUTANTS) >= 20


@pytest.mark.parametrize("code", ["", "return 1\nreturn 1\n"])
def test_a_text_that_has_moved_is_named(tmp_path: Path, code: str) -> None:
    with pytest.raises(mutants.MutantError, match=r"sign\.py: the text is there \d times, not once: 'return 1'"):
        mutants.check(project(tmp_path, code), [ONE])


def test_a_file_or_a_test_that_has_moved_is_named(tmp_path: Path) -> None:
    folder = project(tmp_path, "return 1")
    with pytest.raises(mutants.MutantError, match=r"other\.py: there is no such file") as raised:
        mutants.check(folder, [ONE._replace(file="other.py"), ONE._replace(tests=("test_other.py",))])
    assert "there is no test file test_other.py" in str(raised.value)


def test_a_mutant_dies_where_a_test_fails_and_survives_where_none_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "def sign():\n    return 1\n"
    assert mutants.run_all(project(tmp_path / "seen", code), [ONE]) == []
    assert mutants.run_all(project(tmp_path / "unseen", code, "assert sign.sign()"), [ONE]) == [ONE]
    printed = capsys.readouterr().out
    assert "died" in printed
    assert "SURVIVED  sign.py" in printed
    assert (tmp_path / "unseen" / CORE / "sign.py").read_text() == code
