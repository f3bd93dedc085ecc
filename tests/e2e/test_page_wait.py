"""The client page shows how long the caller waits, and what the wait went into."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser import NO_NETWORK, chromium
from tests.e2e.page import as_file, opened, run

pytestmark = pytest.mark.e2e

PARTS = [
    {"name": "endpointing", "ms": 200, "owner": "node", "setting": "VAD_SPEECH_END_FRAMES"},
    {"name": "node", "ms": 0.3, "owner": "node", "setting": None},
    {"name": "speech_to_text", "ms": 150.4, "owner": "orchestrator", "setting": "with: stt"},
    {"name": "looked_up", "ms": 40, "owner": "orchestrator", "setting": None},
    {"name": "node", "ms": 0.4, "owner": "node", "setting": None},
]


async def told(page: Page, wait: float | None, parts: object, **fields: Any) -> None:
    """Give the page the line of a turn, as if it came from the room."""
    turn = {"event": "turn", "turn_index": 0, "caller_wait_ms": wait, "parts": parts, **fields}
    await page.evaluate("(turn) => on.message(turn)", turn)


def test_the_wait_and_its_parts_are_shown() -> None:
    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, as_file()) as page:
            assert await page.inner_text("#median-wait") == "–"
            for wait in (300, 500.4, 391.1):
                await told(page, wait, PARTS)
            await told(page, None, None, prompt="hello.wav")
            assert await page.inner_text("#median-wait") == "391 ms"
            assert await page.inner_text("#last-wait") == "391 ms"
            rows = await page.locator("#wait-parts li").all_inner_texts()
            assert [" ".join(row.split()) for row in rows] == [
                "Detecting your pause 200 ms VAD_SPEECH_END_FRAMES",
                "The node itself < 1 ms",
                "Speech to text 150 ms with: stt",
                "looked up 40 ms",
            ]
            grow = await page.locator("#wait-bar i").evaluate_all("all => all.map((i) => Number(i.style.flexGrow))")
            assert grow == [part["ms"] for part in PARTS]
            colour = "all => all.map((i) => getComputedStyle(i).backgroundColor)"
            bar = await page.locator("#wait-bar i").evaluate_all(colour)
            assert bar[1] == bar[4]
            assert await page.locator("#wait-parts i").evaluate_all(colour) == bar[:4]
            assert len(set(bar)) == 4
            assert await page.locator("#turn-rows tr").nth(1).locator("td").nth(1).inner_text() == "391 ms"

    run(scenario())


def test_parts_that_are_none_are_left_out() -> None:
    bad = [None, 1, {}, {"name": 7, "ms": 1}, {"name": "x", "ms": -1}, {"name": "y", "ms": "1"}]

    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, as_file()) as page:
            for parts in (bad, "parts", None, {"name": "x"}):
                await told(page, 300, parts)
                assert await page.inner_text("#last-wait") == "300 ms"
                await expect(page.locator("#wait-bar")).to_be_hidden()
            await told(page, 300, [{"name": "toString", "ms": 300}])
            assert (await page.locator("#wait-parts li").inner_text()).split() == ["toString", "300", "ms"]

    run(scenario())
