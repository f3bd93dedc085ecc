"""The page's web server: what it serves, to whom it gives a token, what it says when it can't."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import aiohttp
import jwt
import pytest
from aiohttp.test_utils import make_mocked_request

from tests.node.serving import client_of, run
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.node.web import STATIC, WebServer, may_have_token

SECRET = "a secret of at least thirty-two characters"


def make_settings(**overrides: object) -> Settings:
    values: dict[str, object] = {"web_port": 0, "livekit_api_secret": SECRET, **overrides}
    return load_settings(env_file=None, **values)


def page_of(
    settings: Settings | None = None, static: Path = STATIC
) -> AbstractAsyncContextManager[tuple[aiohttp.ClientSession, str]]:
    return client_of(WebServer(settings or make_settings(), static=static))


async def raw(url: str, request: bytes) -> bytes:
    """The answer to a request that no decent client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


# ---------------------------------------------------------------- files


def test_the_page_and_all_that_it_names_are_served() -> None:
    async def scenario() -> None:
        async with page_of() as (client, url):
            html = await (await client.get(url)).text()
            assert html == (STATIC / "client.html").read_text()
            for name in [path.name for path in (STATIC / "js").iterdir()]:
                assert f'src="js/{name}"' in html
                answer = await client.get(f"{url}/js/{name}")
                assert answer.status == 200
                assert answer.content_type.endswith("/javascript")
            assert (await client.get(f"{url}/client.css")).content_type == "text/css"

    run(scenario())


def test_the_library_is_served_where_it_is_and_missing_where_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "client.html").write_text("<!doctype html>")

    async def scenario() -> None:
        async with page_of(static=tmp_path) as (client, url):
            address = f"{url}/vendor/livekit-client.umd.js"
            assert (await client.get(address)).status == 404
            (tmp_path / "vendor").mkdir()
            (tmp_path / "vendor" / "livekit-client.umd.js").write_text("library")
            assert await (await client.get(address)).text() == "library"

    run(scenario())


def test_nothing_outside_and_no_listing_is_served(tmp_path: Path) -> None:
    static = tmp_path / "static"
    (static / "js").mkdir(parents=True)
    (static / "client.html").write_text("<!doctype html>")
    (tmp_path / "secret.txt").write_text("SECRET")
    (static / "link.txt").symlink_to(tmp_path / "secret.txt")
    paths = [
        "/../secret.txt",
        "/js/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..\\secret.txt",
        "//etc/passwd",
        f"/{tmp_path}/secret.txt",
        "/link.txt",
        "/js/",
        "/js",
        "/client.html%00.js",
    ]

    async def scenario() -> None:
        async with page_of(static=static) as (_, url):
            for path in paths:
                request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                answer = await raw(url, request.encode())
                assert answer.split(b" ", 2)[1] in (b"400", b"403", b"404"), (path, answer)
                assert b"SECRET" not in answer, path
            for method in ("POST", "PUT", "DELETE"):
                answer = await raw(url, f"{method} / HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n".encode())
                assert answer.split(b" ", 2)[1] == b"405"

    run(scenario())


def test_every_answer_carries_the_security_headers() -> None:
    async def scenario() -> None:
        async with page_of() as (client, url):
            for path in ("/", "/client.css", "/api/config", "/nothing", "/js/"):
                headers = (await client.get(url + path)).headers
                assert headers["X-Content-Type-Options"] == "nosniff"
                assert headers["X-Frame-Options"] == "DENY"
                assert headers["Referrer-Policy"] == "no-referrer"
                assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
                assert "Access-Control-Allow-Origin" not in headers
                policy = headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                kept = "no-store" if path.startswith("/api/") else "no-cache"
                assert headers["Cache-Control"] == kept

    run(scenario())


# ---------------------------------------------------------------- tokens


def test_on_loopback_each_page_gets_a_token_of_its_own() -> None:
    async def scenario() -> None:
        async with page_of(
            make_settings(lk_room="parlour", livekit_url="ws://localhost:7999", lk_bot_identity="parrot")
        ) as (client, url):
            one, other = [await (await client.get(f"{url}/api/config")).json() for _ in range(2)]
            assert set(one) == {"url", "room", "bot", "token", "identity"}
            assert (one["url"], one["room"], one["bot"]) == ("ws://localhost:7999", "parlour", "parrot")
            assert one["identity"] != other["identity"]
            claims = jwt.decode(one["token"], SECRET, algorithms=["HS256"])
            assert claims["sub"] == one["identity"]
            assert claims["sub"].startswith("caller-")
            assert claims["video"]["room"] == "parlour"
            assert not claims["video"].get("roomAdmin")
            assert 0 < claims["exp"] - claims["nbf"] <= timedelta(minutes=10).total_seconds()

    run(scenario())


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example:8080"},
        {"Host": "127.0.0.1.rebound.example"},
        {"Host": "192.168.1.20:8080"},
        {"Host": "[::1"},
        {"Host": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
    ],
)
def test_no_token_for_a_strangers_name_site_or_proxy(headers: dict[str, str]) -> None:
    async def scenario() -> None:
        async with page_of() as (client, url):
            answer = await client.get(f"{url}/api/config", headers=headers)
            config = await answer.json()
            assert config["token"] is None
            assert config["identity"] is None
            assert config["room"] == "demo"

    run(scenario())


@pytest.mark.parametrize(
    ("web_host", "peer", "host", "given"),
    [
        ("127.0.0.1", "127.0.0.1", "localhost:8080", True),
        ("localhost", "::1", "[::1]:8080", True),
        ("::1", "::ffff:127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", "localhost:8080", False),  # noqa: S104 - compared, not bound
        ("192.168.1.20", "127.0.0.1", "localhost:8080", False),
        ("127.0.0.1", "192.168.1.21", "localhost:8080", False),
        ("127.0.0.1", "", "localhost:8080", False),
    ],
)
def test_a_token_needs_a_loopback_server_peer_and_name(web_host: str, peer: str, host: str, given: bool) -> None:
    request = make_mocked_request("GET", "/api/config", headers={"Host": host}).clone(remote=peer)
    assert may_have_token(web_host, request) is given


# ---------------------------------------------------------------- starting and stopping


def test_a_taken_port_is_said_with_what_to_do() -> None:
    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = WebServer(make_settings(web_port=port))
            with pytest.raises(UserError, match=rf"WEB_HOST=127\.0\.0\.1, WEB_PORT={port}.*WEB_PORT=0"):
                await server.start()
            await server.stop()

    run(scenario())


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_is_not_this_machines_is_said(host: str) -> None:
    async def scenario() -> None:
        with pytest.raises(UserError, match=f"WEB_HOST={host}.*no address of this machine"):
            await WebServer(make_settings(web_host=host)).start()

    run(scenario())


def test_a_missing_page_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"client\.html"):
        run(WebServer(make_settings(), static=tmp_path).start())  # type: ignore[arg-type]  # it never returns a URL


def test_it_stops_and_starts_again_on_the_same_port() -> None:
    async def scenario() -> None:
        first = WebServer(make_settings())
        port = int((await first.start()).rsplit(":", 1)[1])
        await first.stop()
        await first.stop()
        second = WebServer(make_settings(web_port=port))
        assert await second.start() == f"http://localhost:{port}"
        await second.stop()

    run(scenario())


def test_without_aiohttp_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['aiohttp'] = None; import webapi.voice_node.node.web"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "UserError" in done.stderr
    assert "pip install 'aiohttp" in done.stderr
