"""The report: numbers that add up, bad lines named and left out, pictures that are there."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from webapi.voice_node.cli.report import print_report
from webapi.voice_node.errors import UserError
from webapi.voice_node.report.metrics_reader import MEASURES
from webapi.voice_node.report.plots import draw, timeline
from webapi.voice_node.report.summary import summary
from webapi.voice_node.report.table import show

ROOT = Path(__file__).parents[2]


def turn(index: int, **changes: Any) -> dict[str, Any]:
    """A turn that went well: a second of speech, an answer after 100 + `index` ms."""
    wait = 0.1 + index / 1000
    return {
        "trace_id": f"t{index}",
        "session_id": "s",
        "room": "demo",
        "turn_index": index,
        "t1_first_user_audio": 10.0,
        "t2_speech_ended": 11.0,
        "t3_logic_start": 11.001,
        "t4_llm_request_done": None,
        "t5_tts_first_chunk": 11 + wait - 0.01,
        "t6_first_bot_audio": 11 + wait,
        "barge_in": False,
        "playback_cancelled": False,
        "outcome": "completed",
        "latency_user_to_first_bot_chunk_ms": 1000 + wait * 1000,
        "latency_speech_end_to_first_bot_chunk_ms": wait * 1000,
        "vad_speech_ms": 700,
        "speech_end": "silence",
        "heard_ms": 500,
        "barge_in_stop_ms": None,
        "graph": "default",
        **changes,
    }


CUT = {"outcome": "barged_in", "barge_in": True, "playback_cancelled": True, "barge_in_stop_ms": 140.0}


def written(path: Path, turns: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(t) + "\n" for t in turns), encoding="utf-8")
    return path


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    numbers: dict[str, Any] = json.loads(capsys.readouterr().out)
    return numbers


# ---------------------------------------------------------------- numbers


def test_numbers_of_several_files_and_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = written(tmp_path / "1.jsonl", [turn(i) for i in range(50)])
    two = written(tmp_path / "2.jsonl", [turn(i, session_id="s2") for i in range(50, 100)])
    third = "\n".join(json.dumps(t) for t in [turn(100, **CUT), {**turn(0), "outcome": "timeout", "heard_ms": 0}])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(third.encode())))
    assert print_report([one, two, "-"], as_json=True) == 0
    numbers = printed(capsys)
    assert (numbers["turns"], numbers["sessions"], numbers["skipped_lines"]) == (102, 2, 0)
    assert numbers["outcomes"] == {"completed": 100, "barged_in": 1, "timeout": 1}
    assert (numbers["barge_ins"], numbers["playbacks_cancelled"]) == (1, 1)
    assert set(numbers["measures"]) == set(MEASURES)
    assert numbers["measures"]["barge_in_stop_ms"] == dict.fromkeys(("p50", "p90", "p95", "p99", "max"), 140.0) | {
        "n": 1
    }


def test_percentiles_and_stages() -> None:
    numbers = summary([turn(i) for i in range(101)])
    assert numbers["measures"]["latency_speech_end_to_first_bot_chunk_ms"] == pytest.approx(
        {"n": 101, "p50": 150, "p90": 190, "p95": 195, "p99": 199, "max": 200}
    )
    assert numbers["stages"]["t5_t6_ms"]["p50"] == pytest.approx(10)
    assert numbers["stages"]["t2_t3_ms"]["max"] == pytest.approx(1)
    assert numbers["stages"]["t3_t4_ms"] == {"n": 0}  # what did not happen has no number


def test_a_stage_counts_only_where_its_times_came_in_this_order(tmp_path: Path) -> None:
    streaming = turn(0, t4_llm_request_done=31.0)  # done long after the first audio
    numbers = summary([streaming, turn(1, t4_llm_request_done=11.05)])
    assert (numbers["stages"]["t3_t4_ms"]["n"], numbers["stages"]["t4_t5_ms"]["n"]) == (2, 1)
    assert numbers["stages"]["t4_t5_ms"]["max"] > 0
    early = turn(2, t5_tts_first_chunk=10.9)  # reported before the orchestrator was asked
    assert summary([early])["stages"]["t3_t5_ms"] == {"n": 0}
    figure = timeline([streaming, early])
    assert figure is not None
    (axes,) = figure.axes
    assert all(bar.get_width() >= 0 for bar in axes.patches)  # type: ignore[attr-defined]  # they are rectangles
    assert axes.get_xlim()[1] < 1000  # ms: the wait, not the length of the language model's work


def test_prompts_are_no_answers() -> None:
    nothing = {"t1_first_user_audio": None, "t2_speech_ended": None, "speech_end": None, "vad_speech_ms": None}
    nothing |= {"latency_speech_end_to_first_bot_chunk_ms": None, "latency_user_to_first_bot_chunk_ms": None}
    prompts = [turn(7, prompt="hello.wav", **nothing), {**turn(8, prompt="hello.wav", **nothing), "outcome": "empty"}]
    answers = [turn(i) for i in range(5)]
    numbers = summary([*answers, *prompts])
    assert numbers["prompts"] == {"completed": 1, "empty": 1}
    assert {**numbers, "prompts": {}} == summary(answers)
    console = Console(file=io.StringIO(), width=100)
    show(numbers, console)
    assert isinstance(console.file, io.StringIO)
    assert "prompts: completed 1  empty 1\n" in console.file.getvalue()


def test_ducks_are_summed_and_told_where_there_are_some() -> None:
    soft = {"duck_ms": 60.0, "ducked": 2, "duck_restored": 1}
    numbers = summary([turn(0), turn(1, **soft, duck_stopped=1), turn(2, **soft, duck_stopped=None)])
    assert (numbers["ducked"], numbers["duck_restored"], numbers["duck_stopped"]) == (4, 2, 1)
    assert numbers["measures"]["duck_ms"]["n"] == 2
    for shown, there in ((numbers, True), (summary([turn(0)]), False)):
        console = Console(file=io.StringIO(), width=100)
        show(shown, console)
        assert isinstance(console.file, io.StringIO)
        assert ("ducked 4: loud again 2, stopped 1\n" in console.file.getvalue()) is there


def test_people_get_a_table() -> None:
    console = Console(file=io.StringIO(), width=100)
    show(summary([turn(0), turn(1, **CUT), turn(2, outcome="[red]odd", speech_end="noise")]), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "speech ended by: noise 1  silence 2" in text
    assert "3 turns, 1 session" in text
    assert "completed 1  barged_in 1  [red]odd 1" in text
    row = next(line for line in text.splitlines() if "end of speech to first bot audio" in line)
    assert row.split()[-6:] == ["3", "101", "102", "102", "102", "102"]
    row = next(line for line in text.splitlines() if "language model" in line)
    assert row.split()[-6:] == ["0", "–", "–", "–", "–", "–"]


def test_a_narrow_terminal_gets_whole_words_and_numbers() -> None:
    texts = []
    for width in (100, 40):
        console = Console(file=io.StringIO(), width=width)
        show(summary([turn(0), turn(1, **CUT)]), console)
        assert isinstance(console.file, io.StringIO)
        texts.append(console.file.getvalue())
    assert texts[0] == texts[1]


# ---------------------------------------------------------------- bad input


def test_bad_lines_are_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.jsonl"
    good = json.dumps(turn(0)).encode()
    bad = [
        good[: len(good) // 2],  # the node was killed while it wrote
        b"[1, 2]",
        b"\xff\xfe",
        b'{"outcome": "completed"}',
        b'{"trace_id": "x", "outcome": 3}',
        b'{"trace_id": "x", "outcome": "completed", "heard_ms": "much"}',
        b'{"trace_id": "x", "outcome": "completed", "heard_ms": true}',
        b'{"trace_id": "x", "outcome": "completed", "t6_first_bot_audio": NaN}',
        b"[" * 100_000,
    ]
    path.write_bytes(b"\n".join([good, b"", *bad, good]))
    assert print_report([path], as_json=True) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["turns"] == 2
    assert json.loads(said.out)["skipped_lines"] == len(bad)
    lines = said.err.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:{i + 3}" for i in range(len(bad))]
    assert "no trace_id" in lines[3]
    assert "heard_ms is neither a number nor null" in lines[5]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heard_ms": 10**400}, "heard_ms is out of range"),
        ({"t2_speech_ended": -(10**400)}, "t2_speech_ended is out of range"),
        ({"heard_ms": 1e300}, "heard_ms is out of range"),
        ({"heard_ms": math.inf}, "heard_ms is out of range"),
        ({"heard_ms": math.nan}, "heard_ms is neither a number nor null"),
        ({"heard_ms": [1]}, "heard_ms is neither a number nor null"),
        ({"session_id": ["s"]}, "session_id is neither a text nor null"),
        ({"speech_end": {"a": 1}}, "speech_end is neither a text nor null"),
        ({"prompt": [[]]}, "prompt is neither a text nor null"),
        ({"graph": 7}, "graph is neither a text nor null"),
        ({"turn_index": 10**400}, "turn_index is neither a whole number nor null"),
        ({"turn_index": 1.5}, "turn_index is neither a whole number nor null"),
        ({"outcome": None}, "no outcome"),
    ],
)
def test_values_that_no_turn_has_are_named_and_the_others_count(
    changes: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (turn(0), {**turn(1), **changes}, turn(2))))
    assert print_report([path], as_json=True) == 0
    shown = capsys.readouterr()
    assert shown.err == f"{path}:2: {said}\n"
    assert json.loads(shown.out)["turns"] == 2
    assert "Infinity" not in shown.out


@pytest.mark.parametrize("line", [b'{"heard_ms": 1e400}', b'{"a": ' + b"9" * 5000 + b"}", b"[" * 100_000])
def test_lines_that_json_itself_refuses_or_changes(
    line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "metrics.jsonl"
    good = json.dumps(turn(0)).encode()
    path.write_bytes(b"\n".join([line, good.replace(b'"heard_ms": null', b'"heard_ms": 1e400'), good, b""]))
    assert print_report([path], as_json=True) == 0
    assert f"{path}:1: " in capsys.readouterr().err


def test_names_with_a_dollar_are_no_formula(tmp_path: Path) -> None:
    assert draw([turn(0, outcome="$\\frac$")], tmp_path)


def test_many_bad_lines_are_not_all_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(turn(0))[:-1] + "\n" + "x\n" * 499)
    assert print_report([path]) == 1  # nothing in it was a whole turn
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "… and 490 more lines like these"


def test_an_empty_file_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "m.jsonl", [])
    assert print_report([path], tmp_path / "out") == 0
    assert capsys.readouterr().out == "0 turns, 0 sessions\n"
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.jsonl can't be read: No such file"):
        print_report([tmp_path / "gone.jsonl"])


# ---------------------------------------------------------------- pictures


def test_pictures_of_every_kind_are_drawn_and_the_same_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "m.jsonl", [turn(i, **(CUT if i % 7 == 0 else {})) for i in range(60)])
    assert print_report([path], tmp_path / "a") == 0
    assert print_report([path], tmp_path / "b") == 0
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == [f"{n}.{k}" for n in ("barge_in_stop", "latency", "timeline") for k in ("png", "svg")]
    assert capsys.readouterr().err.count("wrote ") == 2 * len(names)
    for name in names:
        picture = (tmp_path / "a" / name).read_bytes()
        assert picture == (tmp_path / "b" / name).read_bytes()
        if name.endswith("svg"):
            assert ElementTree.fromstring(picture).tag.endswith("svg")  # noqa: S314 - our own file
        else:
            assert picture.startswith(b"\x89PNG")


def test_a_picture_without_values_is_left_out(tmp_path: Path) -> None:
    never = dict.fromkeys(("t6_first_bot_audio", *MEASURES))
    failed = [turn(0, **{**never, "outcome": "failed"}), {"trace_id": "x", "outcome": "closed"}]
    assert {path.name for path in draw(failed, tmp_path)} == {"timeline.png", "timeline.svg"}
    assert draw(failed[1:], tmp_path) == []


def test_one_turn_at_time_zero_can_be_drawn(tmp_path: Path) -> None:
    zero = dict.fromkeys(MEASURES, 0)
    assert len(draw([turn(0, **zero, barge_in=True)], tmp_path)) == 6


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="pictures can't be written"):
        draw([turn(0)], tmp_path / "file")


def test_without_matplotlib_the_numbers_still_come_and_pictures_say_what_to_install(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", [turn(0)])
    program = f"""
import sys
sys.modules["matplotlib"] = None  # what an import of a missing package looks like
from pathlib import Path
from webapi.voice_node.errors import UserError
from webapi.voice_node.cli.report import print_report
assert print_report([{str(path)!r}]) == 0
try:
    print_report([{str(path)!r}], Path({str(tmp_path)!r}))
except UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pip install 'matplotlib" in done.stdout.splitlines()[-1]
