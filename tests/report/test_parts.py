"""What a wait went into: times and marks in, parts out. Times are ms."""

from __future__ import annotations

import pytest

from webapi.voice_node.report.parts import parts

MS = 1000
T = (None, 200, 201, None, 900, 905)  # t1 to t6


def told(
    times: tuple[int | None, ...], marks: dict[str, int] | None = None, last_voiced: int | None = 0
) -> list[tuple[str, float]] | None:
    us = tuple(None if t is None else t * MS for t in times)
    given = {name: t * MS for name, t in (marks or {}).items()}
    found = parts(us, None if last_voiced is None else last_voiced * MS, given)
    return None if found is None else [(part["name"], part["ms"]) for part in found]


@pytest.mark.parametrize(
    ("times", "marks", "expected"),
    [
        (T, {}, "endpointing 200, node 1, orchestrator 699, node 5"),
        (
            (None, 200, 201, 700, 900, 905),
            {},
            "endpointing 200, node 1, language_model 499, text_to_speech 200, node 5",
        ),
        ((None, 200, 201, 950, 900, 905), {}, "endpointing 200, node 1, orchestrator 699, node 5"),  # t4 after t5
        (T, {"stt": 300, "llm": 650}, "endpointing 200, node 1, stt 99, llm 350, orchestrator 250, node 5"),
        (T, {"llm": 650, "stt": 300, "tts": 900}, "endpointing 200, node 1, stt 99, llm 350, tts 250, node 5"),
        (T, {"early": 100, "late": 903}, "endpointing 200, node 1, orchestrator 699, node 5"),  # not of this wait
        ((None, 200, 201, None, None, 905), {"stt": 300}, "endpointing 200, node 1, stt 99, node 605"),
        ((None, 200, None, None, None, 905), {}, "endpointing 200, node 705"),
        ((None, 200, 200, None, 200, 200), {}, "endpointing 200"),  # what took no time is left out
    ],
)
def test_the_parts_follow_each_other_and_are_the_wait(
    times: tuple[int | None, ...], marks: dict[str, int], expected: str
) -> None:
    found = told(times, marks)
    assert found is not None
    assert ", ".join(f"{name} {ms:g}" for name, ms in found) == expected
    assert sum(ms for _, ms in found) == times[5]


@pytest.mark.parametrize(
    ("times", "last_voiced"),
    [(T, None), ((None, 200, 201, None, 900, None), 0), ((None, 200, 201, None, 900, 905), 906)],
)
def test_without_a_wait_there_are_none(times: tuple[int | None, ...], last_voiced: int | None) -> None:
    assert told(times, last_voiced=last_voiced) is None


def test_each_has_an_owner_and_names_the_setting_that_changes_it() -> None:
    found = parts((None, 200 * MS, 201 * MS, None, 900 * MS, 905 * MS), 0, {"speech_to_text": 300 * MS})
    assert found is not None
    assert [(part["owner"], part["setting"]) for part in found] == [
        ("node", "turn_events: end_frames"), ("node", None), ("orchestrator", "with: stt"), ("orchestrator", None),
        ("node", None),
    ]  # fmt: skip
