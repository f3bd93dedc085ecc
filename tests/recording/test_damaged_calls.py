"""Recorded calls with wrong values: refused by name, file and line, and the others of a batch are replayed."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.replay.test_wav_replay import run
from tests.stage import play
from webapi.voice_node.errors import UserError
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.recording.checks import check_caller
from webapi.voice_node.recording.recorded_call import read_call
from webapi.voice_node.replay.call_replay import replay_call

WRONG: list[Any] = [None, "soon", 10**30, -1, math.nan, math.inf, True, 1.5, [], {}, "", "x" * 1000, 10**400]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls") / "call"
    play([("speech", 0.5), ("quiet", 1.5), ("gap", 0.2), ("quiet", 0.1)], record=folder, mock_reply="tone:0.5")
    return folder


def changed(call: Path, to: Path, number: int, change: Callable[[dict[str, Any]], None]) -> Path:
    shutil.copytree(call, to)
    lines = (call / "inputs.jsonl").read_text().splitlines()
    line = json.loads(lines[number])
    change(line)
    lines[number] = json.dumps(line)
    (to / "inputs.jsonl").write_text("\n".join(lines) + "\n")
    return to


def kinds(call: Path) -> list[tuple[int, list[str]]]:
    """The first line of each kind: its number and fields."""
    found: dict[str, tuple[int, list[str]]] = {}
    for number, text in enumerate((call / "inputs.jsonl").read_text().splitlines()):
        line = json.loads(text)
        kind = line["in"] + line.get("value", "")
        found.setdefault(kind, (number, list(line)))
    return list(found.values())


def test_every_field_of_every_line_is_checked(call: Path, tmp_path: Path) -> None:
    count = 0
    for number, names in kinds(call):
        for name in names:
            for wrong in WRONG:
                count += 1
                bad = changed(call, tmp_path / str(count), number, lambda line, n=name, w=wrong: line.update({n: w}))  # type: ignore[misc]  # bound in the loop
                text = isinstance(wrong, str) and name in ("reason", "detail")
                flag = wrong is True and name in ("echo", "unheard")
                if text or flag:
                    list(read_call(bad).inputs())
                    continue
                with pytest.raises(UserError, match=rf"inputs\.jsonl:{number + 1}: not a line of a recording: "):
                    list(read_call(bad).inputs())
                shutil.rmtree(bad)
    assert count > 200


@pytest.mark.parametrize("size", [3, -2, 10**9])
def test_a_size_that_is_none_is_refused(call: Path, tmp_path: Path, size: int) -> None:
    bad = changed(call, tmp_path / "bad", 2, lambda line: line.update({"bytes": size}))
    with pytest.raises(UserError, match=r"inputs\.jsonl:3: .*bytes is "):
        replay_call(bad)


@pytest.mark.parametrize("name", ["session_id", "room", "origin_us", "graph", "settings", "version"])
def test_every_field_of_the_header_that_matters_is_checked(call: Path, tmp_path: Path, name: str) -> None:
    values: list[Any] = [None, math.nan, True, 1.5, [], 10**400, -1]
    for i, wrong in enumerate(values):
        bad = tmp_path / str(i)
        shutil.copytree(call, bad)
        header = json.loads((bad / "call.json").read_text())
        if name == "version" and wrong is True:
            continue  # 1
        (bad / "call.json").write_text(json.dumps({**header, name: wrong}))
        with pytest.raises(UserError, match=r"call\.json"):
            replay_call(bad)


def test_a_wrong_setting_is_named(call: Path, tmp_path: Path) -> None:
    shutil.copytree(call, tmp_path / "bad")
    header = json.loads((call / "call.json").read_text())
    header["settings"]["vad_speech_end_frames"] = "soon"
    (tmp_path / "bad" / "call.json").write_text(json.dumps(header))
    with pytest.raises(UserError, match=r"call\.json .*VAD_SPEECH_END_FRAMES is 'soon'; allowed: a whole number"):
        replay_call(tmp_path / "bad")


def test_the_caller_in_the_header_is_the_one_of_the_call() -> None:
    caller = CallerInfo("alice", "Alice", "sip", "vip", {"sip.phoneNumber": "123"})
    assert check_caller(json.loads(json.dumps(asdict(caller)))) == caller
    assert check_caller(None) == CallerInfo()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"identity": 3}, "caller: identity: Input should be a valid string"),
        ({"attributes": {"a": 1}}, "caller: attributes.a: Input should be a valid string"),
        ("alice", "caller: : Input should be an object"),
    ],
)
def test_a_caller_that_is_none_is_refused(wrong: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        check_caller(wrong)


def test_in_a_batch_the_others_are_replayed(call: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(call, tmp_path / "bad", 4, lambda line: line.update({"t_us": None}))
    shutil.copytree(call, tmp_path / "good")
    shutil.copytree(call, tmp_path / "headless")
    (tmp_path / "headless" / "call.json").unlink()
    (tmp_path / "empty").mkdir()
    for jobs in (1, 2):
        assert run("replay", tmp_path, tmp_path / "empty", tmp_path / "no*", "--jobs", jobs) == 1
        said = capsys.readouterr()
        assert "bad/inputs.jsonl:5: not a line of a recording: t_us is None, and must be a whole number" in said.err
        assert "call.json: No such file" in said.err
        assert "empty: there is no WAV" in said.err
        assert "no*: there is no WAV" in said.err
        assert said.out.count("events as when it was recorded") == 1
