"""What a caller's wait went into: from their last voiced sample to the first published frame of the bot. Pure.

    last voiced       t2  t3                       t5   t6
    |---- endpointing --|--|-- speech_to_text --|…--|----|
                        node                        node

What the orchestrator has marked between t3 and t5 are its parts, each up to its mark. Where it has marked nothing, t4
parts the language model from the text-to-speech; without t4, all of it is one part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from webapi.voice_node.events import US_PER_MS

NODE, ORCHESTRATOR = "node", "orchestrator"
SETTINGS = {  # what changes a part, in the graph
    "endpointing": "turn_events: end_frames",
    "speech_to_text": "with: stt",
    "llm_first_token": "with: llm",
    "text_to_speech": "with: tts",
}


class Part(NamedTuple):
    """A part of the wait."""

    name: str
    end_us: int
    owner: str


def parts(
    times: tuple[int | None, ...], last_voiced_us: int | None, marks: Mapping[str, int]
) -> list[dict[str, Any]] | None:
    """Return the parts in order, each with name, ms, owner and setting; None where there was no wait.

    `times` are t1 to t6, `marks` the orchestrator's stamps by name, all in µs.
    """
    start_us, end_us = last_voiced_us, times[5]
    if start_us is None or end_us is None or end_us < start_us:
        return None
    found = []
    for name, until_us, owner in _in_order(times, marks):
        stop_us = min(until_us, end_us)
        if stop_us > start_us:
            ms = (stop_us - start_us) / US_PER_MS
            found.append({"name": name, "ms": ms, "owner": owner, "setting": SETTINGS.get(name)})
            start_us = stop_us
    return found


def _in_order(times: tuple[int | None, ...], marks: Mapping[str, int]) -> Iterator[Part]:
    _, t2, t3, t4, t5, t6 = times
    if t2 is not None:
        yield Part("endpointing", t2, NODE)
    if t3 is not None:
        yield Part("node", t3, NODE)
        done_us = t6 if t5 is None else t5
        known = sorted((t_us, name) for name, t_us in marks.items() if done_us is not None and t3 <= t_us <= done_us)
        for t_us, name in known:
            yield Part(name, t_us, ORCHESTRATOR)
        if t5 is not None:
            if not known and t4 is not None and t4 < t5:
                yield Part("language_model", t4, ORCHESTRATOR)
                yield Part("text_to_speech", t5, ORCHESTRATOR)
            yield Part("orchestrator", t5, ORCHESTRATOR)
    if t6 is not None:
        yield Part("node", t6, NODE)
