"""Sweeps: the grid, the numbers of a cell, the front, and the command from its recordings to its files."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.process import Ended, run_node
from tests.replay.test_wav_replay import SETTINGS, TALK
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.settings_used import settings_used
from webapi.voice_node.main import main
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.sweep.corpus import find_corpus
from webapi.voice_node.replay.sweep.grid import cells, parse
from webapi.voice_node.replay.sweep.plots import draw
from webapi.voice_node.replay.sweep.rows import Facts, Row, facts, mark_best, row
from webapi.voice_node.replay.sweep.scoring import Score, SpeechSpan
from webapi.voice_node.replay.sweep.table import show
from webapi.voice_node.replay.wav_replay import replay


def load(point: Mapping[str, str]) -> Settings:
    return load_settings(None, **{"vad_backend": "webrtc", **{name.lower(): value for name, value in point.items()}})


# ---------------------------------------------------------------- the grid


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("VAD_PREROLL_MS=4..7", ["4", "5", "6", "7"]),
        ("VAD_PREROLL_MS=4..10:3", ["4", "7", "10"]),
        ("VAD_PREROLL_MS=4..9:3", ["4", "7"]),
        (" vad_preroll_ms = 8, 10 ,15", ["8", "10", "15"]),
        ("VAD_PREROLL_MS=1,4..6,5", ["1", "4", "5", "6"]),
        ("VAD_PREROLL_MS=../a.wav,../b.wav", ["../a.wav", "../b.wav"]),
    ],
)
def test_a_grid_is_read(text: str, values: list[str]) -> None:
    assert parse(text) == ("VAD_PREROLL_MS", values)


@pytest.mark.parametrize(
    ("grids", "said"),
    [
        (["VAD_PREROLL_MS"], "it is --grid NAME=4..10"),
        (["VAD_PREROLL_MS="], "it is --grid NAME=4..10"),
        (["VAD_PREROL_MS=1"], "there is no setting 'VAD_PREROL_MS'. Did you mean 'VAD_PREROLL_MS'?"),
        (["VAD_PREROLL_MS=9..4"], "goes up"),
        (["VAD_PREROLL_MS=1..9:0"], "goes up"),
        (["VAD_PREROLL_MS=1..99999999"], "goes up"),
        (["VAD_PREROLL_MS=1..2", "VAD_PREROLL_MS=3"], "set twice"),
        (["VOICE_GRAPH=default"], "set twice"),
        (["VAD_SPEECH_START_FRAMES=99..101"], "VAD_SPEECH_START_FRAMES=101"),
        (["WEB_PORT=1,2"], "the graph default does not use it, so every cell would be the same. It uses: AUDIO_"),
        (["VAD_PREROLL_MS=0..1000", "VAD_SPEECH_END_FRAMES=1..100"], "have 100,100 cells; 10,000 is the most"),
    ],
)
def test_a_grid_that_makes_no_sense_is_told(grids: list[str], said: str) -> None:
    with pytest.raises(UserError) as told:
        cells(grids, ["VOICE_GRAPH"], load)
    assert said in str(told.value)


def test_the_last_grid_changes_fastest_and_reaches_the_graph() -> None:
    found = cells(["VAD_SPEECH_START_FRAMES=4,5", "VOICE_GRAPH=default,patient"], [], load)
    assert [tuple(cell.values.values()) for cell in found] == [
        ("4", "default"), ("4", "patient"), ("5", "default"), ("5", "patient"),
    ]  # fmt: skip
    assert [cell.graph.name for cell in found] == ["default", "patient"] * 2
    turns = {stream.name: stream for stream in found[2].graph.streams}["turns"]
    assert turns.steps[1].arguments["start_frames"] == 5


def test_what_a_graph_uses() -> None:
    default = settings_used(load_graph("default", SETTINGS))
    assert {"VAD_SPEECH_START_FRAMES", "ORCHESTRATOR", "MOCK_REPLY", "MOCK_THINK_MS", "REPLY_TIMEOUT_MS"} < default
    assert "VAD_SPEECH_START_FRAMES" not in settings_used(load_graph("patient", SETTINGS))
    assert "MOCK_REPLY" not in settings_used(load_graph("echo", SETTINGS))


# ---------------------------------------------------------------- the numbers of a cell

CALL = [  # heard where nobody spoke, then over the bot, then twice in what was one utterance
    ("speech_started", 0.2, 0), ("speech_ended", 0.6, 0),
    ("speech_started", 1.1, 1), ("barge_in", 1.1, 1), ("speech_ended", 2.0, 1),
    ("speech_started", 2.4, 2), ("barge_in", 2.4, 2), ("speech_ended", 3.2, 2),
    ("speech_started", 6.1, 3), ("barge_in", 6.1, 3), ("superseded", 6.1, 3),
]  # fmt: skip


def replayed() -> ReplayResult:
    events = []
    for event, t, turn in CALL:
        trace_id = {"barge_in": f"t{turn - 1}", "superseded": f"t{turn - 1}"}.get(event, f"t{turn}")
        more = {"t_first_voiced": round(t - 0.1, 3)} if event == "speech_started" else {"by": f"t{turn}"}
        events.append({"event": event, "t": t, "trace_id": trace_id, **more})
    lines = [{"latency_speech_end_to_first_bot_chunk_ms": ms} for ms in (100.0, None, 300.0)]
    return ReplayResult("a.wav", "default", 8.0, truncated=True, events=events, metrics=lines, problems=["bang"])


def test_what_one_recording_says() -> None:
    found = facts(replayed(), [SpeechSpan(1.0, 3.0)])
    assert found.counts == (4, 3, 3, 1)
    assert found.latencies_ms == (100.0, 300.0)
    assert [note.split()[-1] for note in found.notes] == ["replayed", "bang"]
    assert found.score is not None
    assert found.score.kinds == ("false", "found", "split", "false")
    assert found.score.start_delays_s == (0.1,)
    assert found.score.end_delays_s == (0.2,)
    assert found.false_barge_ins == 1  # of the three, the one by the last start
    assert facts(replayed(), None).score is None


def test_recordings_add_up_and_what_is_not_there_is_none() -> None:
    one = Facts((4, 3, 2, 1), (100.0, 300.0))
    two = Facts((1, 1, 0, 0), (200.0,), score=Score(3, ("found", "late", "false"), (0.1,), (0.2, 0.4), 5.0, 30.0))
    made = row({"A": "1"}, [one, two])
    assert {name: made[name] for name in ("A", "recordings", "starts", "ends", "barge_ins", "superseded")} == {
        "A": "1", "recordings": 2, "starts": 5, "ends": 4, "barge_ins": 2, "superseded": 1,
    }  # fmt: skip
    assert (made["latency_ms_p50"], made["latency_ms_p95"]) == (200.0, 290.0)
    assert (made["labelled"], made["onsets"], made["found"], made["missed"], made["late"]) == (1, 3, 1, 2, 1)
    assert (made["false_starts"], made["false_per_minute"], made["end_delay_ms_p50"]) == (1, 2.0, 300.0)
    bare = row({"A": "1"}, [one])
    assert list(bare) == list(made)
    assert bare["labelled"] == 0
    assert {bare[name] for name in list(bare)[9:]} == {None}


def costing(missed: int, false: int, splits: int, start_ms: float | None, end_ms: float | None) -> Row:
    made = row({}, [Facts((0, 0, 0, 0), (), score=Score())])
    counts = {"missed": missed, "false_starts": false, "splits": splits}
    return {**made, **counts, "start_delay_ms_p50": start_ms, "end_delay_ms_p50": end_ms}


def test_the_front_is_what_no_other_beats() -> None:
    rows = [
        costing(0, 1, 1, 100, 200),
        costing(0, 2, 0, 150, 150),  # as good in all three
        costing(0, 2, 1, 100, 200),  # beaten in one
        costing(1, 0, 0, 100, 300),
        costing(0, 9, 0, 50, 200),
        costing(2, 0, 0, None, None),  # found nothing: beaten by what missed less
    ]
    mark_best(rows)
    assert [row["best"] for row in rows] == [True, True, False, True, True, False]


# ---------------------------------------------------------------- the command


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One that is labelled (the label of its second speech is not there), and one that is not."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_wav(folder / "a.wav", TALK, 48_000)
    (folder / "a.txt").write_text("0.5\t1.5\tspeech\n")
    write_wav(folder / "b.wav", silence(0.5) + vowel(1.0) + silence(0.5), 48_000)
    return folder


GRID = ("--grid", "VAD_SPEECH_START_FRAMES=4..6:2", "--grid", "VAD_SPEECH_END_FRAMES=8,40")


Sweep = Callable[..., Ended]


@pytest.fixture
def swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sweep:
    """`voice-node sweep …` in this process, with `tmp_path` as its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAD_BACKEND", "webrtc")
    monkeypatch.setenv("MOCK_REPLY", "tone:1.5")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))

    def sweep(*arguments: str | Path) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main(["sweep", *map(str, arguments), "--jobs", "1"])
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return sweep


