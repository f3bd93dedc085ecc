"""Whom the client page plays and believes: the bot, by what the server says of it, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.browser import ALLOWED, chromium, microphone
from tests.e2e.fake_bot import FakeBot, token
from tests.e2e.page import as_file, opened, run, served, state

pytestmark = pytest.mark.e2e


def test_only_the_bot_is_played_and_believed(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        address = as_file(token=token("me", room), room=room, url=livekit_url)
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            opened(browser, as_file(token=token("other", room), room=room, url=livekit_url)) as other,
            opened(browser, address) as page,
        ):
            await other.click("#join")
            await state(other, call="joined", mic="on")
            await page.click("#join")
            await state(page, call="joined", mic="on", bot="absent", state="idle", audio="none")
            await expect(page.locator("#state")).to_have_text("Waiting for the bot")
            await expect(page.locator("#news")).to_contain_text("There is no bot in this room")
            async with FakeBot(livekit_url, room) as bot:
                await state(page, bot="present", state="listening")
                await bot.send("listening_to", identity="other")
                await expect(page.locator("#news")).to_contain_text("listening to other, not to you")
            await state(page, bot="absent", state="idle")
            await expect(page.locator("#news")).to_contain_text("The bot has left the room")

    run(scenario())


def test_a_track_of_the_bots_name_is_no_bot(livekit_url: str, room: str, hum: Path) -> None:
    """Anybody may name a track `bot_out`, and send data where their token says so; nobody chooses their kind."""

    async def scenario() -> None:
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room, "mallory", agent=False) as mallory,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            mallory.loud = True
            await page.click("#join")
            await state(page, call="joined", mic="on")
            await mallory.heard.wait()  # they are in the room, each hears the other
            await mallory.send("speech_started", t=1.0, turn_index=0, trace_id="a")
            async with FakeBot(livekit_url, room) as bot:
                await state(page, bot="present", audio="playing")
                await bot.send("listening_to", identity="me")
                await state(page, heard="me", state="listening", bot_peak="0.0000")
                assert await page.locator("#event-rows li").count() == 1
                assert await page.locator("#sound audio").count() == 1
            await state(page, bot="absent", audio="none")

    run(scenario())


def test_where_the_bots_identity_is_told_no_other_agent_is_believed(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with (
            served(livekit_url, room) as address,
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room, "somebodys-agent") as other,
        ):
            context = await browser.new_context()
            by_link = as_file(token=token("me", room), room=room, url=livekit_url, bot="ingobot")
            for way in (address, by_link):
                page = await context.new_page()
                await page.goto(way)
                await page.click("#join")
                await state(page, call="joined", mic="on", bot="absent")
                await other.send("speech_started", t=1.0, turn_index=0, trace_id="a")
                async with FakeBot(livekit_url, room) as bot:
                    await state(page, bot="present", audio="playing")
                    await bot.send("listening_to", identity="nobody-here")
                    await state(page, heard="away")
                    assert await page.locator("#event-rows li").count() == 1
                await state(page, bot="absent")
                await page.close()

            page = await context.new_page()
            await page.goto(address)
            await page.wait_for_selector("#app[data-ready]")
            assert await page.evaluate("botIdentity()") == "ingobot"
            await page.fill("#room", "another")  # where the node's own identity means nothing
            assert await page.evaluate("botIdentity()") == ""

    run(scenario())
