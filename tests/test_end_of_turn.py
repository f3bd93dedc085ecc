"""The backends that judge whether the caller has finished, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapi.voice_node import end_of_turn
from webapi.voice_node.end_of_turn import BACKENDS, Said, SmartTurn, Words, backend_named, needs, unknown
from webapi.voice_node.errors import UserError
from webapi.voice_node.hearing import smart_turn
from webapi.voice_node.plugins import Plugins

SAID = Said(bytes(320), 8000, "a table for", "")


def test_those_that_come_with_the_project() -> None:
    assert set(BACKENDS) >= {"silence", "smart-turn", "words"}
    assert BACKENDS["silence"] is None
    words, network = BACKENDS["words"], BACKENDS["smart-turn"]
    assert words is not None
    assert words(SAID) == 0.1
    assert words(SAID._replace(words="Yes.")) == 0.95
    assert isinstance(network, SmartTurn)


def test_a_backend_is_made_with_what_is_given() -> None:
    dutch = backend_named("words", language="nl", model="")
    assert isinstance(dutch, Words)
    assert dutch(SAID._replace(words="een tafel voor")) == 0.1
    assert dutch(SAID) == 0.8
    assert isinstance(backend_named("smart-turn", model="mine.onnx"), SmartTurn)
    assert backend_named("silence") is None


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("smartturn", {}, "there is no such backend. Did you mean 'smart-turn'"),
        ("words", {"model": "x.onnx"}, "it takes no 'model'"),
        ("silence", {"language": "en"}, "it takes no 'language'"),
        ("words", {"language": "xx"}, "language: 'xx': there is no such language. There are: en, de"),
    ],
)
def test_what_is_wrong_is_said(name: str, arguments: dict[str, str], why: str) -> None:
    with pytest.raises(UserError, match=why):
        backend_named(name, **arguments)


def test_what_this_machine_lacks_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert needs("words") == needs("silence") == ()
    monkeypatch.setattr(smart_turn, "WEIGHTS", "no_such_package")
    monkeypatch.setattr(smart_turn, "RUNTIME", "no_such_runtime")
    assert needs("smart-turn") == ("pip install 'onnxruntime>=1.20,<2'", "pip install --no-deps 'pipecat-ai==1.14.0'")
    assert needs("smart-turn", model="mine.onnx") == ("pip install 'onnxruntime>=1.20,<2'",)


def test_a_package_adds_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "ends-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ends\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[voice_node.ends_of_turn]\nnever = ends:never\nno-call = ends:NUMBER\n")
    (tmp_path / "ends.py").write_text("NUMBER = 5\n\ndef never(said):\n    return 0.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    table = Plugins("end of turn", end_of_turn.ENTRY_POINTS, end_of_turn.BUILT_IN, end_of_turn._wrong)
    monkeypatch.setattr(end_of_turn, "BACKENDS", table)
    assert unknown("never") == ""
    never = backend_named("never", model="", language="")
    assert never is not None
    assert never(SAID) == 0.0
    with pytest.raises(UserError, match="'never': it takes no 'model'"):
        backend_named("never", model="x")
    with pytest.raises(UserError, match=r"'no-call' of the package ends 1\.0 can't be used: it must be called with"):
        backend_named("no-call")
