"""The timeline page in a real Chromium, opened as a file: it plays, can be steered, and asks nobody for anything."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser import NO_NETWORK, chromium
from tests.replay.test_marble_words import replayed
from tests.replay.test_wav_replay import run as voice_node
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.replay.timeline.write import write_timeline

pytestmark = pytest.mark.e2e

TALK = silence(0.5) + vowel(1) + silence(1.5) + vowel(0.8) + silence(2)
PLAYS = "--autoplay-policy=no-user-gesture-required"
HOSTILE = "<script>document.title='pwned'<!--<img src=x onerror=alert(1)>'\".wav"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a replay of a recording with a hostile name wrote."""
    path = tmp_path_factory.mktemp("timeline")
    write_wav(path / HOSTILE, TALK, 48_000)
    settings = ("MOCK_REPLY=tone:2", "VAD_BACKEND=webrtc")
    told = [argument for setting in settings for argument in ("--set", setting)]
    assert voice_node("replay", path / HOSTILE, "--out", path / "out", *told) == 0
    return path / "out"


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 100))


@asynccontextmanager
async def opened(browser: Browser, file: Path, *, scheme: str = "light", width: int = 1200) -> AsyncIterator[Page]:
    """The page; an error, a word on the console or a request for anything but itself and its mix fails the test."""
    context = await browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900}
    )
    page = await context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda line: failures.append(line.text))
    page.on("dialog", lambda dialog: failures.append(dialog.message))
    own = (file.as_uri(), file.with_name("mix.wav").as_uri(), "data:")
    page.on("request", lambda asked: None if asked.url.startswith(own) else failures.append(asked.url))
    await page.goto(file.as_uri())
    await expect(page.locator("body[data-ready]")).to_be_attached()
    yield page
    assert failures == []
    await context.close()


async def at(page: Page) -> float:
    """Where the page says that it is, in seconds."""
    position = await page.get_attribute("#position", "aria-valuenow")
    return float(position or "nan")


async def cursor(page: Page) -> float:
    """How far to the right the cursor stands, of the whole picture (which shows the whole call)."""
    return float(
        await page.evaluate(
            "() => { const box = (id) => document.getElementById(id).getBoundingClientRect();"
            " return (box('cursor').left + 1 - box('picture').left) / box('picture').width; }"
        )
    )


async def length(page: Page) -> float:
    return float(await page.evaluate("() => call.seconds"))


def test_it_plays_and_the_cursor_goes_with_the_sound(folder: Path) -> None:
    async def scenario() -> None:
        async with chromium([*NO_NETWORK, PLAYS]) as browser, opened(browser, folder / "timeline.html") as page:
            total = await length(page)
            await page.wait_for_function("() => mix.readyState > 0")
            assert await page.evaluate("() => mix.duration") == pytest.approx(total, abs=0.02)
            await page.keyboard.press("Space")
            await expect(page.locator("body[data-playing=true]")).to_be_attached()
            await expect(page.locator("#play")).to_have_text("Pause")
            await page.wait_for_function("() => player.at > 0.3")
            await page.keyboard.press("Space")
            await expect(page.locator("body[data-playing=false]")).to_be_attached()
            heard = await page.evaluate("() => mix.currentTime")
            assert await cursor(page) == pytest.approx(heard / total, abs=0.02)
            await page.keyboard.press("End")
            assert await cursor(page) == pytest.approx(1, abs=0.01)
            await page.click("#play")  # from the end it begins again
            await page.wait_for_function("() => player.at > 0.1 && player.at < 3")

    run(scenario())


