"""The client page says that the bot hung up, and why nobody is heard."""

from __future__ import annotations

from pathlib import Path

import pytest
from livekit import api
from playwright.async_api import expect

from tests.e2e.browser import ALLOWED, chromium, microphone
from tests.e2e.fake_bot import token
from tests.e2e.node import Node
from tests.e2e.page import as_file, beside_bot, opened, run, state
from tests.e2e.rooms import server_api
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav

pytestmark = pytest.mark.e2e


def test_a_node_that_hangs_up_is_understood(livekit_url: str, room: str, tmp_path: Path) -> None:
    """A real node, which removes the caller from the room besides."""
    wav = tmp_path / "caller.wav"
    write_wav(wav, silence(1) + vowel(0.8) + silence(6), 48_000)

    async def scenario() -> None:
        async with (
            Node(livekit_url, room, orchestrator="tests.reply.talkative:Leaves") as node,
            chromium([*ALLOWED, *microphone(wav)]) as browser,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            await page.click("#join")
            await expect(page.locator("#state")).to_have_text("The bot hung up", timeout=30_000)
            await state(page, call="idle", state="idle", error="")
            await expect(page.locator("#news")).to_have_text("The bot hung up: the caller said goodbye")
            await node.until(lambda: node.logged("call_ended"))

    run(scenario())


@pytest.mark.parametrize("removed", [False, True])
def test_the_page_leaves_when_the_bot_hangs_up(livekit_url: str, room: str, hum: Path, removed: bool) -> None:
    async def scenario() -> None:
        async with beside_bot(livekit_url, room, hum) as (page, bot):
            await page.click("#join")
            await state(page, call="joined", mic="on", bot="present")
            await bot.send("hung_up", t=1.0, turn_index=0, trace_id="a", reason="you said <goodbye>")
            if removed:
                async with server_api(livekit_url) as server:
                    await server.room.remove_participant(api.RoomParticipantIdentity(room=room, identity="me"))
            await bot.caller_left.wait()
            await state(page, call="idle", state="idle", error="")
            await expect(page.locator("#news")).to_have_text("The bot hung up: you said <goodbye>")
            await expect(page.locator("#state")).to_have_text("The bot hung up")
            await expect(page.locator("#event-rows li").first).to_contain_text("The bot hung up")
            await page.click("#join")
            await state(page, call="joined", mic="on", state="listening")

    run(scenario())


def test_the_bot_hangs_up_on_another_caller(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with beside_bot(livekit_url, room, hum) as (page, bot):
            await page.click("#join")
            await state(page, call="joined", mic="on", bot="present")
            await bot.send("listening_to", identity="alice", reason="first")
            await bot.send("hung_up", t=1.0, turn_index=0, trace_id="a", reason="bye")
            await bot.send("listening_to", identity="me", reason="first")
            await state(page, call="joined", heard="me", state="listening")
            await expect(page.locator("#news")).to_have_text("The bot is listening to you.")

    run(scenario())


def test_it_says_why_nobody_is_heard(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with beside_bot(livekit_url, room, hum) as (page, bot):
            await page.click("#join")
            await state(page, call="joined", mic="on", bot="present")
            await bot.send("listening_to", identity=None, reason="no_track")  # not about this caller
            await expect(page.locator("#hint")).to_have_text("The bot does not listen to you yet.")
            await bot.send("listening_to", identity="me", reason="first")
            await bot.send("listening_to", identity=None, reason="missing")
            await expect(page.locator("#hint")).to_contain_text("Your audio does not reach it.")
            await bot.send("not_heard", identity="alice", reason="encrypted")
            await expect(page.locator("#news")).to_contain_text("The bot can't hear alice")
            await bot.send("not_heard", identity="me", reason="encrypted")
            await state(page, error="not-heard")
            await expect(page.get_by_role("alert")).to_contain_text("Switch that off in your client.")
            await bot.send("listening_to", identity="me", reason="again")
            await state(page, error="", state="listening")

    run(scenario())
