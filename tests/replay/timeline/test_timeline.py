"""The timeline of a replay: what is drawn is what happened, at its place, and the same bytes each time."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import wave
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.replay.test_wav_replay import run
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.timeline import audio as audio_of_page
from webapi.voice_node.replay.timeline.badges import EVENT_MARKS, RARE
from webapi.voice_node.replay.timeline.build import timeline
from webapi.voice_node.replay.timeline.layout import LEFT, RIGHT, ROW, row_seconds, x_of
from webapi.voice_node.replay.timeline.model import TimeSpan, merged
from webapi.voice_node.replay.timeline.page import TEMPLATE, page
from webapi.voice_node.replay.timeline.svg import svg
from webapi.voice_node.replay.timeline.texts import clock
from webapi.voice_node.replay.timeline.wave import read_outline

SVG = "{http://www.w3.org/2000/svg}"
# A turn that is talked over after a second, one that goes on after a breath, one whose answer ends.
TALK = (
    *(silence(0.5), vowel(1), silence(1.5), vowel(0.8), silence(4)),
    *(vowel(0.6), silence(0.3), vowel(0.6), silence(4), vowel(1), silence(1)),
)
HOSTILE = "</script><script>document.title='pwned'</script><b onclick=x>&\"'\x01\udcff.wav"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `replay --out` wrote."""
    path = tmp_path_factory.mktemp("timeline")
    write_wav(path / "talk.wav", b"".join(TALK), 48_000)
    settings = ("MOCK_REPLY=tone:2", "MOCK_THINK_MS=300", "VAD_BACKEND=webrtc")
    assert run("replay", path / "talk.wav", "--out", path / "out", *(a for s in settings for a in ("--set", s))) == 0
    return path / "out"


@pytest.fixture
def replayed(folder: Path) -> ReplayResult:
    """What the files say, and a voice in the first second of frames."""
    made = ReplayResult("talk.wav", "default", seconds=15.3, frame_us=20_000)
    made.events, made.metrics = lines(folder / "events.jsonl"), lines(folder / "metrics.jsonl")
    made.arrived_us = [20_000 * (i + 1) for i in range(100)]
    made.voiced = [i < 50 for i in range(100)]
    return made


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def drawing(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.encode())  # noqa: S314 - made here


