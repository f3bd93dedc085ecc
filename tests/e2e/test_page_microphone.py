"""The client page's microphone while a call lasts.

It is shown to be on only while the room has it; what is lost is published again, or said.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from livekit import api
from playwright.async_api import Page, expect

from tests.e2e.browser import ALLOWED, chromium, microphone
from tests.e2e.fake_bot import FakeBot, token
from tests.e2e.page import SILENT, as_file, level, opened, reconnect, run, server_has, state
from tests.e2e.rooms import server_api

pytestmark = pytest.mark.e2e

# The browser gives no microphone from now on, as often as the window says; with an error that a browser has.
REFUSE = """([name, times]) => {
  const { getUserMedia } = navigator.mediaDevices;
  window.refusals = times;
  navigator.mediaDevices.getUserMedia = function (wanted) {
    if (window.refusals-- > 0) return Promise.reject(new DOMException("not now", name));
    return getUserMedia.call(this, wanted);
  };
}"""
FOREVER = 1_000_000
UNPLUG = """() => {
  const device = call.microphone.track.mediaStreamTrack;
  device.stop();
  device.dispatchEvent(new Event("ended"));
}"""
UNPUBLISH = "call.room.localParticipant.unpublishTrack(call.microphone.track)"
RECONNECT = "call.room.simulateScenario('full-reconnect')"


@asynccontextmanager
async def in_call(url: str, room: str, hum: Path) -> AsyncIterator[tuple[Page, FakeBot]]:
    """A page in the room, heard by a bot."""
    async with (
        chromium([*ALLOWED, *microphone(hum)]) as browser,
        FakeBot(url, room) as bot,
        opened(browser, as_file(token=token("me", room), room=room, url=url)) as page,
    ):
        await page.click("#join")
        await state(page, call="joined", mic="on", bot="present", state="listening")
        await bot.heard.wait()
        yield page, bot


async def heard_again(page: Page, bot: FakeBot, url: str, room: str) -> None:
    """The page says so, the server has the track, and the bot hears it. The page measures it, too."""
    await state(page, call="joined", mic="on", state="listening", error="")
    await server_has(url, room, False)
    bot.heard.clear()
    await bot.heard.wait()
    await level(page, "callerLevel", f"> {SILENT}")  # noise suppression takes a hum for noise


def test_where_the_sdk_gives_up_the_page_publishes_again(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with in_call(livekit_url, room, hum) as (page, bot):
            await page.evaluate(REFUSE, ["AbortError", 1])  # the one that the SDK asks for when it reconnects
            await page.evaluate(RECONNECT)
            await state(page, mic="starting", state="idle", call="reconnecting")
            await heard_again(page, bot, livekit_url, room)
            assert await page.evaluate("window.refusals") < 0  # it was asked for again

            await page.evaluate(UNPUBLISH)
            await heard_again(page, bot, livekit_url, room)

    run(scenario())


def test_a_microphone_that_does_not_come_back_is_told(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with in_call(livekit_url, room, hum) as (page, bot):
            await page.evaluate(REFUSE, ["NotReadableError", FOREVER])
            await page.evaluate(RECONNECT)
            await state(page, call="joined", bot="present", mic="failed", state="unheard", error="mic-busy")
            await server_has(livekit_url, room)
            await expect(page.locator("#state")).to_have_text("Microphone is off")
            await page.evaluate("window.refusals = 0")
            await page.get_by_role("button", name="Turn microphone on").click()
            await heard_again(page, bot, livekit_url, room)

    run(scenario())


def test_a_publication_that_the_room_refuses_is_tried_again_and_then_told(
    livekit_url: str, room: str, hum: Path
) -> None:
    async def scenario() -> None:
        async with in_call(livekit_url, room, hum) as (page, bot):
            await page.evaluate(
                """() => {
                  const me = call.room.localParticipant;
                  const { publishTrack } = me;
                  window.refusals = 2;
                  me.publishTrack = function (...given) {
                    if (window.refusals-- > 0) return Promise.reject(new Error("the room refuses"));
                    return publishTrack.apply(this, given);
                  };
                }"""
            )
            await page.evaluate(UNPUBLISH)
            await heard_again(page, bot, livekit_url, room)
            await page.evaluate(
                "{ window.refusals = 1000; call.room.localParticipant.unpublishTrack(call.microphone.track); }"
            )
            await state(page, mic="failed", state="unheard", error="mic-failed")
            await expect(page.get_by_role("alert")).to_contain_text("the room refuses")
            await page.evaluate("window.refusals = 0")
            await page.get_by_role("button", name="Turn microphone on").click()
            await heard_again(page, bot, livekit_url, room)

    run(scenario())


def test_a_microphone_that_is_unplugged_is_replaced_or_told(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with in_call(livekit_url, room, hum) as (page, bot):
            await page.evaluate(UNPLUG)
            await heard_again(page, bot, livekit_url, room)  # on the default device
            await page.evaluate("call.microphone.track.restartTrack()")  # what a change of device does
            await heard_again(page, bot, livekit_url, room)
            await page.evaluate(REFUSE, ["NotFoundError", FOREVER])
            await page.evaluate(UNPLUG)
            await state(page, mic="failed", state="unheard", error="mic-missing")
            await server_has(livekit_url, room, True)  # the SDK has muted it
            await page.evaluate("window.refusals = 0")
            await page.get_by_role("button", name="Turn microphone on").click()
            await heard_again(page, bot, livekit_url, room)

    run(scenario())


def test_what_the_server_does_to_the_microphone_is_shown(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with in_call(livekit_url, room, hum) as (page, bot), server_api(livekit_url) as server:
            sid = await page.evaluate("call.microphone.track.sid")
            await server.room.mute_published_track(
                api.MuteRoomTrackRequest(room=room, identity="me", track_sid=sid, muted=True)
            )
            await state(page, mic="muted", state="unheard")
            await level(page, "callerLevel", f"< {SILENT}")
            await reconnect(page, "full-reconnect")
            await state(page, call="joined", mic="muted", bot="present", state="unheard")
            await page.click("#mic")
            await heard_again(page, bot, livekit_url, room)

            for may, shown in ((False, "refused"), (True, "on")):
                permission = api.ParticipantPermission(can_subscribe=True, can_publish=may)
                await server.room.update_participant(
                    api.UpdateParticipantRequest(room=room, identity="me", permission=permission)
                )
                await state(page, mic=shown, state="listening" if may else "unheard")
                await server_has(livekit_url, room, *([False] if may else []))
            await heard_again(page, bot, livekit_url, room)

    run(scenario())


def test_a_microphone_that_the_system_mutes_is_told(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with in_call(livekit_url, room, hum) as (page, bot):
            await page.evaluate("call.microphone.track.pauseUpstream()")  # what the SDK does then, after five seconds
            await state(page, mic="failed", state="unheard", error="mic-silent")
            await page.evaluate("call.microphone.track.resumeUpstream()")
            await heard_again(page, bot, livekit_url, room)

    run(scenario())


def test_who_leaves_before_the_microphone_is_granted_leaves_it_off(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            await page.evaluate(
                """() => {
                  const { getUserMedia } = navigator.mediaDevices;
                  navigator.mediaDevices.getUserMedia = async function (wanted) {
                    await new Promise((done) => { window.grant = done; });
                    window.granted = await getUserMedia.call(this, wanted);
                    return window.granted;
                  };
                }"""
            )
            await page.click("#join")
            await state(page, call="joined", mic="starting")
            await page.click("#leave")
            await state(page, call="idle", mic="off")
            await page.evaluate("window.grant()")
            await page.evaluate(
                """() => new Promise((done) => {
                  const off = () => window.granted?.getTracks().every((track) => track.readyState === "ended");
                  const look = () => (off() ? done() : setTimeout(look, 20));
                  look();
                })"""
            )
            await state(page, call="idle", mic="off", error="")

    run(scenario())
