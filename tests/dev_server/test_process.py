"""A LiveKit server that does not serve: it is ended, and what it said is quoted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.dev_server.programs import enter, free_url, program, run
from webapi.voice_node.dev_server.process import ServerProcess, free_port
from webapi.voice_node.errors import UserError


def test_a_server_that_ends_is_quoted(bare_machine: Path, tmp_path: Path) -> None:
    program(bare_machine, "livekit-server", "echo no luck today; exit 3")
    with pytest.raises(UserError, match="no luck today") as told:
        run(enter(free_url(), []))
    log = re.search(r"is in (.*)\.", str(told.value))
    assert log
    assert Path(log[1]).read_text() == "no luck today\n"
    assert tmp_path in Path(log[1]).parents


def test_a_server_that_says_nothing_is_given_up_and_ended(bare_machine: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        told_to_end = tmp_path / "told"
        mute = program(bare_machine, "mute", f"trap 'echo > {told_to_end}; exit' TERM\nwhile :; do sleep 0.05; done")
        server = ServerProcess([str(mute)], "127.0.0.1", free_port("tcp", 0), tmp_path / "log")
        server.start()
        with pytest.raises(UserError, match=r"no answer within 0\.5 s"):
            await server.answers(0.5)
        await server.stop()
        assert told_to_end.exists()

    run(scenario())


def test_the_key_goes_by_the_environment_where_no_other_user_sees_it(bare_machine: Path) -> None:
    program(bare_machine, "livekit-server", 'echo "$@"; echo "keys: $LIVEKIT_KEYS"; exit 1')
    with pytest.raises(UserError) as told:
        run(enter(free_url(), [], key="mine", secret='s: "x" #1'))
    arguments, keys = (line.strip() for line in str(told.value).splitlines()[1:3])
    assert "mine" not in arguments
    assert yaml.safe_load(keys.removeprefix("keys: ")) == {"mine": 's: "x" #1'}


def test_a_log_that_cannot_be_written_is_named(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bare_machine, "livekit-server", "exit 1")
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    with pytest.raises(UserError, match=f"can't be written, {file}.*: Not a directory") as told:
        run(enter(free_url(), []))
    assert "XDG_CACHE_HOME" in str(told.value)