def test_the_keys_and_the_mouse_seek(folder: Path) -> None:
    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, folder / "timeline.html") as page:
            total = await length(page)
            for key, where in (
                *(("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("Shift+ArrowRight", total)),
                *(("Home", 0), ("ArrowLeft", 0)),
            ):
                await page.keyboard.press(key)
                assert await at(page) == pytest.approx(min(where, total), abs=0.06)
                assert await cursor(page) == pytest.approx(min(where, total) / total, abs=0.01)
                assert await page.evaluate("() => mix.currentTime") == pytest.approx(min(where, total), abs=0.06)
            picture = await page.locator("#position").bounding_box()
            assert picture
            await page.mouse.click(picture["x"] + picture["width"] / 4, picture["y"] + 280)
            assert await at(page) == pytest.approx(total / 4, abs=0.1)

    run(scenario())


def test_an_event_says_what_it_was(folder: Path) -> None:
    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, folder / "timeline.html") as page:
            barge = page.locator("#marks b.cut", has_text="B")
            await barge.hover()
            await expect(page.locator("#tip")).to_contain_text("Barge-in, turn 0")
            await expect(page.locator("#tip")).to_contain_text("t_first_voiced")
            await barge.click()
            t = await page.evaluate("() => call.events.find((event) => event.event === 'barge_in').t")
            assert await at(page) == pytest.approx(t, abs=0.06)
            await page.keyboard.press("Escape")
            await expect(page.locator("#tip")).to_be_hidden()
            await page.keyboard.press("Home")
            await page.keyboard.press("n")
            await expect(page.locator("#said")).to_contain_text("Speech started, turn 0")
            await expect(page.locator("#tip")).to_contain_text("speech_started")
            await page.keyboard.press("n")
            await expect(page.locator("#said")).to_contain_text("Speech ended, turn 0")
            await page.keyboard.press("p")
            await expect(page.locator("#said")).to_contain_text("Speech started, turn 0")

    run(scenario())


def test_the_turns_are_a_table_that_seeks(folder: Path) -> None:
    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, folder / "timeline.html") as page:
            rows = page.locator("#turn-rows tr")
            assert await rows.count() == 2
            await expect(rows.nth(0)).to_contain_text("barged in")
            await expect(rows.nth(0)).to_contain_text("100 ms")
            turn = page.get_by_role("button", name="Turn 1, go to")
            await turn.focus()
            await page.keyboard.press("Enter")
            start = await page.evaluate("() => call.turns[1].start")
            assert await at(page) == pytest.approx(start, abs=0.06)
            await expect(rows.nth(1)).to_have_class("on")
            await expect(turn).to_be_focused()  # who uses the keyboard stays there
            await rows.nth(0).click()
            await expect(page.get_by_role("slider", name="Position in the call")).to_be_focused()

    run(scenario())


def test_zoom_and_one_side_alone(folder: Path) -> None:
    async def scenario() -> None:
        async with chromium([*NO_NETWORK, PLAYS]) as browser, opened(browser, folder / "timeline.html") as page:
            assert await page.is_disabled("#out")
            await page.keyboard.press("+")
            await expect(page.locator("#out")).to_be_enabled()
            total = await length(page)
            assert await page.evaluate("() => view.span") == pytest.approx(total / 2)
            await page.keyboard.press("End")  # the view goes along
            assert await page.evaluate("() => view.end") == pytest.approx(total)
            await page.click("#whole")
            await expect(page.locator("#out")).to_be_disabled()
            # Alone, the bot is loud on both ears while it speaks, and silent while only the caller does.
            await page.get_by_role("radio", name="bot", exact=True).check(force=True)
            assert await page.evaluate(LOUDNESS, [0.6, 0.6]) < 0.001
            t = await page.evaluate("() => call.playback[0][0]")
            assert await page.evaluate(LOUDNESS, [t, 0.5]) > 0.05

    run(scenario())


LOUDNESS = """async ([from, seconds]) => {
  const listener = player.context.createAnalyser();
  player.out.connect(listener);
  player.seek(from);
  await player.audio.play();
  let loudest = 0;
  const samples = new Float32Array(listener.fftSize);
  while (player.at < from + seconds) {
    await new Promise((done) => requestAnimationFrame(done));
    listener.getFloatTimeDomainData(samples);
    if (player.at > from + 0.2) loudest = Math.max(loudest, ...samples.map(Math.abs)); // what was before has passed
  }
  player.audio.pause();
  return loudest;
}"""


def test_a_hostile_name_is_only_shown(folder: Path) -> None:
    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, folder / "timeline.html") as page:
            await expect(page.locator("#name")).to_have_text(HOSTILE)
            assert await page.title() == f"{HOSTILE}: timeline"
            assert await page.locator("img").count() == 0

    run(scenario())


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_in_both_schemes(folder: Path, scheme: str, width: int) -> None:
    async def scenario() -> None:
        async with (
            chromium(NO_NETWORK) as browser,
            opened(browser, folder / "timeline.html", scheme=scheme, width=width) as page,
        ):
            assert await page.evaluate("() => document.documentElement.scrollWidth") <= width
            ground = await page.evaluate("() => getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(14, 17, 23)") == (scheme == "dark")

    run(scenario())