def data_of(html: str) -> dict[str, Any]:
    """What the page's script is given."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found
    made: dict[str, Any] = json.loads(found[1])
    return made


# ---------------------------------------------------------------- the picture


def test_each_event_stands_at_its_time(folder: Path) -> None:
    root = drawing((folder / "timeline.svg").read_text())
    events = [e for e in lines(folder / "events.jsonl") if e["event"] in EVENT_MARKS]
    assert {e["event"] for e in events} == set(EVENT_MARKS) - set(RARE)
    seconds = data_of((folder / "timeline.html").read_text())["seconds"]
    drawn = [each for each in root.iter(f"{SVG}path") if each.get("class") == "event"]
    at = {}
    per_row = row_seconds(seconds)
    for row, group in enumerate(root.findall(f"{SVG}g")):
        for path in group.iter(f"{SVG}path"):
            if path.get("class") == "event":
                x = float(str(path.get("d")).split()[0].removeprefix("M"))
                at[str(path.get("data-event")), float(str(path.get("data-t")))] = row * per_row, x
    assert len(drawn) == len(events) == len(at)
    for event in events:
        start, x = at[event["event"], event["t"]]
        assert start <= event["t"] < start + per_row
        assert x == pytest.approx(x_of(event["t"], start, per_row), abs=0.06)
        assert LEFT <= x <= RIGHT


def test_the_latencies_are_those_of_the_metrics(folder: Path) -> None:
    root = drawing((folder / "timeline.svg").read_text())
    said = [str(each.text) for each in root.iter(f"{SVG}text") if "ms" in str(each.get("class")).split()]
    metrics = lines(folder / "metrics.jsonl")
    waits = [m["latency_speech_end_to_first_bot_chunk_ms"] for m in metrics]
    stops = [m["barge_in_stop_ms"] for m in metrics]
    wanted = sorted(f"{value:.0f} ms" for value in [*waits, *stops] if value is not None)
    assert sorted(said) == wanted
    assert "100 ms" in said
    assert "300 ms" in said


def test_the_picture_in_words(folder: Path) -> None:
    root = drawing((folder / "timeline.svg").read_text())
    words = str(root.findtext(f"{SVG}desc"))
    assert re.search(r"Turn 0 from 0\.\d\d s: barged_in, answered after 300 ms, silent 100 ms after", words)
    assert root.findtext(f"{SVG}title") == "Timeline of talk.wav"


@pytest.mark.parametrize("seconds", [0.0, 0.4, 5.0, 24.0, 24.1, 27.2, 61.0, 300.0, 3600.0, 40_000.0])
def test_a_call_of_any_length_fits(folder: Path, replayed: ReplayResult, seconds: float) -> None:
    replayed.seconds = seconds
    peaks = read_outline(folder / "mix.wav")
    if not seconds:
        replayed.events, replayed.metrics, replayed.voiced, replayed.arrived_us = [], [], [], []
    shown = timeline(replayed, seconds)
    root = drawing(svg(shown, peaks))
    assert int(str(root.get("height"))) <= 108 + 8 * ROW + 42 * 22 + 60
    rows = root.findall(f"{SVG}g")
    assert (len(rows) - 1) * row_seconds(shown.seconds) <= shown.seconds <= len(rows) * row_seconds(shown.seconds)


def test_times_on_the_axis() -> None:
    assert [clock(t) for t in (0, 0.5, 59, 60, 75, 3600, 3725)] == [
        "0 s", "0.5 s", "59 s", "1:00", "1:15", "1:00:00", "1:02:05",
    ]  # fmt: skip


# ---------------------------------------------------------------- what is shown


def test_what_was_heard_when(replayed: ReplayResult) -> None:
    shown = timeline(replayed, 15.3)
    assert shown.voiced == [TimeSpan(0.0, 1.0)]
    assert [(p.turn, p.cut) for p in shown.playback] == [(0, True), (1, False), (3, False), (4, False)]
    assert [(t.turn, t.outcome) for t in shown.turns] == [
        (0, "barged_in"), (1, "completed"), (2, "superseded"), (3, "completed"), (4, "completed"),
    ]  # fmt: skip
    for delay in shown.delays:
        assert delay.ms == pytest.approx((delay.end - delay.start) * 1000, abs=0.01)
    assert [d.kind for d in shown.delays] == ["reply", "stop", "reply", "reply", "reply"]
    assert shown.seconds == max(15.3, replayed.events[-1]["t"])


def test_how_likely_a_voice_was_is_a_line_where_the_detector_says(folder: Path, replayed: ReplayResult) -> None:
    replayed.likely += [None] * 100
    flat = timeline(replayed, 15.3)
    assert flat.likely == []
    replayed.likely.clear()
    replayed.likely += [0.25] * 30 + [0.251] * 10 + [1.0] * 20 + [0.0] * 40
    shown = timeline(replayed, 15.3)
    assert shown.likely == [(0.0, 0.25), (0.8, 1.0), (1.2, 0.0)]
    peaks = read_outline(folder / "mix.wav")
    (line,) = drawing(svg(shown, peaks)).iterfind(".//{*}path[@class='likely']")
    way = re.findall(r"([MHV])([\d.]+)(?: ([\d.]+))?", line.get("d", ""))
    assert [y or x for step, x, y in way if step in "MV"] == ["94", "82", "98"]
    assert [float(x) for step, x, _ in way if step in "MH"] == [
        *(int(x_of(t, 0, row_seconds(shown.seconds))) for t in (0, 0.8, 1.2)),
        pytest.approx(RIGHT, abs=0.1),
    ]
    assert "likely" not in [path.get("class") for path in drawing(svg(flat, peaks)).iterfind(".//{*}path")]


def test_a_reply_that_halts_has_two_spans_and_the_silence_began_with_the_halt(replayed: ReplayResult) -> None:
    about = {"turn_index": 0, "trace_id": "t"}
    replayed.events = [
        {"event": "playback_started", "t": 1.0, **about},
        {"event": "playback_paused", "t": 2.0, "heard_ms": 1000, **about},
        {"event": "playback_resumed", "t": 2.5, **about},
        {"event": "playback_paused", "t": 4.0, "heard_ms": 2500, **about},
        {"event": "barge_in", "t": 4.4, "t_first_voiced": 3.9, **about},
        {"event": "playback_ended", "t": 4.4, "heard_ms": 2500, "completed": False, **about},
    ]
    replayed.metrics = [{"trace_id": "t", "barge_in_stop_ms": 100.0}]
    shown = timeline(replayed, 15.3)
    assert [(p.start, p.end, p.cut) for p in shown.playback] == [(1.0, 2.0, False), (2.5, 4.0, True)]
    assert [(d.kind, d.start, d.end) for d in shown.delays] == [("stop", 3.9, 4.0)]


def test_a_soft_stretch_of_a_reply_is_a_span_of_its_own(replayed: ReplayResult, folder: Path) -> None:
    about = {"turn_index": 0, "trace_id": "t"}
    replayed.events = [
        {"event": "playback_started", "t": 1.0, **about},
        {"event": "playback_ducked", "t": 2.0, "heard_ms": 1000, "sample": 48_000, "t_first_voiced": 1.94, **about},
        {"event": "playback_restored", "t": 2.5, "heard_ms": 1500, "sample": 72_000, **about},
        {"event": "playback_ducked", "t": 4.0, "heard_ms": 3000, "sample": 144_000, "t_first_voiced": 3.94, **about},
        {"event": "barge_in", "t": 4.4, "t_first_voiced": 3.94, **about},
        {"event": "playback_ended", "t": 4.4, "heard_ms": 3400, "completed": False, **about},
    ]
    replayed.metrics = []
    shown = timeline(replayed, 15.3)
    assert [(p.start, p.end, p.ducked, p.cut) for p in shown.playback] == [
        (1.0, 2.0, False, False),
        (2.0, 2.5, True, False),
        (2.5, 4.0, False, False),
        (4.0, 4.4, True, True),
    ]
    picture = svg(shown, read_outline(folder / "mix.wav"))
    marks = [path.get("data-event") for path in drawing(picture).iterfind(".//{*}path[@class='event']")]
    assert sorted(mark for mark in marks if mark) == [
        "barge_in", "playback_ducked", "playback_ducked", "playback_restored",
    ]  # fmt: skip
    assert "bot soft" in picture


def test_what_is_still_open_goes_to_the_end(replayed: ReplayResult) -> None:
    replayed.events = [e for e in replayed.events if e["turn_index"] == 0 and e["event"] != "playback_ended"]
    replayed.metrics = []
    shown = timeline(replayed, 15.3)
    (playback,) = shown.playback
    assert (playback.end, playback.heard_ms, playback.cut) == (15.3, None, False)
    assert [(t.outcome, t.reply_ms) for t in shown.turns] == [("", None)]


def test_spans_that_nearly_touch_are_one() -> None:
    assert merged([TimeSpan(0, 1), TimeSpan(1.01, 2), TimeSpan(3, 4)], 0.02) == [TimeSpan(0, 2), TimeSpan(3, 4)]


def test_the_outline_is_the_loudest_of_each_column(tmp_path: Path) -> None:
    both = np.zeros((16_000, 2), "<i2")
    both[4_000, 0] = -32_768
    both[8_000:8_160, 1] = 12_800
    write_wav(tmp_path / "a.wav", both.tobytes(), 16_000, channels=2)
    found = read_outline(tmp_path / "a.wav")
    assert (found.seconds, found.column_s, found.peaks.shape) == (1.0, 0.01, (2, 100))
    assert found.peaks[0].nonzero()[0].tolist() == [25]
    assert (found.within(0, 0.2, 0.3), found.within(0, 0.3, 0.9), found.within(1, 0.5, 0.501)) == (255, 0, 100)


# ---------------------------------------------------------------- the page


class Tags(HTMLParser):
    """The tags of a page, as a browser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_fetches_nothing(folder: Path) -> None:
    html = (folder / "timeline.html").read_text()
    for tag, attributes in Tags(html).seen:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:"), tag
    assert re.findall(r"https?://", html) == []
    assert "url(" not in html
    assert "default-src 'none'" in html


