"""The words of pauses whose recordings come without a text, by the offline recogniser (English)."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence

from bench.turns import ask
from bench.turns.pauses import Pause
from webapi.voice_node.converse.offline.recogniser import Recogniser

SOURCES = ("meetings", "own")  # in English, and without a text


def recognised(pauses: Sequence[Pause]) -> list[Pause]:
    """The pauses with the words that Whisper (tiny.en) hears up to them, kept. Raises UserError without it."""
    return asyncio.run(_recognised(pauses))


async def _recognised(pauses: Sequence[Pause]) -> list[Pause]:
    path = ask.cache() / "recognised.json"
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    recogniser = Recogniser(keep_s=0, threads=1, timeout_s=60)
    found, fresh = [], 0
    for pause in pauses:
        if pause.of.source in SOURCES:
            said = pause.said()
            key = hashlib.sha256(said.pcm).hexdigest()[:32]
            if key not in kept:
                heard = [each.text async for each in recogniser.listen(_once(said.pcm), said.rate) if each.final]
                kept[key], fresh = " ".join(heard), fresh + 1
                if fresh % ask.SAVED_EVERY == 0:
                    ask.keep(path, kept)
            pause = pause._replace(words=kept[key])
        found.append(pause)
    if fresh:
        ask.keep(path, kept)
    await recogniser.aclose()
    return found


async def _once(pcm: bytes) -> AsyncIterator[bytes]:
    yield pcm
