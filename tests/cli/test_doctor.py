"""Each check, where all is well and where it is not; and the table with its exit code."""

from __future__ import annotations

import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from webapi.voice_node.cli.doctor import livekit_server, machine, node, page, table
from webapi.voice_node.cli.doctor.result import CheckResult
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.files.user_cache import cache_dir


def settings(**given: object) -> Settings:
    return load_settings(None, **given)


def free_url() -> str:
    return f"ws://127.0.0.1:{free_port('tcp', 0)}"


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


# ---------------------------------------------------------------- this machine


def test_this_python_and_its_packages_are_well() -> None:
    assert machine.check_python(settings()).state == "ok"
    packages = machine.check_packages(settings())
    assert packages.state == "ok"
    assert "livekit 1." in packages.found
    assert machine.check_extras(settings()).state == "ok"


def test_a_python_that_is_too_new_is_named_with_one_that_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    check = machine.check_python(settings())
    assert check.state == "fail"
    assert "3.12" in check.advice


def test_a_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    check = machine.check_packages(settings())
    assert check.state == "fail"
    assert check.found.startswith("soxr: ModuleNotFoundError")


def test_a_missing_extra_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    check = machine.check_extras(settings())
    assert check.state == "warn"
    assert "pip install 'matplotlib>=3.9,<4'" in check.advice


# ---------------------------------------------------------------- the LiveKit server


def test_a_server_that_the_node_would_start_is_well(bare_machine: Path) -> None:
    server = cache_dir() / "livekit-server-v1.13.5"
    server.parent.mkdir(parents=True)
    server.write_text("")
    check = livekit_server.check_server(settings(livekit_url=free_url()))
    assert check.state == "ok"
    assert str(server) in check.found


def test_a_server_that_would_have_to_be_built_is_a_warning(bare_machine: Path) -> None:
    check = livekit_server.check_server(settings(livekit_url=free_url()))
    assert check.state == "warn"
    assert "Go from PyPI" in check.found
    assert "--get" in check.advice


def test_with_docker_nothing_is_built(bare_machine: Path) -> None:
    docker = bare_machine / "docker"
    docker.write_text(f"#!{sys.executable}\nprint('28.2')\n")
    docker.chmod(0o755)
    check = livekit_server.check_server(settings(livekit_url=free_url()))
    assert check.state == "ok"
    assert "Docker" in check.found


def test_a_url_that_the_node_cannot_serve_itself_fails_where_nothing_listens() -> None:
    port = free_port("tcp", 0)
    check = livekit_server.check_server(settings(livekit_url=f"wss://localhost:{port}"))
    assert check.state == "fail"
    assert "nothing listens" in check.found
    assert "Check host and port" in check.advice


def test_something_that_listens_is_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert (
            livekit_server.check_server(settings(livekit_url=f"ws://127.0.0.1:{other.getsockname()[1]}")).state == "ok"
        )


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers as the path says: LiveKit's own words are tested with LiveKit."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web_server() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (401, "fail"), (404, "warn"), (500, "fail")])
def test_the_answer_to_the_key_is_understood(status: int, state: str) -> None:
    with web_server() as url:
        check = livekit_server.check_key(settings(livekit_url=f"{url}/{status}/", livekit_api_secret="q" * 40))
    assert check.state == state
    assert Answers.asked[-1] == f"/{status}/rtc/validate"
    assert "q" * 40 not in check.found + check.advice


def test_the_key_of_a_server_to_come_is_well_and_of_one_that_is_not_there_is_not() -> None:
    assert livekit_server.check_key(settings(livekit_url=free_url())).state == "ok"
    port = free_port("tcp", 0)
    check = livekit_server.check_key(settings(livekit_url=f"wss://localhost:{port}"))
    assert check.state == "fail"
    assert "could not be tried" in check.found


# ---------------------------------------------------------------- the node itself


def test_the_graph_loads_or_its_mistakes_are_told(tmp_path: Path) -> None:
    assert node.check_graph(settings()).found.startswith("default (")
    graph = tmp_path / "mine.yaml"
    graph.write_text("version: 7\n")
    check = node.check_graph(settings(voice_graph=str(graph)))
    assert check.state == "fail"
    assert "mine.yaml:1" in check.found


