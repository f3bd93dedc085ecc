"""The pages for everyone: with a keyboard, read aloud, in light and dark, on a small screen."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.e2e.browser import ALLOWED, NO_NETWORK, chromium, microphone
from tests.e2e.fake_bot import FakeBot, token
from tests.e2e.page import as_file, opened, run, state
from tests.replay.test_wav_replay import run as voice_node
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.node.web import STATIC

pytestmark = pytest.mark.e2e

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"  # python scripts/get_client_library.py --must
STRICTER = ("color-contrast-enhanced",)  # than WCAG's AA, which is what the pages are held to


async def violations(page: Page) -> list[str]:
    """What axe-core has against the page as it is now, by all of its rules, the experimental ones too."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = await page.evaluate(
        """async (stricter) => {
          const wanted = (rule) => [rule.ruleId, { enabled: !stricter.includes(rule.ruleId) }];
          const rules = Object.fromEntries(axe.getRules().map(wanted));
          return (await axe.run(document, { rules })).violations;
        }""",
        STRICTER,
    )
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


# What a call leaves on the page, without a room.
FILLED = """() => {
  on.call("joined");
  on.bot(true);
  on.mic("failed", new Trouble("mic-denied"));
  on.audio("blocked");
  on.message({ event: "listening_to", identity: "me" });
  on.message({ event: "speech_started", t: 1, session_id: "s", trace_id: "a", turn_index: 0 });
  const names = ["endpointing", "node", "speech_to_text", "looked_up"];
  const parts = names.map((name) => ({ name, ms: 90, setting: "with: stt" }));
  const turn = { event: "turn", turn_index: 0, outcome: "completed", latency_speech_end_to_first_bot_chunk_ms: 250 };
  on.message({ ...turn, caller_wait_ms: 450, parts });
  const words = { event: "transcript", t: 2, session_id: "s", trace_id: "a", turn_index: 0 };
  on.message({ ...words, speaker: "caller", text: "A table, please.", final: true });
  on.message({ ...words, speaker: "bot", text: "Of course. For how many?", final: true });
  on.message({ ...words, event: "heard_text", text: "Of course." });
  on.message({ ...words, trace_id: "b", speaker: "caller", text: "for", final: false });
  on.message({ ...words, event: "message_sent", message: { table: 4 } });
  on.message({ event: "hung_up", t: 3, session_id: "s", trace_id: "a", turn_index: 0, reason: "booked" });
}"""


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_client_page(scheme: str, width: int) -> None:
    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, as_file()) as page:
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            await page.set_viewport_size({"width": width, "height": 900})
            assert await violations(page) == []
            await page.evaluate(FILLED)
            assert await violations(page) == []

    run(scenario())


def test_axe_finds_nothing_in_the_timeline_page(tmp_path: Path) -> None:
    write_wav(tmp_path / "call.wav", silence(0.5) + vowel(1) + silence(2), 48_000)
    assert voice_node("replay", tmp_path / "call.wav", "--out", tmp_path / "out", "--set", "VAD_BACKEND=webrtc") == 0

    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser:
            page = await browser.new_page()
            await page.goto((tmp_path / "out" / "timeline.html").as_uri())
            await page.wait_for_selector("body[data-ready]")
            assert await page.locator("#turn-rows tr").count() == 1
            assert await violations(page) == []

    run(scenario())


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
                'log "Conversation"',
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


def test_the_parts_of_the_wait_differ_in_lightness() -> None:
    css, script = (STATIC / "client.css").read_text(), (STATIC / "js" / "words.js").read_text()
    names = re.findall(r"^  (\w+):", script.partition("const PARTS = {")[2].partition("}")[0], re.MULTILINE)
    assert len(names) == 7
    names += ["other-part-1", "other-part-2", "other-part-3"]
    colours = [re.findall(rf"--{name}: (#\w{{6}});", css) for name in names]
    assert all(len(found) == 1 for found in colours)  # in both schemes the same
    ratios = sorted(contrast(found[0], "#000000") for found in colours)
    assert all(brighter / darker >= 1.08 for darker, brighter in itertools.pairwise(ratios)), ratios


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two #rrggbb colours, 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)
