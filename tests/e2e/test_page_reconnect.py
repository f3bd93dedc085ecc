"""The client page after its connection was lost and came back: the caller is heard again.

What the server has of the caller's microphone is asked of the server. That the node hears it shows in its next answer.
"""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser import ALLOWED, chromium, microphone
from tests.e2e.caller import RATE_HZ
from tests.e2e.conftest import LiveKitServer
from tests.e2e.fake_bot import FakeBot, token
from tests.e2e.node import Node
from tests.e2e.page import LOUD, as_file, beside_bot, level, opened, reconnect, run, server_has, state, until
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e

RESUMED = ("signal-reconnect", "disconnect-signal-on-resume")  # the connection for audio is kept
RENEWED = ("full-reconnect", "node-failure", "resume-reconnect", "migration")  # the microphone is published again


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Something said again and again, with time for an answer between."""
    path = tmp_path / "caller.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(vowel(0.6) + silence(1.4))
    return path


async def answered(page: Page) -> None:
    """Wait for the answer to a turn that begins from now on: the next one may have begun already."""
    turns = int(await page.get_attribute("#app", "data-turns") or 0)
    await until(page, f"Number(document.getElementById('app').dataset.turns) > {turns + 1}")


def test_after_each_kind_of_reconnect_the_next_turn_is_answered(livekit_url: str, room: str, words: Path) -> None:
    async def scenario() -> None:
        async with (
            Node(livekit_url, room, mock_reply="tone:0.3"),
            chromium([*ALLOWED, *microphone(words)]) as browser,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            await page.click("#join")
            await state(page, call="joined", mic="on", heard="me")
            for kind in (*RESUMED, *RENEWED):
                await reconnect(page, kind)
                await state(page, call="joined", mic="on", bot="present", heard="me", error="")
                await server_has(livekit_url, room, False)
                await answered(page)
                await state(page, audio="playing")
                await level(page, "botLevel", f"> {LOUD}")
                assert await page.locator("#sound audio").count() == 1

    run(scenario())


def test_after_a_crash_of_the_server_the_next_turn_is_answered(
    livekit_server: LiveKitServer, room: str, words: Path
) -> None:
    url = livekit_server.url

    async def scenario() -> None:
        async with (
            Node(url, room, mock_reply="tone:0.3"),
            chromium([*ALLOWED, *microphone(words)]) as browser,
            opened(browser, as_file(token=token("me", room), room=room, url=url)) as page,
        ):
            await page.click("#join")
            await state(page, call="joined", mic="on", heard="me")
            await asyncio.to_thread(livekit_server.kill)
            await state(page, call="reconnecting", state="idle")
            await expect(page.locator("#state")).to_have_text("Reconnecting")
            await asyncio.to_thread(livekit_server.start)
            await state(page, call="joined", mic="on", bot="present", heard="me", error="")
            await server_has(url, room, False)
            await answered(page)

    run(scenario())


@pytest.mark.parametrize("scenario_name", ["full-reconnect", "node-failure", "signal-reconnect"])
def test_who_was_muted_stays_muted(livekit_url: str, room: str, hum: Path, scenario_name: str) -> None:
    async def scenario() -> None:
        async with beside_bot(livekit_url, room, hum) as (page, bot):
            await page.click("#join")
            await state(page, call="joined", mic="on")
            await page.click("#mic")
            await state(page, mic="muted")
            await reconnect(page, scenario_name)
            await state(page, call="joined", mic="muted", bot="present", state="unheard")
            await server_has(livekit_url, room, True)
            bot.heard.clear()
            await page.click("#mic")
            await state(page, mic="on", state="listening")
            await server_has(livekit_url, room, False)
            await bot.heard.wait()

    run(scenario())


def test_who_mutes_while_the_server_is_away_is_muted_when_it_is_back(
    livekit_server: LiveKitServer, room: str, hum: Path
) -> None:
    url = livekit_server.url

    async def scenario() -> None:
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            opened(browser, as_file(token=token("me", room), room=room, url=url)) as page,
        ):
            await page.click("#join")
            await state(page, call="joined", mic="on")
            await asyncio.to_thread(livekit_server.kill)
            await state(page, call="reconnecting")
            await page.click("#mic")
            await state(page, mic="muted")
            await asyncio.to_thread(livekit_server.start)
            await state(page, call="joined", mic="muted")
            await server_has(url, room, True)

    run(scenario())


def test_a_server_that_says_goodbye_ends_the_call_and_it_can_be_joined_again(
    livekit_url: str, room: str, hum: Path
) -> None:
    async def scenario() -> None:
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            await page.click("#join")
            await state(page, call="joined", mic="on")
            await page.evaluate("call.room.simulateScenario('server-leave')")
            await state(page, call="idle", state="idle", mic="off", error="server-stopped")
            await page.click("#join")
            await state(page, call="joined", mic="on", error="")
            await server_has(livekit_url, room, False)

    run(scenario())


# ---------------------------------------------------------------- what goes wrong in the page itself

BREAK = """() => {
  const broken = () => { throw new Error("broken on purpose"); };
  for (const name of ["bot", "mic", "audio", "message", "news"]) on[name] = broken;
  Meter = broken;
}"""


def test_an_error_of_the_page_is_said_and_does_not_reach_the_sdk(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with beside_bot(livekit_url, room, hum) as (page, bot):
            await page.click("#join")
            await state(page, call="joined", mic="on", error="")
            await page.evaluate(BREAK)
            bot.heard.clear()
            async with page.expect_console_message(lambda line: "broken on purpose" in line.text):
                await reconnect(page, "full-reconnect")
            await state(page, call="joined", error="page-failed")
            await expect(page.get_by_role("alert")).to_contain_text("broken on purpose")
            await server_has(livekit_url, room, False)
            await bot.heard.wait()

    run(scenario())


# Each handler that the page has given to the SDK, called with nothing: most of them fail, and none may throw.
CALL_ALL = """() => {
  const track = call.microphone.track;
  const thrown = [];
  let called = 0;
  for (const emitter of [call.room, call.room.localParticipant, track]) {
    for (const event of emitter.eventNames()) {
      for (const handler of emitter.listeners(event)) {
        if (!window.ours.has(handler.listener ?? handler)) continue;
        called += 1;
        try { handler(); } catch (error) { thrown.push(`${event}: ${error}`); }
      }
    }
  }
  return { called, thrown };
}"""
# The page's own scripts register by `on` of the SDK's emitters while `new Call` or a handler of it runs.
NOTE_OURS = """async () => {
  const { Room } = await loadSdk();
  window.ours = new Set();
  const emitter = Object.getPrototypeOf(Room.prototype);
  for (const name of ["on", "once", "addListener"]) {
    const before = emitter[name];
    emitter[name] = function (event, handler) {
      const callers = new Error().stack.split("\\n").slice(2, 4).join();
      if (/js\\/(call|microphone|page)\\.js/.test(callers)) window.ours.add(handler);
      return before.call(this, event, handler);
    };
  }
}"""


def test_no_handler_of_the_page_throws_into_the_sdk(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room),
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            await page.evaluate(NOTE_OURS)
            await page.click("#join")
            await state(page, call="joined", mic="on", bot="present")
            await page.evaluate("() => { for (const name in on) on[name] = () => { throw new Error('broken'); }; }")
            found = await page.evaluate(CALL_ALL)
            assert found["called"] >= 10
            assert found["thrown"] == []

    run(scenario())