def test_a_mix_beside_the_page_is_played_from_there(folder: Path, tmp_path: Path) -> None:
    html = (folder / "timeline.html").read_text()
    start = html.index('<audio id="mix"')
    end = html.index("</audio>", start)
    without = html[:start] + '<audio id="mix" preload="auto" src="mix.wav">' + html[end:]
    (tmp_path / "timeline.html").write_text(without.replace('"audio":"inside"', '"audio":"beside"'))
    shutil.copy(folder / "mix.wav", tmp_path)

    async def scenario() -> None:
        async with chromium([*NO_NETWORK, PLAYS]) as browser:
            async with opened(browser, tmp_path / "timeline.html") as page:
                await expect(page.locator("#note")).to_contain_text("mix.wav beside it")
                await expect(page.locator("#channel")).to_be_hidden()
                await page.click("#play")
                await page.wait_for_function("() => player.at > 0.2")
            (tmp_path / "mix.wav").unlink()
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto((tmp_path / "timeline.html").as_uri())
            await expect(page.locator("#note")).to_have_text(
                "mix.wav is not beside this page, so there is nothing to hear."
            )
            await expect(page.locator("#play")).to_be_disabled()
            await page.keyboard.press("ArrowRight")
            assert await at(page) == pytest.approx(1, abs=0.06)
            await context.close()

    run(scenario())


def test_words_and_waits_are_shown(tmp_path: Path) -> None:
    result = replayed(tmp_path, "Talkative")
    for event in result.events:
        if event["event"] == "transcript" and event["speaker"] == "caller":
            event["text"] = HOSTILE
    write_wav(tmp_path / "mix.wav", bytes(8 * 16_000 * 4), 16_000, channels=2)
    write_timeline(tmp_path, result)
    parts = result.metrics[0]["parts"]

    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, tmp_path / "timeline.html") as page:
            rows = page.locator("#word-rows li")
            assert await rows.count() == 4
            await expect(rows.nth(0)).to_contain_text(HOSTILE)
            struck = rows.nth(1).locator("s")
            await expect(struck).to_contain_text("please?")
            assert await struck.evaluate("each => getComputedStyle(each).textDecorationLine") == "line-through"
            await rows.nth(2).locator("button").click()
            await expect(page.locator("#turn-rows tr").nth(1)).to_have_class("on")
            bar = page.locator("#turn-rows tr").nth(0).locator(".bar")
            await expect(bar).to_have_attribute(
                "aria-label", re.compile(", ".join(rf"{p['name']} \d+ ms" for p in parts))
            )
            widths = await bar.locator("i").evaluate_all("all => all.map(each => each.getBoundingClientRect().width)")
            assert len(widths) > 1
            scale = widths[0] / parts[0]["ms"]
            assert widths == pytest.approx([part["ms"] * scale for part in parts], abs=0.5)
            assert await page.title() == "talk.wav: timeline"

    run(scenario())


def test_letters_that_few_calls_have_are_explained_where_they_stand(folder: Path, tmp_path: Path) -> None:
    about = {"turn_index": 0, "trace_id": "t", "heard_ms": 100}
    result = replayed(tmp_path, "Talkative")
    result.events = [
        {"event": "playback_started", "t": 1.0, **about},
        {"event": "playback_ducked", "t": 1.2, **about},
        {"event": "playback_restored", "t": 1.4, **about},
        {"event": "playback_ducked", "t": 1.6, **about},
        {"event": "playback_ended", "t": 1.8, "completed": True, **about},
    ]
    shutil.copy(folder / "mix.wav", tmp_path)
    write_timeline(tmp_path, result)

    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser:
            async with opened(browser, folder / "timeline.html") as page:
                letters = page.locator("#legend b")
                await expect(letters).to_have_text(["S", "E", "B", "U", "▸"])
            async with opened(browser, tmp_path / "timeline.html") as page:
                letters = page.locator("#legend b")
                await expect(letters).to_have_text(["S", "E", "B", "U", "▸", "V", "L"])
                await expect(page.locator("#legend")).to_contain_text("playback is soft: a voice")
                await expect(page.locator("#legend")).to_contain_text("playback is loud again")

    run(scenario())