def test_a_name_stays_a_name(folder: Path, replayed: ReplayResult) -> None:
    plain = Tags((folder / "timeline.html").read_text()).seen
    replayed.name = HOSTILE
    replayed.events[0]["reason"] = HOSTILE
    peaks = read_outline(folder / "mix.wav")
    shown = timeline(replayed, peaks.seconds)
    html = page(shown, peaks, folder / "mix.wav")
    html.encode()
    assert [tag for tag, _ in Tags(html).seen] == [tag for tag, _ in plain]
    assert data_of(html)["name"] == HOSTILE.replace("\x01", "�").replace("\udcff", "�")
    assert data_of(html)["events"][0]["reason"] == HOSTILE
    root = drawing(svg(shown, peaks))
    assert root.findtext(f"{SVG}title") == f"Timeline of {data_of(html)['name']}"


@pytest.mark.parametrize("compressed", [True, False])
def test_a_long_mix_stays_beside_the_page(
    folder: Path, replayed: ReplayResult, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    if compressed:
        pytest.importorskip("soundfile")
    else:
        monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.setattr(audio_of_page, "LEAST_BYTES", 10_000)
    monkeypatch.setattr(audio_of_page, "BYTES_PER_S", 100)
    peaks = read_outline(folder / "mix.wav")
    html = page(timeline(replayed, peaks.seconds), peaks, folder / "mix.wav")
    (audio,) = [attributes for tag, attributes in Tags(html).seen if tag == "audio"]
    assert audio["src"] == "mix.wav"
    assert data_of(html)["audio"] == "beside"
    assert len(html) < 200_000


@pytest.mark.parametrize("compressed", [True, False])
def test_the_audio_in_the_page_is_that_of_the_mix(
    folder: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    if compressed:
        pytest.importorskip("soundfile")
    else:
        monkeypatch.setitem(sys.modules, "soundfile", None)
    mix = folder / "mix.wav"
    kind, _, encoded = audio_of_page.audio_url(mix, read_outline(mix)).partition(";base64,")
    content = io.BytesIO(base64.b64decode(encoded))
    if compressed:
        import soundfile

        assert kind == "data:audio/flac"
        heard, rate = soundfile.read(content, dtype="int16")
    else:
        assert kind == "data:audio/wav"
        with wave.open(content) as file:
            raw, rate = file.readframes(file.getnframes()), file.getframerate()
        heard = (np.frombuffer(raw, np.uint8).reshape(-1, 2).astype(np.int16) - 128) * 256
    with wave.open(str(mix)) as file:
        whole = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(float)
    assert rate == 8000
    assert abs(len(heard) * 2 - len(whole)) <= 2
    halved = whole[: len(heard) * 2 : 2]
    error = heard[: len(halved)] - halved
    assert np.sqrt((error[2000:-2000] ** 2).mean()) < 0.1 * np.sqrt((halved**2).mean())


def test_nothing_in_our_own_scripts_ends_them() -> None:
    for path in TEMPLATE.parent.iterdir():
        if path.suffix != ".html":
            assert not re.search(r"</(script|style)|<!--", path.read_text(), re.IGNORECASE)
