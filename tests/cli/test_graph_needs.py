"""Graphs that need a key, a package or a server: a note where all graphs are checked, an error where one is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.our_graphs import KEYS, our_graphs, set_keys
from webapi.voice_node.converse import part_names
from webapi.voice_node.hearing import smart_turn
from webapi.voice_node.main import main
from webapi.voice_node.plugins import Plugins

OPENAI = "webapi.voice_node.converse.openai_parts"


@pytest.fixture(autouse=True)
def _fresh_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key is set, and there is no .env."""
    monkeypatch.chdir(tmp_path)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _without_openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(part_names, "PARTS", Plugins("part", "none", part_names.BUILT_IN))
    monkeypatch.delitem(sys.modules, OPENAI, raising=False)
    monkeypatch.setitem(sys.modules, "openai", None)
    yield
    sys.modules.pop(OPENAI, None)


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_checking_all_graphs_notes_what_this_machine_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("graphs", "check") == 0
    said = capsys.readouterr()
    assert "openai: right; to run it, this machine needs OPENAI_API_KEY\n" in said.out
    assert "default: right\n" in said.out
    assert {line.partition(":")[0] for line in said.out.splitlines()} >= set(our_graphs())
    assert said.err == ""


def test_a_graph_that_is_named_must_find_its_variables(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("graphs", "check", "openai", "default") == 1
    said = capsys.readouterr()
    assert said.out == "default: right\n"
    assert "openai.yaml:31:24: ${OPENAI_API_KEY}: this variable is not set" in said.err


@pytest.mark.usefixtures("_without_openai")
def test_a_package_that_is_missing_is_noted_with_the_command_that_installs_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    install = "pip install 'openai>=3,<4'"
    assert exit_code("graphs", "check") == 0
    said = capsys.readouterr().out
    assert f"openai: right; to run it, this machine needs OPENAI_API_KEY and {install}\n" in said
    assert f"wyoming: right; to run it, this machine needs {install}\n" in said
    assert exit_code("graphs", "check", "wyoming") == 1
    assert install in capsys.readouterr().err


def test_a_model_that_is_missing_is_noted_with_the_commands_that_install_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(smart_turn, "WEIGHTS", "no_such_package")
    assert exit_code("graphs", "check") == 0
    install = "pip install --no-deps 'pipecat-ai==1.14.0'"
    assert f"end-of-turn: right; to run it, this machine needs {install}\n" in capsys.readouterr().out
    assert exit_code("graphs", "check", "end-of-turn") == 1
    assert f"end_of_turn: backend: 'smart-turn': this machine needs {install}\n" in capsys.readouterr().err
    text = our_graphs()["end-of-turn"].read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.replace("smart-turn}", "smart-turn, model: mine.onnx}"), encoding="utf-8")
    assert exit_code("graphs", "check", "mine.yaml") == 1
    assert "end_of_turn: model: 'mine.onnx': there is no such file" in capsys.readouterr().err
    (tmp_path / "mine.onnx").touch()
    assert exit_code("graphs", "check", "mine.yaml") == 0


def test_a_plug_in_that_is_missing_is_noted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "livekit.agents", None)
    set_keys(monkeypatch)
    assert exit_code("graphs", "check") == 0
    assert (
        "livekit-plugins: right; to run it, this machine needs pip install 'livekit-agents" in capsys.readouterr().out
    )
    assert exit_code("graphs", "check", "livekit-plugins") == 1
    assert "Run: pip install 'livekit-agents" in capsys.readouterr().err


def test_a_mistake_beside_what_is_missing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "graphs").mkdir()
    text = our_graphs()["openai"].read_text(encoding="utf-8")
    (tmp_path / "graphs" / "mine.yaml").write_text(text.replace("start_frames", "start_framse"))
    (tmp_path / "graphs" / "slip.yaml").write_text(text.replace("OPENAI_API_KEY", "LIVEKIT_API_KY"))
    assert exit_code("graphs", "check") == 1
    said = capsys.readouterr().err
    assert "'start_framse'" in said
    assert "Did you mean 'LIVEKIT_API_KEY'?" in said


def test_a_graph_without_its_key_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("graphs", "show", "openai") == 0
    assert "converse" in capsys.readouterr().out
