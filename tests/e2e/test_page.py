"""The client page in a real Chromium, in a real room, with a bot whose events are written here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.e2e.browser import ALLOWED, NO_NETWORK, chromium, microphone
from tests.e2e.fake_bot import FakeBot, token
from tests.e2e.page import LOUD, SILENT, as_file, level, opened, run, served, state, until
from webapi.voice_node.node.web import STATIC

pytestmark = pytest.mark.e2e

SDK = STATIC / "vendor" / "livekit-client.umd.js"


# ---------------------------------------------------------------- a call


def test_a_call_from_join_to_barge_in(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with (
            served(livekit_url, room) as address,
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room) as bot,
            opened(browser, address) as page,
        ):
            assert await page.input_value("#room") == room
            await state(page, call="idle", state="idle")
            await page.click("#join")
            await state(page, call="joined", state="listening", mic="on", bot="present", audio="playing")
            await bot.heard.wait()
            await level(page, "callerLevel", f"> {LOUD}")
            await level(page, "botLevel", f"< {SILENT}")

            first: dict[str, object] = {"turn_index": 0, "trace_id": "a"}
            await bot.send("speech_started", t=1.0, t_first_voiced=0.9, **first)
            await state(page, state="hearing")
            await bot.send("speech_ended", t=3.0, t_last_voiced=2.8, reason="silence", **first)
            await state(page, state="thinking")
            await bot.send("reply_started", t=3.0, **first)
            bot.loud = True
            await bot.send("playback_started", t=3.25, **first)
            await state(page, state="speaking")
            await level(page, "botLevel", f"> {LOUD}")

            second: dict[str, object] = {"turn_index": 1, "trace_id": "b"}
            await bot.send("speech_started", t=5.1, t_first_voiced=5.0, **second)
            await bot.send("barge_in", t=5.1, t_first_voiced=5.0, by="b", **first)
            bot.loud = False
            await bot.send("reply_cut", t=5.1, outcome="barged_in", **first)
            await bot.send("playback_ended", t=5.1, heard_ms=1850, completed=False, **first)
            await state(page, state="hearing", barge_ins=1)
            await expect(page.locator("#barge")).to_contain_text("1 barge-in so far")
            await level(page, "botLevel", f"< {SILENT}")
            await bot.send(
                "turn",
                turn_index=0,
                outcome="barged_in",
                latency_speech_end_to_first_bot_chunk_ms=250.4,
                latency_user_to_first_bot_chunk_ms=2350,
                vad_speech_ms=1900,
                heard_ms=1850,
                barge_in_stop_ms=120,
                caller_wait_ms=450.4,
            )
            await state(page, turns=1)
            cells = await page.locator("#turn-rows tr").first.locator("th, td").all_inner_texts()
            assert cells == ["0", "barged in", "450 ms", "250 ms", "2350 ms", "1.9 s", "1.9 s", "120 ms"]
            assert await page.inner_text("#last-wait") == "450 ms"
            assert await page.inner_text("#last-reply") == "250 ms"
            names = await page.locator("#event-rows li").evaluate_all("rows => rows.map(r => r.dataset.event)")
            assert names[::-1] == [
                "speech_started",
                "speech_ended",
                "reply_started",
                "playback_started",
                "speech_started",
                "barge_in",
                "reply_cut",
                "playback_ended",
            ]

            await page.click("#leave")
            await bot.caller_left.wait()
            await state(page, call="idle", state="idle", error="")

    run(scenario())


def test_opened_as_a_file_it_joins_with_the_fragment(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        address = as_file(token=token("me", room), room=room, url=livekit_url)
        async with (
            chromium([*ALLOWED, *NO_NETWORK, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room) as bot,
            opened(browser, address) as page,
        ):
            assert page.url == as_file().rstrip("#")  # the token is out of the address bar
            bot.loud = True
            await page.click("#join")
            await state(page, call="joined", state="listening", mic="on")
            await bot.heard.wait()
            await level(page, "botLevel", f"> {LOUD}")

    run(scenario())


def test_the_timeline_paints_speech_reply_and_barge_in(livekit_url: str, room: str, hum: Path) -> None:
    """Each colour of the legend is seen on the canvas once there is something to show with it."""

    async def colours(page: Page) -> set[str]:
        seen = await page.evaluate(
            """() => {
              const canvas = document.getElementById("timeline");
              const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
              const seen = {};
              const probe = document.createElement("canvas").getContext("2d");
              for (const name of ["caller-soft", "bot-soft", "cut"]) {
                probe.fillStyle = getComputedStyle(canvas).getPropertyValue("--" + name);
                const [r, g, b] = [1, 3, 5].map((i) => parseInt(probe.fillStyle.slice(i, i + 2), 16));
                for (let i = 0; i < data.length; i += 4)
                  if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) seen[name] = true;
              }
              return Object.keys(seen);
            }"""
        )
        return set(seen)

    async def scenario() -> None:
        address = as_file(token=token("me", room), room=room, url=livekit_url)
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room) as bot,
            opened(browser, address) as page,
        ):
            await page.click("#join")
            await state(page, state="listening")
            assert await colours(page) == set()
            first: dict[str, object] = {"turn_index": 0, "trace_id": "a"}
            await bot.send("speech_started", t=1.0, t_first_voiced=0.5, **first)
            await bot.send("speech_ended", t=2.0, t_last_voiced=1.8, **first)
            await bot.send("playback_started", t=2.2, **first)
            await bot.send("barge_in", t=3.0, by="b", **first)
            await state(page, barge_ins=1)
            while await colours(page) != {"caller-soft", "bot-soft", "cut"}:
                await state(page, barge_ins=1)  # until the next frames are painted; `run` ends a wait that is in vain

    run(scenario())


def test_two_pages_do_not_show_each_other_out(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with (
            served(livekit_url, room) as address,
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room),
            opened(browser, address) as page,
            opened(browser, address) as other,
        ):
            for each in (page, other):
                await each.click("#join")
                await state(each, call="joined", mic="on", bot="present")
            await page.click("#mic")
            await state(page, call="joined", mic="muted", error="")

    run(scenario())


def test_muting_and_listening_only(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with chromium([*ALLOWED, *microphone(hum)]) as browser, FakeBot(livekit_url, room):
            async with opened(browser, as_file(token=token("a", room), room=room, url=livekit_url)) as page:
                await page.click("#join")
                await state(page, mic="on")
                await level(page, "callerLevel", f"> {LOUD}")
                await page.click("#mic")
                await state(page, mic="muted")
                await level(page, "callerLevel", f"< {SILENT}")
                await page.click("#mic")
                await state(page, mic="on")
                await level(page, "callerLevel", f"> {LOUD}")
            quiet = token("b", room, speak=False)
            async with opened(browser, as_file(token=quiet, room=room, url=livekit_url)) as page:
                await page.click("#join")
                await state(page, call="joined", mic="refused", error="")
                await expect(page.locator("#mic")).to_be_hidden()

    run(scenario())


# ---------------------------------------------------------------- where livekit-client comes from


def test_without_a_local_copy_the_library_is_the_cdns(livekit_url: str, room: str, tmp_path: Path) -> None:
    """The CDN answers with the npm package's file, which proves the integrity hash; then with another; then not."""
    static = tmp_path / "static"
    shutil.copytree(STATIC, static, ignore=shutil.ignore_patterns("vendor"))
    library = SDK.read_bytes()

    async def cdn(page: Page, body: bytes) -> None:
        async def answer(route: Route) -> None:
            await route.fulfill(body=body, content_type="text/javascript", headers={"Access-Control-Allow-Origin": "*"})

        await page.route("https://cdn.jsdelivr.net/**", answer)

    async def scenario() -> None:
        async with served(livekit_url, room, static) as address, chromium(NO_NETWORK) as browser:
            page = await browser.new_page()
            await cdn(page, library)
            await page.goto(address)
            await until(page, "window.LivekitClient !== undefined")
            await cdn(page, library + b"\n// not what was hashed")
            await page.goto(address)
            await state(page, error="sdk")
            await page.unroute_all()
            await page.goto(address)
            await state(page, error="sdk")
            await expect(page.get_by_role("alert")).to_contain_text("LiveKit client library could not be loaded")

    run(scenario())
