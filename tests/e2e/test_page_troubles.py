"""The client page in a real Chromium where something goes wrong: it is said on the page, in words."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from livekit import api
from playwright.async_api import expect

from tests.e2e.browser import ALLOWED, chromium, microphone
from tests.e2e.fake_bot import FakeBot, token
from tests.e2e.page import LOUD, as_file, level, opened, run, served, state

pytestmark = pytest.mark.e2e


def test_troubles_of_joining_are_said(livekit_url: str, room: str) -> None:
    nobody = "ws://127.0.0.1:9"  # the discard port: nothing answers there
    good = token("me", room)
    cases = [
        ("token-missing", {"url": livekit_url, "room": room}, "The Token field is empty"),
        ("token-bad", {"url": livekit_url, "room": room, "token": "nonsense"}, "does not accept this token"),
        (
            "token-bad",
            {"url": livekit_url, "room": room, "token": token("me", room, secret="not the server's" * 3)},
            "does not accept this token",
        ),
        (
            "token-expired",
            {"url": livekit_url, "room": room, "token": token("me", room, ttl=timedelta(hours=-1))},
            "has expired",
        ),
        ("token-room", {"url": livekit_url, "room": "elsewhere", "token": good}, f"for the room “{room}”"),
        ("url-bad", {"url": "localhost", "room": room, "token": good}, "not a LiveKit server's address"),
        ("unreachable", {"url": nobody, "room": room, "token": good}, f"No LiveKit server answers at {nobody}"),
    ]

    async def scenario() -> None:
        async with chromium() as browser:
            for code, fragment, words in cases:
                async with opened(browser, as_file(**fragment)) as page:
                    await page.focus("#token")
                    await page.keyboard.press("Enter")  # the form is sent as any form is
                    await state(page, call="idle", error=code)
                    alert = page.get_by_role("alert")
                    await expect(alert).to_contain_text(words)
                    assert "eyJ" not in await alert.inner_text()  # the server quotes the token it refuses
                    field = code.split("-")[0]
                    if field in ("token", "url"):
                        await expect(page.locator(f"#{field}")).to_be_focused()

    run(scenario())


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--use-fake-device-for-media-stream", "--deny-permission-prompts"], "mic-denied"),
        ([*ALLOWED, "--disable-audio-input"], "mic-missing"),
    ],
)
def test_without_a_microphone_the_call_goes_on_and_says_so(
    livekit_url: str, room: str, flags: list[str], code: str
) -> None:
    async def scenario() -> None:
        async with (
            chromium(flags) as browser,
            FakeBot(livekit_url, room) as bot,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            bot.loud = True
            await page.click("#join")
            await state(page, call="joined", mic="failed", error=code)
            await expect(page.get_by_role("alert")).to_contain_text("the bot can't hear you")
            await expect(page.get_by_role("button", name="Turn microphone on")).to_be_visible()
            await level(page, "botLevel", f"> {LOUD}")

    run(scenario())


# Joins by itself and tells when the sound is held back. All that playwright evaluates counts as a user's gesture, after
# which Chromium holds nothing back, so until then only the page may act.
JOIN_UNTOUCHED = """
new MutationObserver(() => {
  const app = document.getElementById("app");
  if (!app || app.dataset.ready === undefined) return;
  if (app.dataset.call === "idle" && !window.clicked) {
    window.clicked = true;
    document.getElementById("join").click();
  }
  if (app.dataset.audio === "blocked") console.log("the sound is held back");
}).observe(document, { subtree: true, attributes: true, childList: true });
"""


def test_sound_that_the_browser_holds_back_is_asked_for(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        listener = token("me", room, speak=False)
        async with (
            chromium(["--autoplay-policy=document-user-activation-required"]) as browser,
            FakeBot(livekit_url, room) as bot,
        ):
            bot.loud = True
            page = await browser.new_page()
            await page.add_init_script(JOIN_UNTOUCHED)
            async with page.expect_console_message(lambda line: "held back" in line.text):
                await page.goto(as_file(token=listener, room=room, url=livekit_url), wait_until="commit")
            await state(page, call="joined", audio="blocked")
            await page.get_by_role("button", name="Click to hear the bot").click()
            await state(page, audio="playing")
            await level(page, "botLevel", f"> {LOUD}")

    run(scenario())


def test_a_lost_server_is_said_and_come_back_to(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        wire = Wire(livekit_url)
        await wire.connect()
        address = as_file(token=token("me", room), room=room, url=f"ws://127.0.0.1:{wire.port}")
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room) as bot,
            opened(browser, address) as page,
        ):
            await page.click("#join")
            await state(page, call="joined", mic="on")
            await wire.cut()
            await state(page, call="reconnecting")
            await expect(page.get_by_role("status")).to_contain_text("connection to the server is lost")
            await wire.connect()
            await state(page, call="joined")
            await expect(page.get_by_role("status")).to_contain_text("Reconnected")
            bot.loud = True
            await level(page, "botLevel", f"> {LOUD}")
        await wire.cut()

    run(scenario())


def test_a_server_that_stays_away_is_given_up(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        wire = Wire(livekit_url)
        await wire.connect()
        async with chromium([*ALLOWED, *microphone(hum)]) as browser:
            page = await browser.new_page()
            await page.clock.install()  # the page's timers, so that its minute of attempts passes at once
            await page.goto(as_file(token=token("me", room), room=room, url=f"ws://127.0.0.1:{wire.port}"))
            await page.wait_for_selector("#app[data-ready]")
            await page.click("#join")
            await state(page, call="joined", mic="on")
            await wire.cut()
            await state(page, call="reconnecting")
            while await page.get_attribute("#app", "data-call") == "reconnecting":
                await page.clock.fast_forward(1000)
            await state(page, call="idle", error="server-gone")
            await expect(page.get_by_role("alert")).to_contain_text("connection to the server is lost")
            await expect(page.get_by_role("button", name="Join")).to_be_visible()

    run(scenario())


def test_at_another_name_there_is_neither_token_nor_microphone(livekit_url: str, room: str) -> None:
    """The page by a name that only resolves to loopback: a rebound one, or another machine's over plain http."""

    async def scenario() -> None:
        rule = "--host-resolver-rules=MAP node.example 127.0.0.1"
        async with served(livekit_url, room) as address, chromium([*ALLOWED, rule]) as browser:
            elsewhere = address.replace("localhost", "node.example")
            async with opened(browser, elsewhere) as page:
                assert await page.input_value("#room") == room
                assert await page.input_value("#token") == ""
                await page.fill("#token", token("me", room))
                await page.click("#join")
                await state(page, call="joined", mic="failed", error="mic-insecure")

    run(scenario())


def test_being_removed_is_said(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
            api.LiveKitAPI(livekit_url.replace("ws", "http", 1), "devkey", "secret") as server,
        ):
            await page.click("#join")
            await state(page, call="joined", mic="on")
            await server.room.remove_participant(api.RoomParticipantIdentity(room=room, identity="me"))
            await state(page, call="idle", error="removed")
            await expect(page.get_by_role("alert")).to_contain_text("You were removed from the room")

    run(scenario())


class Wire:
    """A TCP wire to the LiveKit server that can be cut and connected again, on one port."""

    def __init__(self, url: str) -> None:
        self._far = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def connect(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for end in list(self._ends):
            end.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._far.hostname, self._far.port)
        self._ends |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._ends -= {writer, far_writer}

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()
