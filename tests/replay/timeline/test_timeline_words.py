"""Words and waits in the timeline: at their turns, struck through where nobody heard them, and bounded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.replay.test_marble_words import HOSTILE, heard, replayed, said, talk
from tests.replay.timeline.test_timeline import SVG, Tags, data_of, drawing
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.timeline import page_words as bounds
from webapi.voice_node.replay.timeline.build import MAX_PARTS, timeline
from webapi.voice_node.replay.timeline.layout import LEFT, RIGHT, ROW
from webapi.voice_node.replay.timeline.page import page
from webapi.voice_node.replay.timeline.svg import svg
from webapi.voice_node.replay.timeline.wave import Outline, read_outline
from webapi.voice_node.replay.timeline.words import COLUMN, HEIGHT
from webapi.voice_node.replay.words import columns_of

SILENT = Outline(9.0, 0.01, np.zeros((2, 900), np.uint8))
STARTED = ("playback_started", {"interruptible": True})


def picture(result: ReplayResult) -> ElementTree.Element:
    return drawing(svg(timeline(result, 9.0), SILENT))


def words_in(root: ElementTree.Element) -> list[tuple[str, float, str, str]]:
    """Each text of words: whose, x, what was heard, what was struck through."""
    found = []
    for text in root.iter(f"{SVG}text"):
        title = text.find(f"{SVG}title")
        if title is not None:
            struck = text.find(f"{SVG}tspan")
            lost = "" if struck is None else str(struck.text)
            assert struck is None or struck.get("text-decoration") == "line-through"
            found.append((str(title.text), float(str(text.get("x"))), str(title.tail or "").strip(), lost))
    return found


def html_of(result: ReplayResult, folder: Path) -> str:
    write_wav(folder / "mix.wav", bytes(4 * 16_000), 16_000, channels=2)
    outline = read_outline(folder / "mix.wav")
    return page(timeline(result, 9.0), outline, folder / "mix.wav")


# ---------------------------------------------------------------- the picture


def test_words_stand_where_they_were_said(tmp_path: Path) -> None:
    result = replayed(tmp_path, "Talkative")
    shown = timeline(result, 9.0)
    first, second = (e["t"] for e in result.events if e["event"] == "playback_started")
    assert [(w.turn, w.side) for w in shown.words] == [(0, "caller"), (0, "bot"), (1, "caller"), (1, "bot")]
    assert [w.start for w in shown.words if w.side == "bot"] == [first, second]
    cut, whole = (w for w in shown.words if w.side == "bot")
    assert (whole.heard, whole.unheard, whole.cut) == ("Good morning. A table for how many people, please?", "", False)
    assert (f"{cut.heard} {cut.unheard}", cut.cut) == (whole.heard, True)
    drawn = words_in(picture(result))
    assert [each[0] for each in drawn] == ["turn 0, caller", "turn 1, caller", "turn 0, bot", "turn 1, bot"]
    assert drawn[2][2] == cut.heard
    assert drawn[3][2] == whole.heard
    assert f'bot: "{cut.heard}"' in str(picture(result).findtext(f"{SVG}desc"))


def test_a_picture_without_words_has_no_room_for_them() -> None:
    events = (STARTED, ("playback_ended", {"heard_ms": 900, "completed": True}))
    with_words, without = picture(talk(*events, said("hello"))), picture(talk(*events))
    assert int(str(with_words.get("height"))) - int(str(without.get("height"))) == HEIGHT
    assert words_in(without) == []
    long = talk(*events, said("hello"))
    long.seconds = 3600.0
    assert words_in(drawing(svg(timeline(long, 3600.0), SILENT))) == []
    assert ROW == 266


@pytest.mark.parametrize("text", ["short", "a long text " * 40, "你好世界" * 50, HOSTILE * 5])
@pytest.mark.parametrize("lost", ["", "and what nobody heard " * 9])
def test_words_stay_in_their_place(text: str, lost: str) -> None:
    """Between the words before and those after, and in the picture."""
    result = talk(STARTED, said(f"{text} {lost}"), *heard(text, completed=not lost))
    later = talk(*[("mark", {})] * 5, STARTED, said(f"{text} {lost}"), *heard(text, completed=not lost))
    for event in later.events:
        event.update(turn_index=1, trace_id="t-1")
    result.events += later.events[5:]
    ends = [LEFT - 1.0]
    for _, x, kept, struck in words_in(picture(result)):
        assert x >= ends[-1]
        ends.append(x + columns_of(f"{kept} {struck}".strip()) * COLUMN)
    assert len(ends) == 3
    assert ends[-1] <= RIGHT + 1


def test_what_was_not_heard_is_struck_through() -> None:
    (drawn,) = words_in(picture(talk(STARTED, said("Good morning."), *heard("Good", completed=False))))
    assert drawn[2:] == ("Good", "morning.")
    (drawn,) = words_in(picture(talk(STARTED, said("Good morning."), *heard("", completed=False))))
    assert drawn[2:] == ("", "Good morning.")


# ---------------------------------------------------------------- the page


def test_the_page_has_all_words(tmp_path: Path) -> None:
    data = data_of(html_of(replayed(tmp_path, "Talkative"), tmp_path))
    assert [(w["turn"], w["side"]) for w in data["words"]] == [(0, "caller"), (0, "bot"), (1, "caller"), (1, "bot")]
    assert data["words"][1]["unheard"]
    assert {e["event"] for e in data["events"]} >= {"transcript", "heard_text", "mark"}
    assert all(e["final"] for e in data["events"] if e["event"] == "transcript")


def test_words_stay_words(tmp_path: Path) -> None:
    hostile = "</script><script>document.title='pwned'</script><b onclick=x>&\"'<!--" + HOSTILE
    plain = Tags(html_of(talk(STARTED, said("hello")), tmp_path)).seen
    result = talk(STARTED, said(hostile), said(hostile, "caller"), *heard(hostile, completed=True))
    html = html_of(result, tmp_path)
    html.encode()
    assert [tag for tag, _ in Tags(html).seen] == [tag for tag, _ in plain]
    assert data_of(html)["words"][0]["heard"].startswith("</script><script>document")
    assert words_in(picture(result))[1][2].startswith("</script><script>")


def test_the_page_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Very long texts, very many texts, and texts that grow word by word."""
    monkeypatch.setattr(bounds, "MOST", 20_000)
    base = len(html_of(talk(STARTED), tmp_path))
    result = talk(STARTED, *[said("x" * n * 10, "caller", final=False) for n in range(900)])
    assert len(html_of(result, tmp_path)) < base + 1000
    result = talk(STARTED, said("x" * 10_000, "caller"), ("message_sent", {"message": {"x": "y" * 10_000}}))
    html = html_of(result, tmp_path)
    assert len(html) < base + 10_000
    assert len(data_of(html)["words"][0]["heard"]) == bounds.LONGEST
    many = talk(*[said("y" * 4000) for _ in range(100)])
    for number, event in enumerate(many.events):
        event.update(trace_id=f"t-{number}", turn_index=number)
    kept = [len(each["heard"]) for each in data_of(html_of(many, tmp_path))["words"]]
    assert sum(kept) == 20_000
    assert kept == [4000] * 5


