"""The client page in a real Chromium, in a real room, with a bot whose events are written here."""

from __future__ import annotations

import asyncio
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from livekit import api
from playwright.async_api import Browser, Page, Route, expect

from tests.e2e.browser import ALLOWED, NO_NETWORK, chromium, microphone, write_hum
from tests.e2e.fake_bot import FakeBot, token
from webapi.voice_node.config import load_settings
from webapi.voice_node.web import STATIC, WebServer

pytestmark = pytest.mark.e2e

SDK = STATIC / "vendor" / "livekit-client.umd.js"
LOUD, SILENT = 0.05, 0.002  # RMS; the tone has 0.21
Scenario = Callable[[], Awaitable[None]]


@pytest.fixture
def room() -> str:
    return f"page-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def hum(tmp_path: Path) -> Path:
    return write_hum(tmp_path / "caller.wav")


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 100))


# ---------------------------------------------------------------- how the page is come by


def as_file(**fragment: str) -> str:
    return f"{(STATIC / 'client.html').as_uri()}#{urlencode(fragment)}"


@asynccontextmanager
async def served(livekit_url: str, room: str, static: Path = STATIC) -> AsyncIterator[str]:
    settings = load_settings(env_file=None, livekit_url=livekit_url, lk_room=room, web_port=0)
    server = WebServer(settings, static=static)
    try:
        yield await server.start()
    finally:
        await server.stop()


@asynccontextmanager
async def opened(browser: Browser, address: str) -> AsyncIterator[Page]:
    """The page, ready; what it complains of on the console in the end fails the test."""
    page = await browser.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda line: failures.append(line.text) if "Content Security" in line.text else None)
    await page.goto(address)
    await page.wait_for_selector("#app[data-ready]")
    yield page
    assert failures == []
    await page.close()


async def state(page: Page, **attributes: str | int) -> None:
    """Wait for the page's machine-readable state."""
    wanted = "".join(f'[data-{name.replace("_", "-")}="{value}"]' for name, value in attributes.items())
    await expect(page.locator(f"#app{wanted}")).to_be_attached(timeout=30_000)


async def until(page: Page, condition: str) -> None:
    """Wait for a condition in JavaScript. (Playwright's wait_for_function is an eval, which the page's CSP forbids.)"""
    look = f"const look = () => {condition} ? done() : setTimeout(look, 20); look();"
    await asyncio.wait_for(page.evaluate(f"() => new Promise((done) => {{ {look} }})"), 30)


async def level(page: Page, name: str, condition: str) -> None:
    await until(page, f"Number(document.getElementById('app').dataset.{name}) {condition}")


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
            )
            await state(page, turns=1)
            cells = await page.locator("#turn-rows tr").first.locator("th, td").all_inner_texts()
            assert cells == ["1", "barged in", "250 ms", "2350 ms", "1.9 s", "1.9 s", "120 ms"]
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
            await bot.alone.wait()
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


# ---------------------------------------------------------------- what goes wrong is said


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


# ---------------------------------------------------------------- for everyone


def test_it_can_be_used_without_a_mouse_and_read_aloud(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room),
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            reached = []
            for _ in range(4):
                await page.keyboard.press("Tab")
                reached.append(await page.evaluate("document.activeElement.id"))
            assert reached == ["room", "url", "token", "join"]
            await page.keyboard.press("Enter")
            await state(page, call="joined")
            assert await page.evaluate("document.activeElement.id") == "leave"  # the focus is not lost
            await page.keyboard.press("Enter")
            await state(page, call="idle")
            assert await page.evaluate("document.activeElement.id") == "join"
            tree = await page.locator("body").aria_snapshot()
            for line in (
                'form "Room"',
                'textbox "Room"',
                'textbox "Server"',
                'textbox "Token"',
                'button "Join"',
                'img "Moving timeline',
                "table",
                "alert",
                "status",
            ):
                assert line in tree, tree
            assert await page.get_by_role("meter", name="You").count() == 1
            assert await page.get_by_role("meter", name="Bot").count() == 1

    run(scenario())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: str) -> None:
    """WCAG AA: 4.5 for text, 3 for the edges of fields and for what the timeline draws."""
    css = (STATIC / "client.css").read_text()
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in css.split("@media", 2)[:2])
    colour = {**light, **dark} if scheme == "dark" else light
    text = [("text", "card"), ("text", "ground"), ("muted", "card"), ("muted", "ground"), ("text", "cut-soft")]
    text += [("text", "caller-soft"), ("cut", "card"), ("cut-text", "cut"), ("primary-text", "primary")]
    shapes = [("edge", "card"), ("caller", "card"), ("bot", "card"), ("caller", "caller-soft"), ("bot", "bot-soft")]
    for pairs, least in ((text, 4.5), (shapes, 3.0)):
        for front, back in pairs:
            assert contrast(colour[front], colour[back]) >= least, (scheme, front, back)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two #rrggbb colours, 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


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
