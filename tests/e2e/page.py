"""The client page in a browser, for tests: opened as a file or served, and its state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from livekit import api
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser import ALLOWED, chromium, microphone
from tests.e2e.fake_bot import FakeBot, token
from tests.e2e.rooms import server_api
from webapi.voice_node.config import load_settings
from webapi.voice_node.node.web import STATIC, WebServer

LOUD, SILENT = 0.05, 0.002  # RMS; the tone has 0.21


def run(scenario: Coroutine[object, object, None]) -> None:
    """Run a scenario in a loop of its own, for 100 s at most."""
    asyncio.run(asyncio.wait_for(scenario, 100))


def as_file(**fragment: str) -> str:
    """The page's address as a file; `fragment` fills its fields."""
    return f"{(STATIC / 'client.html').as_uri()}#{urlencode(fragment)}"


@asynccontextmanager
async def served(livekit_url: str, room: str, static: Path = STATIC) -> AsyncIterator[str]:
    """The page's address while it is served as the node serves it."""
    settings = load_settings(env_file=None, livekit_url=livekit_url, lk_room=room, web_port=0)
    server = WebServer(settings, static=static)
    try:
        yield await server.start()
    finally:
        await server.stop()


@asynccontextmanager
async def opened(browser: Browser, address: str) -> AsyncIterator[Page]:
    """The page, once it is ready. Errors on its console fail the test at the end."""
    page = await browser.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda line: failures.append(line.text) if "Content Security" in line.text else None)
    await page.goto(address)
    await page.wait_for_selector("#app[data-ready]")
    yield page
    assert failures == []
    await page.close()


@asynccontextmanager
async def beside_bot(livekit_url: str, room: str, wav: Path) -> AsyncIterator[tuple[Page, FakeBot]]:
    """The page as a file, filled for the caller "me" whose microphone plays `wav`, and a bot that is in the room."""
    address = as_file(token=token("me", room), room=room, url=livekit_url)
    async with (
        chromium([*ALLOWED, *microphone(wav)]) as browser,
        FakeBot(livekit_url, room) as bot,
        opened(browser, address) as page,
    ):
        yield page, bot


async def state(page: Page, **attributes: str | int) -> None:
    """Wait for the page's machine-readable state."""
    wanted = "".join(f'[data-{name.replace("_", "-")}="{value}"]' for name, value in attributes.items())
    await expect(page.locator(f"#app{wanted}")).to_be_attached(timeout=30_000)


async def until(page: Page, condition: str) -> None:
    """Wait for a condition in JavaScript. (Playwright's wait_for_function is an eval, which the page's CSP forbids.)"""
    look = f"const look = () => {condition} ? done() : setTimeout(look, 20); look();"
    await asyncio.wait_for(page.evaluate(f"() => new Promise((done) => {{ {look} }})"), 30)


async def reconnect(page: Page, scenario: str) -> None:
    """Play one of the SDK's scenarios, and wait until the SDK says that the connection is back."""
    await page.evaluate(
        """async (scenario) => {
          window.back = false;
          call.room.once("reconnected", () => { window.back = true; });
          await call.room.simulateScenario(scenario);
        }""",
        scenario,
    )
    await until(page, "window.back")


async def server_has(url: str, room: str, *muted: bool, identity: str = "me") -> None:
    """Wait until the server has these tracks of the caller, and no others; each muted or not."""
    seen: list[bool] = []
    async with server_api(url) as server:
        for _ in range(200):
            there = await server.room.list_participants(api.ListParticipantsRequest(room=room))
            callers = [person for person in there.participants if person.identity == identity]
            seen = [track.muted for person in callers for track in person.tracks]
            if seen == list(muted):
                return
            await asyncio.sleep(0.05)
    raise AssertionError(f"the server has {seen}, not {list(muted)}")


async def level(page: Page, name: str, condition: str) -> None:
    """Wait for a level, as `callerLevel` or `botLevel`, to be as the condition says."""
    await until(page, f"Number(document.getElementById('app').dataset.{name}) {condition}")
