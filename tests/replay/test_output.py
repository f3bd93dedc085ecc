"""The output of replays: a folder for each recording inside of --out, and nothing outside of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.replay.test_wav_replay import run, talk
from tests.stage import play
from webapi.voice_node.audio.wav import wav_info
from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.mix import Mix
from webapi.voice_node.replay.output import write_output
from webapi.voice_node.replay.output_folders import output_folders
from webapi.voice_node.replay.result import ReplayResult

__all__ = ["talk"]  # the fixture


def names(*paths: str) -> list[str]:
    out = Path("out")
    return [folder.relative_to(out).as_posix() for folder in output_folders(list(map(Path, paths)), out) if folder]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("a.wav", "b/a.wav", "a-2.wav"), ["a", "a-3", "a-2"]),
        (("a.wav", "A.wav", "c/a.WAV"), ["a", "A-2", "a-3"]),
        (("...wav", "..wav", "a.wav"), ["recording", "recording-2", "a"]),
        (("a. .wav", "a.wav"), ["a", "a-2"]),
        (("x\\y.wav", "con.wav", "a\nb.wav"), ["x_y", "_con", "a_b"]),
        (("\u00e9.wav", "e\u0301.wav"), ["\u00e9", "e\u0301-2"]),
        (("b/a-2.wav", "c/a-2.wav", "a.wav", "d/a.wav"), ["a-2", "a-2-2", "a", "a-3"]),
    ],
)
def test_every_recording_has_its_own_folder(paths: tuple[str, ...], expected: list[str]) -> None:
    assert names(*paths) == expected
    assert names(*paths) == expected


def test_a_long_name_still_is_one() -> None:
    (first, second) = names(f"{'ä' * 120}.wav", f"b/{'ä' * 120}.wav")
    assert first != second
    assert len(second.encode()) < 256


def test_a_single_recording_is_written_into_the_folder_itself() -> None:
    assert output_folders([Path("...wav")], Path("out")) == [Path("out")]


def test_odd_names_stay_inside(talk: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    (there / "b").mkdir(parents=True)
    for name in ("...wav", "a.wav", "b/a.wav", "a-2.wav"):
        shutil.copy(talk, there / name)
    before = sorted(tmp_path.rglob("*"))
    assert run("replay", there, "--out", tmp_path / "out" / "in", "--set", "MOCK_REPLY=tone:0.5") == 0
    new = [path for path in sorted(tmp_path.rglob("*")) if path not in before]
    assert all(path.is_relative_to(tmp_path / "out") for path in new)
    assert sorted(path.parent.name for path in new if path.name == "mix.wav") == ["a", "a-2", "a-3", "recording"]


def test_a_recording_is_never_overwritten(talk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    shutil.copy(talk, folder / "mix.wav")
    play([("speech", 0.5), ("quiet", 1.0)], record=tmp_path / "call", mock_reply="tone:0.5")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run("replay", folder / "mix.wav", "--out", folder) == 2
    assert run("replay", tmp_path / "call", "--out", tmp_path / "call") == 2
    assert run("replay", tmp_path / "call", talk, "--out", tmp_path) == 2
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "talk").symlink_to(folder)
    with pytest.raises(UserError, match="leads out of it"):
        output_folders([talk, Path("b.wav")], tmp_path / "out")


def hostile(folder: Path, target: Path) -> Path:
    """A recorded call whose graph names `target` as the file of two taps."""
    play([("speech", 0.5), ("quiet", 1.0)], record=folder, mock_reply="tone:0.5")
    graph = (folder / "graph.yaml").read_text()
    twice = f"- tap: {{file: {target}}}\n      - tap: {{file: {target}}}\n      - window:"
    assert "- window:" in graph
    (folder / "graph.yaml").write_text(graph.replace("- window:", twice))
    return folder


def test_the_graph_of_a_recorded_call_writes_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    target = tmp_path / "mine.wav"
    target.write_bytes(b"mine")
    call = hostile(tmp_path / "call", target)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run("replay", call) == 0
    assert f"without --out the graph's tap writes nothing ({target})" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert run("replay", call, "--out", tmp_path / "out") == 0
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    taps = tmp_path / "out" / "taps"
    assert sorted(path.name for path in taps.iterdir()) == ["mine-2.wav", "mine.wav"]
    assert wav_info(taps / "mine.wav").frames > 0
    assert f"wrote {taps / 'mine.wav'}" in capsys.readouterr().err


def test_a_wav_through_a_graph_with_a_tap_too(talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    assert run("replay", talk, "--graph", "tap", "--against", "VAD_PREROLL_MS=100") in (0, 1)
    assert list(Path().iterdir()) == []
    assert run("replay", talk, "--graph", "tap", "--out", "out") == 0
    assert [path.name for path in Path().iterdir()] == ["out"]
    assert [path.name for path in Path("out/taps").iterdir()] == ["tap.wav"]


def test_two_replays_into_one_folder_at_once_are_told_of_each_other(tmp_path: Path) -> None:
    out = tmp_path / "out"
    silence = bytes(960)

    def first(mix: Mix, _: Path) -> ReplayResult:
        mix(silence, silence)
        write_output(out, second)  # it begins later, and ends first
        return ReplayResult("a", "default")

    def second(mix: Mix, _: Path) -> ReplayResult:
        mix(silence, silence)
        return ReplayResult("b", "default")

    with pytest.raises(UserError) as told:
        write_output(out, first)
    says = "mix.part is gone. Another replay may be writing there: give each its own folder"
    assert str(told.value) == f"--out {out}: can't be written: {says}"
