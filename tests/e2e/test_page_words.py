"""The client page shows what is said, and what of it was not heard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser import ALLOWED, NO_NETWORK, chromium, microphone
from tests.e2e.fake_bot import token
from tests.e2e.node import Node
from tests.e2e.page import as_file, opened, run
from tests.e2e.telling_orchestrator import FINAL, INTERIM, SENTENCES, Telling
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav

pytestmark = pytest.mark.e2e

NOT_HEARD = "not heard: "


def words(text: str, trace: str = "a", *, speaker: str = "caller", final: bool = True) -> dict[str, object]:
    return {**event("transcript", trace), "text": text, "speaker": speaker, "final": final}


def heard(text: str, trace: str = "a") -> dict[str, object]:
    return {**event("heard_text", trace), "text": text}


def event(name: str, trace: str = "a", **fields: object) -> dict[str, object]:
    return {"event": name, "session_id": "s", "trace_id": trace, "t": 1.0, "turn_index": 0, **fields}


async def tell(page: Page, *messages: dict[str, Any]) -> None:
    """Give the page these messages, as if they came from the room."""
    await page.evaluate("(messages) => messages.forEach((message) => on.message(message))", messages)


async def lines(page: Page) -> list[str]:
    """The lines of the conversation, with what a screen reader gets besides."""
    found: list[str] = await page.locator("#talk-rows li").evaluate_all("all => all.map((row) => row.textContent)")
    return found


def in_the_page(*calls: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The lines after each call's messages, in a page without a room."""

    async def scenario() -> list[list[str]]:
        shown = []
        async with chromium(NO_NETWORK) as browser, opened(browser, as_file()) as page:
            for messages in calls:
                await page.evaluate("startAfresh()")
                await tell(page, *messages)
                shown.append(await lines(page))
        return shown

    return asyncio.run(asyncio.wait_for(scenario(), 100))


