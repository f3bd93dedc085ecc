"""The Dockerfile: what it copies is there, it runs as nobody special, and its health check tells sick from well."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from webapi.voice_node.config import Settings, pinned_settings

ROOT = Path(__file__).parents[2]
PATHS = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments, in their order."""
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines()) if word]


def arguments(name: str) -> list[str]:
    return [rest for word, rest in instructions() if word == name]


def variables() -> dict[str, str]:
    """The variables of the image itself, not of the stage before."""
    return dict(pair.split("=", 1) for pair in arguments("ENV")[-1].split())


def test_everything_copied_is_there_and_not_ignored() -> None:
    copied = [path for each in arguments("COPY") if "--from" not in each for path in each.split()[:-1]]
    assert "pyproject.toml" in copied
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert lines.index("*") < lines.index("!webapi")
    assert sorted(copied) == sorted(kept)
    assert all((ROOT / path).exists() for path in copied)
    assert not any(fnmatch.fnmatch(name, pattern) for name in (".env", "voice_node.log") for pattern in kept)


def test_the_wheel_is_built_of_what_is_copied() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    included = re.search(r"force-include\]\n(.*?)\n\n", text, re.DOTALL)
    assert included
    copied = " ".join(arguments("COPY"))
    for path in (*re.findall(r'^"([^"]+)" =', included[1], re.MULTILINE), "README.md", "LICENSE", "constraints.txt"):
        assert path.split("/")[0] in copied.split(), path


def test_the_extras_are_extras() -> None:
    extras = re.search(r"^EXTRAS=(\S+)$", "\n".join(arguments("ARG")), re.MULTILINE)
    assert extras
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    for name in extras[1].split(","):
        assert re.search(rf"^{re.escape(name)} = \[", text, re.MULTILINE), name


def test_the_base_has_a_version() -> None:
    (base,) = [each for each in arguments("ARG") if each.startswith("BASE=")]
    assert re.fullmatch(r"BASE=docker\.io/library/python:3\.1[0-3]-slim-\w+", base)
    assert all(each.split()[0] == "${BASE}" for each in arguments("FROM"))


def test_it_is_not_root_and_gets_signals_itself() -> None:
    user, _, group = arguments("USER")[-1].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert arguments("STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(arguments("ENTRYPOINT")[0]) == ["voice-node"]
    assert json.loads(arguments("CMD")[0]) == ["worker"]


def test_its_variables_are_settings_with_values_that_are_allowed() -> None:
    given = {name.lower(): value for name, value in variables().items() if name not in PATHS}
    assert given.keys() <= Settings.model_fields.keys()
    settings = pinned_settings(**given)
    assert settings.log_file is None
    assert arguments("EXPOSE") == [str(settings.monitor_port)] == [str(pinned_settings().monitor_port)]


@contextmanager
def monitor(status: int) -> Iterator[int]:
    """A server whose /healthz answers so, and every other path 404. Yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def health(port: int) -> int:
    """The exit code of the health check, for a monitor on that port."""
    _, _, command = arguments("HEALTHCHECK")[0].partition("CMD ")
    python, *rest = json.loads(command)
    assert python == "python"
    ran = subprocess.run(
        [sys.executable, *rest], env={**os.environ, "MONITOR_PORT": str(port)}, capture_output=True, check=False
    )
    return ran.returncode


@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False), (404, False)])
def test_the_health_check_asks_healthz(status: int, well: bool) -> None:
    with monitor(status) as port:
        assert (health(port) == 0) is well


def test_the_health_check_fails_where_nothing_listens() -> None:
    with monitor(200) as port:
        pass
    assert health(port) != 0
