"""A secret that a user gives on the command line is shown nowhere: not in texts, errors, tables or files."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.replay.test_wav_replay import TALK, run
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.cli.options import name_value_pairs, settings_from
from webapi.voice_node.config import Settings, public
from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.changes import ReplayChanges, checked_settings
from webapi.voice_node.replay.sweep.grid import cells, parse

SECRET = "hunter2-is-mine"
PAIR = f"LIVEKIT_API_SECRET={SECRET}"


def test_changes_do_not_show_it() -> None:
    for changes in (
        ReplayChanges(settings=name_value_pairs([PAIR])),
        ReplayChanges(settings={"livekit_api_secret": SECRET, "mock_think_ms": "9"}),
    ):
        assert SECRET not in f"{changes} {changes!r} {changes.settings}"
        assert "LIVEKIT_API_SECRET=***" in str(changes)
        checked = checked_settings(changes.settings)
        assert checked["livekit_api_secret"].get_secret_value() == SECRET  # it counts all the same
        assert SECRET not in repr(checked)


def test_settings_do_not_show_it() -> None:
    settings = settings_from([PAIR])
    assert settings.livekit_api_secret.get_secret_value() == SECRET
    assert SECRET not in f"{settings} {settings!r} {public(settings)}"  # the last is what a recording has


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_secret_is_refused(empty: str) -> None:
    with pytest.raises(UserError, match=r"LIVEKIT_API_SECRET \(not shown\)"):
        settings_from([f"LIVEKIT_API_SECRET={empty}"])


@pytest.mark.parametrize(
    "given",
    [
        ("--set", f"LIVEKIT_API_SECRET:{SECRET}"),
        ("--set", f"LIVEKIT_API_SECERT={SECRET}"),
        ("--set", f"livekit_api_secret {SECRET}"),
        ("--against", f"LIVEKIT_API_SECRET:{SECRET}"),
        ("--against", f"LIVEKIT_API_SECERT={SECRET}"),
        ("--against", PAIR, "--set", "LIVEKIT_URL=wss://example.org", "--set", "MOCK_THINK_MS=x"),
    ],
)
def test_errors_do_not_show_it(given: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(tmp_path / "talk.wav", TALK, 48_000)
    assert run("replay", tmp_path / "talk.wav", *given) == 2
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err


def test_a_comparison_does_not_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(tmp_path / "talk.wav", TALK[: 48_000 * 2], 48_000)
    assert run("replay", tmp_path / "talk.wav", "--against", PAIR, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr()
    assert "with LIVEKIT_API_SECRET=***" in shown.out
    written = "".join(path.read_bytes().decode("latin-1") for path in (tmp_path / "out").iterdir())
    assert SECRET not in shown.out + shown.err + written


@pytest.mark.parametrize("text", [PAIR, f"{PAIR},b", f"livekit_api_secret={SECRET}", f"LIVEKIT_API_SECRET:{SECRET}"])
def test_a_secret_is_no_grid(text: str) -> None:
    def load(point: Mapping[str, str]) -> Settings:
        raise AssertionError(point)

    with pytest.raises(UserError) as refused:
        cells([text], [], load)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    with pytest.raises(UserError) as refused:
        parse(f"LIVEKIT_API_SECERT={SECRET}")
    assert SECRET not in str(refused.value)