def test_the_page_has_the_parts_of_each_wait(tmp_path: Path) -> None:
    result = replayed(tmp_path, "Talkative")
    turns = data_of(html_of(result, tmp_path))["turns"]
    for shown, line in zip(turns, result.metrics, strict=True):
        assert (shown["wait_ms"], shown["parts"]) == (line["caller_wait_ms"], line["parts"])
    many: list[dict[str, Any]] = [{"name": f"p{n}", "ms": 1.0, "owner": "o", "setting": None} for n in range(99)]
    result.metrics[0]["parts"] = many
    parts = data_of(html_of(result, tmp_path))["turns"][0]["parts"]
    assert len(parts) == MAX_PARTS
    assert (parts[-1]["name"], sum(part["ms"] for part in parts)) == ("other parts", 99.0)


def test_metrics_of_an_earlier_version_have_no_waits(tmp_path: Path) -> None:
    result = replayed(tmp_path, "Talkative")
    for line in result.metrics:
        del line["caller_wait_ms"], line["parts"]
    data = data_of(html_of(result, tmp_path))
    assert [(turn["wait_ms"], turn["parts"]) for turn in data["turns"]] == [(None, [])] * 2
    assert "Caller waits" not in json.dumps(data["figures"])
    assert re.search(r"Reply after", json.dumps(data["figures"]))
