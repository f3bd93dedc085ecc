"""What the client page says of the call follows from what is there now, and from nothing that was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser import ALLOWED, chromium, microphone
from tests.e2e.fake_bot import FakeBot, token
from tests.e2e.node import Node
from tests.e2e.page import as_file, beside_bot, opened, reconnect, run, state

pytestmark = pytest.mark.e2e

CALL: dict[str, Any] = {
    "call": "joined",
    "bot": True,
    "mic": "on",
    "listeningTo": "me",
    "me": "me",
    "others": ["ingobot", "alice"],
    "hearing": None,
    "pending": None,
    "playing": None,
    "insists": False,
}
SPEECH, REPLY, PLAYBACK = {"hearing": "a"}, {"pending": "a"}, {"playing": "a"}
ALICE = {"listeningTo": "alice"}
LISTEN, TALK_OVER = "Say something.", "Talk over it, and it stops."
ONE_CALLER = "Not to you: it hears one caller at a time."

TABLE: list[tuple[dict[str, Any], str, str, str]] = [
    # what is there, data-state, the word, how the hint begins
    ({"call": "idle", **PLAYBACK}, "idle", "Not in a call", "Join"),
    ({"call": "joining", **PLAYBACK}, "idle", "Joining", "One moment."),
    ({"call": "reconnecting", **SPEECH}, "idle", "Reconnecting", "The bot can't hear you"),
    ({"bot": False, **PLAYBACK}, "idle", "Waiting for the bot", "It answers as soon as"),
    ({}, "listening", "Listening", LISTEN),
    ({"mic": "muted"}, "unheard", "You are muted", "Unmute to be heard."),
    ({"mic": "failed"}, "unheard", "Microphone is off", "Turn it on to be heard."),
    ({"mic": "refused"}, "unheard", "Listen only", "This token"),
    ({"mic": "starting"}, "unheard", "One moment", "The microphone is being turned on."),
    ({"mic": "off"}, "unheard", "One moment", "The microphone is being turned on."),
    (SPEECH, "hearing", "Hearing you", "It answers"),
    ({**SPEECH, "mic": "muted"}, "unheard", "You are muted", "Unmute to be heard."),
    ({**SPEECH, "mic": "failed"}, "unheard", "Microphone is off", "Turn it on to be heard."),
    (REPLY, "thinking", "Thinking", "Go on speaking"),
    ({**REPLY, "mic": "muted"}, "thinking", "Thinking", "Unmute to be heard."),
    (PLAYBACK, "speaking", "Speaking", TALK_OVER),
    ({**PLAYBACK, **REPLY}, "speaking", "Speaking", TALK_OVER),
    ({**PLAYBACK, **SPEECH}, "hearing", "Hearing you", "It answers"),
    ({**PLAYBACK, "mic": "failed"}, "speaking", "Speaking", "Turn it on to be heard."),
    ({**PLAYBACK, "insists": True}, "speaking", "Speaking", "This reply is played to its end."),
    (ALICE, "unheard", "Listening to alice", ONE_CALLER),
    ({**ALICE, **SPEECH}, "unheard", "Hearing alice", ONE_CALLER),
    ({**ALICE, **PLAYBACK}, "speaking", "Speaking", ONE_CALLER),
    ({**ALICE, **REPLY}, "thinking", "Thinking", ONE_CALLER),
    ({**ALICE, "mic": "muted"}, "unheard", "Listening to alice", ONE_CALLER),
    ({**ALICE, "mic": "refused"}, "unheard", "Listen only", "This token"),
    ({**ALICE, "others": ["ingobot"]}, "unheard", "Not heard yet", "The bot waits for alice"),
    ({"listeningTo": None}, "unheard", "Not heard yet", "The bot does not listen to you yet."),
    ({"listeningTo": None, **SPEECH}, "unheard", "Not heard yet", "The bot does not listen to you yet."),
    ({"listeningTo": None, **PLAYBACK}, "speaking", "Speaking", "The bot does not listen to you yet."),
    ({"listeningTo": None, "mic": "muted"}, "unheard", "You are muted", "Unmute to be heard."),
    ({"listeningTo": "unsaid"}, "listening", "Listening", LISTEN),  # an older node: it is believed to listen
    ({"listeningTo": "unsaid", **SPEECH}, "hearing", "Hearing you", "It answers"),
]


def test_the_state_is_a_function_of_what_is_there() -> None:
    async def scenario() -> None:
        async with chromium() as browser, opened(browser, as_file()) as page:
            for there, wanted, word, hint in TABLE:
                given = {**CALL, **there}
                if given["listeningTo"] == "unsaid":
                    del given["listeningTo"]
                found = await page.evaluate("(given) => stateOf(given)", given)
                assert (found["state"], found["word"]) == (wanted, word), there
                assert found["hint"].startswith(hint), there

    run(scenario())


# ---------------------------------------------------------------- what the node's messages leave open


def message(event: str, session: str = "s1", trace: str = "a", **fields: object) -> dict[str, object]:
    return {"event": event, "session_id": session, "trace_id": trace, "t": 1.0, "turn_index": 0, **fields}


STARTED, ENDED = message("speech_started"), message("speech_ended", reason="silence")
PLAYS, OVER = message("playback_started"), message("playback_ended", heard_ms=1)
SPEECH_2, PLAYS_2 = message("speech_started", "s2", "b"), message("playback_started", "s2", "b")
BROKE = {"event": "session_broke", "session_id": "s1", "detail": "…"}
NEW_GRAPH = {"event": "graph_switched", "graph": "g", "before": "f", "session_id": "s2"}
HEARS_ME, HEARS_ALICE, HEARS_NOBODY = ({"event": "listening_to", "identity": who} for who in ("me", "alice", None))

OPEN: list[tuple[list[Mapping[str, object]], str | None, str | None, str | None]] = [
    # messages, what is open after them: hearing, pending, playing
    ([STARTED], "a", None, None),
    ([STARTED, ENDED], None, "a", None),
    ([STARTED, ENDED, PLAYS], None, None, "a"),
    ([STARTED, ENDED, PLAYS, OVER], None, None, None),
    ([STARTED, BROKE], None, None, None),
    ([STARTED, ENDED, BROKE], None, None, None),
    ([STARTED, ENDED, PLAYS, BROKE], None, None, None),
    ([STARTED, BROKE, ENDED, PLAYS], None, None, None),  # late words of a session that is over
    ([STARTED, NEW_GRAPH], None, None, None),
    ([PLAYS, SPEECH_2], "b", None, None),
    ([PLAYS, PLAYS_2, OVER], None, None, "b"),
    ([PLAYS, SPEECH_2, STARTED, ENDED], "b", None, None),
    ([STARTED, HEARS_NOBODY], None, None, None),
    ([HEARS_ALICE, STARTED, HEARS_NOBODY, HEARS_ME], None, None, None),
    ([HEARS_ALICE, STARTED, HEARS_ME], None, None, None),
    ([HEARS_ME, STARTED, HEARS_ME], "a", None, None),  # said again: to somebody who came
    ([PLAYS, HEARS_ME], None, None, "a"),  # a greeting begins before the caller's track is there
    ([PLAYS, HEARS_NOBODY], None, None, "a"),  # what plays is heard to its end
    ([STARTED, {"event": "graph_refused", "detail": "…"}], "a", None, None),
]


def test_what_is_open_belongs_to_the_session_that_is() -> None:
    async def scenario() -> None:
        async with chromium() as browser, opened(browser, as_file()) as page:
            for messages, *wanted in OPEN:
                found = await page.evaluate(
                    """(messages) => {
                      const c = new Conversation();
                      c.me = "me";
                      messages.forEach((message, at) => c.take(message, at));
                      const open = [...c.caller, ...c.bot].filter((span) => span.to === null);
                      return [c.hearing, c.pending, c.playing, open.length];
                    }""",
                    messages,
                )
                names = [each["event"] for each in messages]
                assert found[:3] == wanted, names
                assert found[3] <= sum(each is not None for each in wanted), names

    run(scenario())


# ---------------------------------------------------------------- in a room


async def shows(page: Page, word: str) -> None:
    await expect(page.locator("#state")).to_have_text(word)


def test_a_bot_that_is_replaced_is_not_speaking_any_more(livekit_url: str, room: str, hum: Path) -> None:
    """The same identity: a node that was killed and started again shows the one before out."""

    async def scenario() -> None:
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            async with FakeBot(livekit_url, room) as bot:
                await page.click("#join")
                await state(page, call="joined", mic="on", bot="present")
                await bot.send("playback_started", t=1.0, turn_index=0, trace_id="a")
                await state(page, state="speaking")
                async with FakeBot(livekit_url, room) as other:
                    await state(page, bot="present", state="listening")
                    other.loud = True
                    await state(page, audio="playing")
                    await other.send("speech_started", session_id="s2", t=1.0, turn_index=0, trace_id="b")
                    await state(page, state="hearing")
            await state(page, bot="absent", state="idle")
            await shows(page, "Waiting for the bot")

    run(scenario())


def test_a_session_that_broke_hears_nobody_any_more(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with beside_bot(livekit_url, room, hum) as (page, bot):
            await page.click("#join")
            await state(page, call="joined", mic="on", bot="present")
            await bot.send("speech_started", t=1.0, turn_index=0, trace_id="a")
            await state(page, state="hearing")
            await bot.send("session_broke", detail="an error")
            await state(page, state="listening")

    run(scenario())


def test_a_reconnect_of_the_page_closes_what_was_open(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with beside_bot(livekit_url, room, hum) as (page, bot):
            await page.click("#join")
            await state(page, call="joined", mic="on", bot="present")
            await bot.send("listening_to", identity="other")
            await bot.send("playback_started", t=1.0, turn_index=0, trace_id="a")
            await state(page, state="speaking")
            await reconnect(page, "full-reconnect")
            await state(page, call="joined", mic="on", bot="present", state="listening", heard="unknown")
            await bot.send("speech_started", t=2.0, turn_index=1, trace_id="b")
            await state(page, state="hearing")

    run(scenario())


def test_a_second_caller_is_told_whom_the_bot_hears(livekit_url: str, room: str, hum: Path) -> None:
    """A real node, which hears one caller at a time."""

    async def scenario() -> None:
        async with (
            Node(livekit_url, room, mock_reply="tone:30"),
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            opened(browser, as_file(token=token("bob", room), room=room, url=livekit_url)) as bob,
            opened(browser, as_file(token=token("alice", room), room=room, url=livekit_url)) as alice,
        ):
            await alice.click("#join")
            await state(alice, call="joined", mic="on", heard="me")
            await bob.click("#join")
            await state(bob, call="joined", mic="on", heard="other")
            await expect(bob.locator("#hint")).to_have_text(ONE_CALLER)
            shown = await bob.inner_text("#state")
            assert shown in ("Listening to alice", "Hearing alice", "Thinking", "Speaking")
            await alice.click("#mic")
            await state(alice, mic="muted")
            assert await alice.inner_text("#hint") == "Unmute to be heard."
            await alice.click("#leave")
            await state(alice, call="idle")
            await state(bob, heard="me")
            await bob.click("#mic")
            await expect(bob.locator("#news")).to_have_text("Microphone muted.")
            await bob.click("#mic")
            await expect(bob.locator("#news")).to_have_text("Microphone on.")

    run(scenario())


def test_nobody_is_heard_is_said(livekit_url: str, room: str, hum: Path) -> None:
    async def scenario() -> None:
        async with (
            chromium([*ALLOWED, *microphone(hum)]) as browser,
            FakeBot(livekit_url, room) as bot,
            opened(browser, as_file(token=token("alice", room), room=room, url=livekit_url)) as alice,
            opened(browser, as_file(token=token("me", room), room=room, url=livekit_url)) as page,
        ):
            await alice.click("#join")
            await state(alice, call="joined", mic="on")
            await page.click("#join")
            await state(page, call="joined", mic="on", bot="present")
            await bot.send("listening_to", identity="alice")
            await state(page, heard="other", state="unheard")
            await shows(page, "Listening to alice")
            await bot.send("speech_started", t=1.0, turn_index=0, trace_id="a")
            await shows(page, "Hearing alice")
            await bot.send("listening_to", identity=None)
            await state(page, heard="nobody", state="unheard")
            await shows(page, "Not heard yet")
            await expect(page.locator("#news")).to_have_text("The bot no longer listens to alice.")
            await expect(page.locator("#event-rows li").first).to_contain_text("nobody")
            await bot.send("listening_to", identity="me")
            await state(page, heard="me", state="listening")
            await bot.send("listening_to", identity="alice")
            await state(page, heard="other")
            await alice.click("#leave")  # and the bot does not notice
            await state(page, heard="away", state="unheard")

    run(scenario())