def test_a_sweep_says_what_each_cell_heard(corpus: Path, tmp_path: Path, swept: Sweep) -> None:
    ended = swept("corpus", *GRID, "--out", "one")
    assert (ended.code, ended.err) == (0, "")
    assert "2 recordings, 7.8 seconds" in ended.out
    assert "Labelled: 1 recording, 5.8 seconds with 1 onset. Those without labels (1) count only" in ended.out
    assert "★" in ended.out
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "sweep.csv", "sweep.json", "sweep.png", "sweep.svg",
    ]  # fmt: skip
    with (tmp_path / "one" / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["VAD_SPEECH_START_FRAMES"], r["VAD_SPEECH_END_FRAMES"]) for r in rows] == [
        ("4", "8"), ("4", "40"), ("6", "8"), ("6", "40"),
    ]  # fmt: skip
    assert {(r["recordings"], r["labelled"], r["found"], r["missed"], r["false_starts"]) for r in rows} == {
        ("2", "1", "1", "0", "1"),
    }  # fmt: skip
    assert [r["starts"] for r in rows] == ["3"] * 4
    # Two frames more to start are 40 ms; 32 more to end are 640.
    assert float(rows[2]["start_delay_ms_p50"]) - float(rows[0]["start_delay_ms_p50"]) == pytest.approx(40)
    assert float(rows[1]["end_delay_ms_p50"]) - float(rows[0]["end_delay_ms_p50"]) == pytest.approx(640)
    assert [r["best"] for r in rows] == ["True", "False", "False", "False"]
    whole = json.loads((tmp_path / "one" / "sweep.json").read_text())
    assert whole["grid"] == {"VAD_SPEECH_START_FRAMES": ["4", "6"], "VAD_SPEECH_END_FRAMES": ["8", "40"]}
    assert [(Path(r["file"]).name, r["labels"]) for r in whole["recordings"]] == [("a.wav", 1), ("b.wav", None)]
    of_its_own = {"VAD_BACKEND": "webrtc", "MOCK_REPLY": "tone:1.5"}
    assert run_node("sweep", "corpus", *GRID, "--out", "two", "--jobs", "2", cwd=tmp_path, **of_its_own) == ended
    for name in ("sweep.csv", "sweep.json", "sweep.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_was_heard_is_kept_on_disk_unless_that_is_not_wanted(corpus: Path, tmp_path: Path, swept: Sweep) -> None:
    kept = tmp_path / "cache" / "voice-node" / "heard"
    without = swept("corpus", *GRID, "--no-cache")
    assert not kept.exists()
    assert swept("corpus", *GRID) == without
    assert len(list(kept.iterdir())) == 2
    assert swept("corpus", *GRID) == without


def test_the_numbers_are_those_of_a_replay(corpus: Path, tmp_path: Path, swept: Sweep) -> None:
    swept("corpus/a.wav", *GRID[:2], "--out", "out")
    settings = replace_settings(vad_speech_start_frames=4)
    one = facts(replay(corpus / "a.wav", load_graph("default", settings), settings), [SpeechSpan(0.5, 1.5)])
    cell = json.loads((tmp_path / "out" / "sweep.json").read_text())["cells"][0]
    expected = row({"VAD_SPEECH_START_FRAMES": "4"}, [one])
    assert cell == {**expected, "best": cell["best"]}


def replace_settings(**changes: object) -> Settings:
    return load_settings(None, mock_reply="tone:1.5", vad_backend="webrtc", **changes)


def test_without_labels_nothing_is_said_about_right_and_wrong(corpus: Path, tmp_path: Path, swept: Sweep) -> None:
    ended = swept("corpus/b.wav", *GRID, "--out", "out")
    assert ended.code == 0
    assert "No labels" in ended.out
    assert "missed" not in ended.out
    assert (tmp_path / "out" / "sweep.svg").exists()


def test_labels_of_a_folder_of_their_own(corpus: Path, tmp_path: Path, swept: Sweep) -> None:
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks" / "b.txt").write_text("0.5\t1.5\tspeech\n")
    ended = swept("corpus", *GRID, "--labels", "marks")
    assert "Labelled: 1 recording, 2.0 seconds" in ended.out
    assert "--labels nowhere: there is no such folder" in swept("corpus", *GRID, "--labels", "nowhere").err


def test_of_a_recorded_call_what_the_caller_said(tmp_path: Path) -> None:
    call, marks = tmp_path / "calls" / "20260131-101500-a", tmp_path / "marks"
    call.mkdir(parents=True)
    marks.mkdir()
    (call / "call.json").write_text("{}")
    write_wav(call / "caller.wav", silence(2.0), 48_000)
    write_wav(call / "replies.wav", silence(2.0), 48_000)
    (found,) = find_corpus([str(tmp_path / "calls")], None)
    assert (found.path, found.seconds, found.labels) == (call / "caller.wav", 2.0, None)
    (call / "caller.txt").write_text("0\t1\tspeech\n")
    (marks / f"{call.name}.txt").write_text("1\t2\tspeech\n")
    assert find_corpus([str(call)], None)[0].labels == (SpeechSpan(0.0, 1.0),)
    assert find_corpus([str(call)], marks)[0].labels == (SpeechSpan(1.0, 2.0),)


def test_label_files_that_a_pattern_also_gave_are_left_alone(corpus: Path) -> None:
    found = find_corpus([str(path) for path in sorted(corpus.iterdir())], None)
    assert [recording.path.name for recording in found] == ["a.wav", "b.wav"]


def test_what_the_user_has_to_mend(corpus: Path, tmp_path: Path, swept: Sweep) -> None:
    for arguments, said in (
        (("corpus",), "--grid"),
        (("corpus", "--grid", "LOG_LEVEL=INFO,DEBUG"), "does not use it"),
        (("corpus", "--grid", "NOPE=1"), "there is no setting 'NOPE'"),
        (("corpus", *GRID, "--set", "VAD_SPEECH_END_FRAMES=7"), "set twice"),
        (("corpus", "--grid", "VOICE_GRAPH=default,patient", "--graph", "default"), "set twice"),
        (("corpus", *GRID, "--graph", "patient"), "the graph patient does not use it"),
        (("nowhere.wav", *GRID), "None of the recordings could be replayed."),
    ):
        ended = swept(*arguments)
        assert (ended.code, said in ended.err, "Traceback" in ended.err) == (2, True, False), ended.said
    (corpus / "a.txt").write_text("speech from here to there\n")
    assert f"{Path('corpus', 'a.txt')}:1: " in swept("corpus", *GRID).err


def test_a_bad_recording_is_told_once_and_the_others_count(corpus: Path, tmp_path: Path, swept: Sweep) -> None:
    (corpus / "bad.wav").write_text("hello")
    ended = swept("corpus", *GRID)
    assert ended.code == 1
    assert ended.err.count("bad.wav: not a WAV file") == 1
    assert "2 recordings, 7.8 seconds" in ended.out


def test_without_matplotlib_there_is_no_picture_and_the_rest(
    corpus: Path, tmp_path: Path, swept: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for module in ("report.plotting", "replay.sweep.plots"):
        monkeypatch.delitem(sys.modules, f"webapi.voice_node.{module}")
    ended = swept("corpus/b.wav", *GRID[:2], "--out", "out")
    assert ended.code == 0
    assert "Pictures need matplotlib" in ended.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["sweep.csv", "sweep.json"]


def test_pictures_that_cannot_be_written_are_an_error(corpus: Path, tmp_path: Path, swept: Sweep) -> None:
    (tmp_path / "out" / "sweep.png").mkdir(parents=True)
    ended = swept("corpus/b.wav", *GRID[:2], "--out", "out")
    assert ended.code == 2
    assert "out: pictures can't be written: Is a directory" in ended.err
    assert "1 recording, 2.0 seconds" in ended.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"sweep.csv", "sweep.json", "sweep.png"}


def test_a_picture_of_cells_that_found_nothing(tmp_path: Path) -> None:
    rows = [{**costing(2, 0, 0, None, None), "A": "1", "best": True}]
    assert [path.stat().st_size > 1000 for path in draw(rows, ["A"], tmp_path)] == [True, True]


def test_a_picture_of_more_cells_than_a_picture_can_hold_says_what_it_leaves_out(tmp_path: Path) -> None:
    rows = [{"labelled": 0, "starts": i, "barge_ins": 0, "latency_ms_p50": None, "A": str(i)} for i in range(3000)]
    _, svg = draw(rows, ["A"], tmp_path)
    assert "the first 200 of 3000 cells" in svg.read_text(encoding="utf-8")


def test_on_a_narrow_terminal_no_number_is_cut_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    show([row({"A": "1"}, [Facts((123456, 1234, 1234, 1234), ())])], ["A"], [(2.0, True)])
    out = capsys.readouterr().out
    assert "123456" in out
    assert "…" not in out


def test_a_table_where_what_is_labelled_could_not_be_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    show([row({"A": "1"}, [Facts((1, 1, 0, 0), ())])], ["A"], [(2.0, True), (3.0, False)])
    assert "Labelled: 1 recording, 2.0 seconds with 0 onsets." in capsys.readouterr().out