def test_a_caller_sees_what_is_said_and_what_was_not_heard(livekit_url: str, room: str, tmp_path: Path) -> None:
    """A real node: interim text, final text, the bot's sentences, a barge-in, the wait and its parts."""
    wav = tmp_path / "caller.wav"
    write_wav(wav, silence(1) + vowel(0.8) + silence(1.6) + vowel(1.5) + silence(5), 48_000)
    telling = f"{Telling.__module__}:{Telling.__name__}"

    async def scenario() -> None:
        Telling.seen = asyncio.Event()
        async with (
            Node(livekit_url, room, orchestrator=telling) as node,
            chromium([*ALLOWED, *microphone(wav)]) as browser,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            await page.click("#join")
            interim = page.locator("#talk-rows li[data-side=caller][data-interim][aria-hidden=true] .interim").first
            await expect(interim).to_have_text(INTERIM, timeout=30_000)
            Telling.seen.set()
            spoken = page.locator("#talk-rows li[data-side=caller]:not([data-interim], [aria-hidden]) .words").first
            await expect(spoken).to_have_text(FINAL, timeout=30_000)
            await expect(page.locator("#talk-rows s").first).to_be_attached(timeout=30_000)
            cut = page.locator("#talk-rows li[data-side=bot]", has=page.locator("s")).first
            shown = await cut.locator(".words").text_content() or ""
            assert shown.replace(NOT_HEARD, "") == " ".join(SENTENCES)
            assert shown.startswith(SENTENCES[0])
            await node.until(lambda: node.lines)
            line = next(each for each in node.lines if each["caller_wait_ms"] is not None)
            cells = page.locator("#turn-rows tr", has=page.get_by_role("rowheader", name=str(line["turn_index"])))
            await expect(cells.locator("td").nth(1)).to_have_text(f"{round(line['caller_wait_ms'])} ms")
            parts = await page.locator("#wait-parts li").evaluate_all("rows => rows.map((row) => row.dataset.part)")
            assert parts == list(dict.fromkeys(part["name"] for part in line["parts"]))
            assert parts[:5] == ["endpointing", "node", "speech_to_text", "llm_first_token", "text_to_speech"]

    run(scenario())


def test_a_final_text_replaces_the_interim_ones() -> None:
    assert in_the_page(
        [words("a ta", final=False), words("a table", final=False)],
        [words("a ta", final=False), words("A table.")],
        [words("A table."), words("for", final=False)],
        [words("A table."), words("for", final=False), words("For two.")],
    ) == [["You: a table"], ["You: A table."], ["You: A table. for"], ["You: A table. For two."]]


def test_each_side_of_a_turn_has_one_line_and_the_caller_is_first() -> None:
    told = [
        words("Hello.", speaker="bot"),
        words("Hm", "b", final=False),
        words("How are you?", speaker="bot"),
        words("Hi.", "a"),
        words("Well.", "b"),
    ]
    (shown,) = in_the_page(told)
    assert shown == ["You: Hi.", "Bot: Hello. How are you?", "You: Well."]


HEARD = {
    "One two. Three four.": "Bot: One two. Three four.",
    "One two. Three": "Bot: One two. Three not heard: four.",
    "One two.": "Bot: One two. not heard: Three four.",
    "One": "Bot: One not heard: two. Three four.",
    "": "Bot: not heard: One two. Three four.",
}


def test_words_that_were_not_heard_are_struck_through() -> None:
    said = (words("One two. ", speaker="bot"), words("Three four.", speaker="bot"))
    assert in_the_page(*((*said, heard(text)) for text in HEARD)) == [[shown] for shown in HEARD.values()]
    late = (said[0], heard("One"), said[1])  # told when the reply was cut
    assert in_the_page(late) == [["Bot: One not heard: two. Three four."]]


def test_words_of_a_reply_that_never_played_are_struck_through() -> None:
    said = words("One two.", speaker="bot")
    assert in_the_page(
        [said, event("turn", heard_ms=0)],
        [said, heard("One two."), event("turn", heard_ms=0)],
        [said, event("turn", heard_ms=None)],
    ) == [["Bot: not heard: One two."], ["Bot: One two."], ["Bot: One two."]]


def test_the_conversation_is_bounded_and_text_is_text() -> None:
    many = [words(f"<b>{number}</b>", str(number)) for number in range(205)]
    long = [*(words("x" * 4000) for _ in range(4)), words("y" * 20_000, final=False)]
    lines_kept, (line,) = in_the_page(many, long)
    assert lines_kept == [f"You: <b>{number}</b>" for number in range(5, 205)]
    assert len(line) < 21_000


def test_a_screen_reader_gets_final_text_only() -> None:
    """The log reads out what is added: interim text is hidden, and what is kept is not made anew."""
    added = """() => {
      window.added = [];
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes)
          for (const node of addedNodes)
            if (!(node.parentElement ?? document.body).closest("[aria-hidden]") && !node.ariaHidden)
              window.added.push(node.textContent);
      }).observe(document.getElementById("talk-rows"), { childList: true, subtree: true });
    }"""

    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, as_file()) as page:
            await page.evaluate(added)
            for each in (
                words("hel", final=False),
                words("Hello."),
                words("One two.", speaker="bot"),
                words("Three.", speaker="bot"),
                heard("One"),
            ):
                await tell(page, each)
            read = [text for text in await page.evaluate("window.added") if text.strip()]
            assert read[-1] == f"{NOT_HEARD}two. Three."
            assert "hel" not in read
            assert read.count("Bot: One two.") == 1
            assert await page.locator('[role="log"][aria-relevant="additions"] #talk-rows').count() == 1
            await tell(page, words("and", final=False))
            tree = await page.get_by_role("log", name="Conversation").aria_snapshot()
            assert "Hello." in tree
            assert "and" not in tree

    run(scenario())


def test_without_words_the_panel_says_what_to_do() -> None:
    async def scenario() -> None:
        async with chromium(NO_NETWORK) as browser, opened(browser, as_file()) as page:
            await tell(page, event("speech_started"), event("turn", heard_ms=0))
            await expect(page.locator("#no-talk")).to_contain_text("call.transcript")
            await tell(page, words("Hello."))
            await expect(page.locator("#no-talk")).to_be_hidden()

    run(scenario())
