"""Words in marbles: below their turns, cut to the width, and never obeyed by a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors.plain_text import one_line
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.replay.event_diff import event_texts
from webapi.voice_node.replay.marble_diff import difference, line_difference
from webapi.voice_node.replay.marbles import NAMES, marbles, parse, render
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.wav_replay import replay
from webapi.voice_node.replay.words import columns_of, fitted, fitted_end, words_of

HOSTILE = "a\x1b[2J\x1b]0;title\x07b\nc\r\x9b31md\u202eevil\u2066\x00\ud800"


def replayed(path: Path, orchestrator: str) -> ReplayResult:
    write_wav(path / "talk.wav", silence(0.5) + vowel(0.6) + silence(1.8) + vowel(0.6) + silence(4), 48_000)
    settings = load_settings(None, orchestrator=f"tests.reply.talkative:{orchestrator}", vad_backend="webrtc")
    return replay(path / "talk.wav", load_graph("default", settings), settings)


def talk(*events: tuple[str, dict[str, Any]]) -> ReplayResult:
    """A result of these events of one turn, a second apart."""
    made = [
        {"event": name, "t": float(t), "turn_index": 0, "trace_id": "t-0", **fields}
        for t, (name, fields) in enumerate(events)
    ]
    return ReplayResult("a", "g", seconds=9.0, events=made)


def said(text: str, speaker: str = "bot", **fields: Any) -> tuple[str, dict[str, Any]]:
    return "transcript", {"text": text, "speaker": speaker, "final": True, **fields}


def heard(text: str, *, completed: bool) -> tuple[tuple[str, dict[str, Any]], ...]:
    return ("playback_ended", {"heard_ms": 900, "completed": completed}), ("heard_text", {"text": text})


def word_lines(result: ReplayResult, band: int = 70) -> list[str]:
    text = render(result, band)
    return [line.strip() for line in text.splitlines() if line.lstrip(" ~").startswith(("caller:", "bot:"))]


def test_words_stand_below_the_events_of_their_turn(tmp_path: Path) -> None:
    listed = render(replayed(tmp_path, "Talkative")).splitlines()
    at = {line.strip(): number for number, line in enumerate(listed)}
    ends = [number for line, number in at.items() if " E 0 " in line or " E 1 " in line]
    assert [listed[number + 1].strip() for number in ends] == ["caller: Good morning."] * 2
    starts = [number for line, number in at.items() if " P 0 " in line or " P 1 " in line]
    cut, whole = (listed[number + 1].strip() for number in starts)
    assert whole == "bot: Good morning. A table for how many people, please?"
    assert cut.endswith(" [cut off]")
    assert whole.startswith(cut.removesuffix(" [cut off]"))


def test_words_change_nothing_else(tmp_path: Path) -> None:
    with_words = replayed(tmp_path, "Talkative")
    listed, found = render(with_words), marbles(with_words)
    with_words.events = [e for e in with_words.events if e["event"] not in ("transcript", "heard_text")]
    without = render(with_words)
    kept = [line for line in listed.splitlines() if not line.strip().startswith(("caller:", "bot:"))]
    assert kept == without.splitlines()
    assert parse(listed) == parse(without) == found


def test_what_was_not_heard_is_not_shown() -> None:
    assert word_lines(talk(said("Good morning."), *heard("Good", completed=False))) == ["bot: Good [cut off]"]
    assert word_lines(talk(said("Good morning."), *heard("", completed=False))) == ["bot: [not heard]"]
    assert word_lines(talk(said("Good "), said(" morning."), *heard("Good morning.", completed=True))) == [
        "bot: Good morning."
    ]
    assert word_lines(talk(said("so far", "caller", final=False))) == []
    assert word_lines(talk(said("one", "caller"), said(" \n", "caller"), said("two", "caller"))) == ["caller: one two"]


def test_the_rest_of_a_reply_is_known() -> None:
    (words,) = words_of(talk(said("Good"), said("morning."), *heard("Good", completed=False)).events)
    assert (words.heard, words.unheard, words.cut) == ("Good", "morning.", True)


@pytest.mark.parametrize("band", [1, 12, 40, 70])
@pytest.mark.parametrize("text", ["x" * 9999, "many words " * 900, "你好世界" * 99, "e\u0301" * 999, "\u0301" * 9999])
def test_words_are_cut_to_the_width(text: str, band: int) -> None:
    columns = max(NAMES + band, 30)
    for result in (
        talk(said(text, "caller")),
        talk(said(text), *heard(text, completed=True)),
        talk(said(text), *heard(text, completed=False)),
    ):
        (line,) = [line for line in render(result, band).splitlines() if line.lstrip().startswith(("caller:", "bot:"))]
        assert columns_of(line) <= columns
        assert len(line) <= columns * 4 + 30
        assert "…" in line


def test_of_a_reply_that_was_cut_the_last_words_are_kept() -> None:
    (line,) = word_lines(talk(said("one " * 50), *heard("one " * 40 + "last", completed=False)))
    assert line.startswith("bot: …")
    assert line.endswith("one last [cut off]")


def test_columns_of_wide_and_of_combining_characters() -> None:
    assert [columns_of(text) for text in ("abc", "你好", "ｶﾅ", "👍", "e\u0301")] == [3, 4, 2, 2, 1]
    assert [fitted("你好世界", columns) for columns in (8, 7, 6, 5, 1, 0)] == [
        "你好世界",
        "你好世…",
        "你好…",
        "你好…",
        "…",
        "",
    ]
    assert fitted_end("你好世界", 6) == "…世界"


def test_no_character_of_a_text_is_obeyed() -> None:
    result = talk(
        said(HOSTILE, "caller"),
        said(HOSTILE),
        *heard(HOSTILE, completed=True),
        ("hung_up", {"reason": HOSTILE}),
    )
    text = render(result)
    assert all(line.isprintable() for line in text.splitlines())
    assert "caller: a?[2J?]0;title?b c ?31mdevil??" in text
    assert text.splitlines()[-1].endswith("hung_up  a?[2J?]0;title?b c ?31mdevil??")
    text.encode()
    other = talk(said("b", "caller"))
    for told in event_texts(result.events, other.events, 0):
        assert told.isprintable()
    assert line_difference(f"{HOSTILE}\n", "x\n").replace("\n", "").isprintable()
    assert one_line(" \t a\u200db ") == "ab"


def test_a_difference_in_words_is_shown() -> None:
    old, new = (render(talk(said(text), *heard(text, completed=True))) for text in ("Good morning.", "Good evening."))
    found = difference(old, new)
    assert "the pictures are the same" in found
    assert "-            bot: Good morning." in found
    assert "+            bot: Good evening." in found


def test_after_the_first_difference_words_are_marked_too() -> None:
    result = talk(("speech_started", {}), said("Good morning.", "caller"))
    result.mark_divergence([])
    assert "~          caller: Good morning." in render(result).splitlines()


def test_the_bots_hanging_up_has_a_letter(tmp_path: Path) -> None:
    result = replayed(tmp_path, "Leaves")
    assert "G 1  hung_up  the caller said goodbye" in render(result)
    rows = render(talk(("speech_started", {}), ("hung_up", {"reason": ""}))).splitlines()
    assert next(row for row in rows if row.startswith("turns")).split()[1].startswith("S---------G---")
