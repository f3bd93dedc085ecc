"""A whole call from a real Chromium, through the page that the node itself serves, with a WAV for a microphone."""

from __future__ import annotations

import itertools
import wave
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.browser import ALLOWED, NO_NETWORK, chromium, microphone
from tests.e2e.caller import RATE_HZ
from tests.e2e.output_checks import KEY_EVENTS, check_line
from tests.e2e.page import LOUD, SILENT, level, opened, state, until
from tests.e2e.process import NodeProcess
from tests.e2e.retries import Retries
from tests.e2e.rooms import run
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Something said, the reply talked over, and the next one left alone; again and again."""
    path = tmp_path / "caller.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(silence(1) + vowel(0.8) + silence(1.2) + vowel(1.5) + silence(4))
    return path


SHOWN = ("speech_started", "speech_ended", "playback_started", "barge_in", "playback_ended")

# Remembers each state of the bot that the page showed, however short, and what it measured of the bot meanwhile.
REMEMBER = """() => {
window.shown = [];
window.quietAfterBargeIn = false;
new MutationObserver(() => {
  const seen = document.getElementById("app")?.dataset;
  if (!seen) return;
  if (seen.state !== window.shown.at(-1)) window.shown.push(seen.state);
  if (Number(seen.bargeIns) > 0 && seen.state === "hearing" && Number(seen.botLevel) < SILENT)
    window.quietAfterBargeIn = true;
}).observe(document, { subtree: true, attributes: true, childList: true });
}""".replace("SILENT", str(SILENT))


def test_a_caller_in_a_browser_hears_the_reply_and_talks_over_it(
    livekit_url: str, room: str, tmp_path: Path, words: Path, retries: Retries
) -> None:
    async def scenario() -> None:
        settings = {"MOCK_REPLY": "tone:2", "MOCK_THINK_MS": 300}  # so long that thinking is seen
        async with NodeProcess(tmp_path, livekit_url, room, **settings) as node:
            assert node.page.startswith("http://localhost:")

            async def call() -> None:
                turns, calls = len(node.metrics), len(node.logged("call_ended"))
                async with (
                    chromium([*ALLOWED, *NO_NETWORK, *microphone(words)]) as browser,
                    opened(browser, node.page.partition("#")[0]) as page,
                ):
                    await page.evaluate(REMEMBER)
                    assert await page.input_value("#room") == room  # the node has filled the fields in
                    await page.click("#join")
                    await state(page, call="joined", mic="on", bot="present", audio="playing")
                    await level(page, "botLevel", f"> {LOUD}")
                    await until(page, "Number(document.getElementById('app').dataset.bargeIns) > 0")
                    await until(page, "window.quietAfterBargeIn")
                    for outcome in ("barged in", "completed"):
                        row = page.locator("#turn-rows tr", has_text=outcome)
                        await expect(row).not_to_have_count(0, timeout=30_000)
                    shown = await page.evaluate("window.shown")
                    assert {"listening", "hearing", "thinking", "speaking"} <= set(shown)
                    for event in SHOWN:
                        await expect(page.locator(f'#event-rows li[data-event="{event}"]')).not_to_have_count(0)
                    await expect(page.locator("#barge")).to_contain_text("barge-in")
                    await page.click("#leave")
                    await state(page, call="idle", error="")
                await node.until(lambda: len(node.logged("call_ended")) > calls, "the call over")
                outcomes = [line["outcome"] for line in node.metrics[turns:]]
                assert ("barged_in", "completed") in itertools.pairwise(outcomes)

            await retries.run("a call", call)
        assert {line["event"] for line in node.log} >= KEY_EVENTS
        assert not any(line["echo"] for line in node.logged("subscribe"))  # a browser cancels it, and says so
        for line in node.metrics:
            check_line(line, room)

    run(scenario())