def test_the_orchestrator_can_be_made_or_is_named() -> None:
    assert node.check_orchestrator(settings()).state == "ok"
    check = node.check_orchestrator(settings(orchestrator="nowhere:Bot"))
    assert check.state == "fail"
    assert "nowhere:Bot" in check.found


def test_an_orchestrator_is_made_with_what_the_graph_gives_it(tmp_path: Path) -> None:
    name = "tests.replay.test_with:Keyed"
    graph = tmp_path / "mine.yaml"
    text = (Path(__file__).parents[2] / "graphs" / "default.yaml").read_text()
    graph.write_text(text.replace('"${ORCHESTRATOR}"', '"${ORCHESTRATOR}", with: {api_key: "in ${LK_ROOM}"}'))
    assert node.check_orchestrator(settings(orchestrator=name, voice_graph=str(graph))).state == "ok"
    without = node.check_orchestrator(settings(orchestrator=name))
    assert without.state == "fail"
    assert "default.yaml:" in without.found
    assert "its constructor needs arguments: api_key. Give them in the graph, as reply: {" in without.found


def test_vad_backends() -> None:
    assert node.check_vad(settings(vad_backend="webrtc")).state == "ok"
    default = node.check_vad(settings(vad_backend="sierra"))
    assert (default.state, default.advice) == ("ok", "")  # nothing is wrong with what comes out of the box
    assert default.found.endswith(", because no package named 'sierra' is installed")
    check = node.check_vad(settings(vad_backend="nosuch"))
    assert check.state == "fail"
    assert "webrtc" in check.advice


def test_log_and_metrics_must_have_a_place(tmp_path: Path) -> None:
    assert node.check_files(settings(log_file=tmp_path / "log", metrics_file="off")).state == "ok"
    assert node.check_files(settings(log_file=tmp_path / "no" / "log")).state == "fail"


def test_the_port_of_the_page_is_free_or_fails() -> None:
    assert page.check_web_port(settings(web_port=0)).state == "ok"
    with socket.create_server(("127.0.0.1", 0)) as other:
        check = page.check_web_port(settings(web_port=other.getsockname()[1]))
    assert check.state == "fail"
    assert "WEB_PORT=0" in check.advice


def test_without_the_client_library_the_page_needs_the_internet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "client.js"
    monkeypatch.setattr(page, "LIBRARY", library)
    assert page.check_client_library(settings()).state == "warn"
    library.write_text("")
    assert page.check_client_library(settings()).state == "ok"


# ---------------------------------------------------------------- the table


def test_the_table_names_every_check_and_the_exit_code_is_0_when_none_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    well = settings(livekit_url=free_url(), log_file=tmp_path / "log", metrics_file="off", web_port=0)
    assert table.doctor(well) == 0
    said = capsys.readouterr().out
    names = ("Python", "packages", "LiveKit server", "key", "graph", "orchestrator", "VAD", "files", "page")
    for name in names:
        assert name in said


def test_a_path_can_be_copied_from_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "/somewhere/with-a/" + "very-long-name/" * 8 + "file.js"
    found = f"there is no {path} here, but there could be one, for all that one knows of such machines"
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(table, "CHECKS", (lambda _: CheckResult("page", "warn", found, "Get [one]."),))
    assert table.doctor(settings()) == 0
    said = capsys.readouterr().out
    assert path in said
    lines = said.splitlines()
    assert [line for line in lines if len(line) > 80] == [" " * 22 + path]
    assert lines[0].split() == ["warn", "page", "there", "is", "no"]
    assert lines[-1] == " " * 22 + "→ Get [one]."
    assert " ".join(" ".join(lines).split()) == f"warn page {found} → Get [one]."


def test_a_failure_is_1_with_what_to_do_about_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.doctor(settings(livekit_url=free_url(), vad_backend="nosuch", web_port=0)) == 1
    said = capsys.readouterr().out
    assert "fail" in said
    assert "→ Set VAD_BACKEND" in said


def test_a_check_that_breaks_is_a_failure_and_the_others_still_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check_the_weather(_: Settings) -> CheckResult:
        raise RuntimeError("rain")

    monkeypatch.setattr(table, "CHECKS", (check_the_weather, node.check_graph))
    assert table.doctor(settings()) == 1
    said = capsys.readouterr().out
    assert "the weather" in said
    assert "RuntimeError: rain" in said
    assert "default" in said
