"""Whether the files of a run can be written, asked before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapi.voice_node.config import pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.files.preflight import check_writable


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_writable_files_pass_and_are_not_made() -> None:
    check_writable(pinned_settings())
    check_writable(pinned_settings(log_file="off", metrics_file="off"))
    check_writable(pinned_settings(log_file="/dev/null", metrics_file="/dev/null"))
    assert list(Path().iterdir()) == []


def test_unwritable_files_are_named_with_the_reason() -> None:
    Path("plain").write_text("")
    Path("folder").mkdir()
    with pytest.raises(UserError) as caught:
        check_writable(pinned_settings(log_file="nowhere/x.log", metrics_file="folder"))
    first, second = str(caught.value).splitlines()
    assert first.startswith("LOG_FILE=nowhere/x.log: there is no directory nowhere")
    assert second.startswith("METRICS_FILE=folder: it is a directory")
    with pytest.raises(UserError, match="no directory plain"):
        check_writable(pinned_settings(log_file="plain/x.log"))
    with pytest.raises(UserError, match="the same file"):
        check_writable(pinned_settings(log_file="one", metrics_file="./one"))
