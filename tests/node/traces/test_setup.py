"""Where traces go: to a real HTTP server, to none, and to servers that don't answer."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.test_metrics import A, answered
from webapi.voice_node.errors import UserError
from webapi.voice_node.node.traces.setup import ENDPOINTS, PROTOCOLS, open_traces

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENDPOINTS, *PROTOCOLS, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def receiver(got: list[ExportTraceServiceRequest]) -> Iterator[str]:
    """A small server that takes spans by OTLP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            got.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def call_of_one_turn() -> None:
    """A call that is traced to where the environment says, and the end of the process' traces."""

    async def scenario() -> None:
        traces = open_traces("node-1")
        assert traces is not None
        call = traces.call("s-1", "default", 0, words=False)
        for event in answered(A):
            call(event)
        call.close()
        await traces.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_spans_are_sent_to_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[ExportTraceServiceRequest] = []
    with receiver(got) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        call_of_one_turn()
    spans = [span for request in got for of in request.resource_spans for of2 in of.scope_spans for span in of2.spans]
    assert {"call", "turn", "speech", "endpointing", "playback"} <= {span.name for span in spans}
    assert len({span.trace_id for span in spans}) == 1


def test_without_an_endpoint_there_are_no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_traces("n") is None
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:4318/v1/traces")
    for name, value in (("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")):
        with monkeypatch.context() as given:
            given.setenv(name, value)
            assert open_traces("n") is None


def test_another_protocol_is_refused_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINTS[1], "http://127.0.0.1:4317")
    monkeypatch.setenv(PROTOCOLS[1], "grpc")
    with pytest.raises(UserError, match=r"OTEL_EXPORTER_OTLP_PROTOCOL=grpc.*allowed: http/protobuf"):
        open_traces("n")


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.exporter"])
def test_without_the_packages_it_says_what_to_install(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None\n"
    code += "from webapi.voice_node.node.traces.setup import open_traces; open_traces('n')"
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert "pip install 'opentelemetry-sdk" in ran.stderr


@pytest.mark.parametrize("listens", [True, False])
def test_a_server_that_hangs_or_is_away_holds_neither_the_node_nor_its_end(listens: bool) -> None:
    """The exporter would try for an hour."""
    code = "from tests.node.traces.test_setup import call_of_one_turn; call_of_one_turn(); print('ended')"
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()  # it takes the connection, and says nothing
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "3600",
        }
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60
        )
    assert ran.stdout == "ended\n"
    assert ran.returncode == 0
    assert ("the last traces were not sent" in ran.stderr) or not listens
