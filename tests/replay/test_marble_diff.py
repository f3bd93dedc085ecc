"""Two marble texts that differ are shown one under the other, so that one sees at a glance where."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.test_wav_replay import TALK
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.replay.marble_diff import difference, line_difference
from webapi.voice_node.replay.marbles import render
from webapi.voice_node.replay.wav_replay import replay

SHOWN = """\
- expected, + got; the first difference is at 0.5 s

          0s        1s        2s        3s        4s        5s
          |         |         |         |         |         |
- voice   -----###########---------#########-------------------------
- turns   ------S----------E--------B---------E----------------------
- bot     ------------------========x----------================------
+ voice   -----###########---------#########-------------------------
+ turns   -----S-----------E-------B----------E----------------------
+ bot     ------------------=======x-----------================------
               ^

  talk.wav  5.800 s  graph default  a column is 100 ms
-     0.620  S 0  speech_started
-     1.760  E 0  speech_ended  1.380 s, 1060 ms voiced, silence
+     0.580  S 0  speech_started
+     1.760  E 0  speech_ended  1.420 s, 1060 ms voiced, silence
      1.880  P 0  playback_started
"""


def marbles(folder: Path, pcm: bytes = TALK, **settings: object) -> str:
    """The marbles of `pcm` through the default graph."""
    write_wav(folder / "talk.wav", pcm, 48_000)
    made = pinned_settings(**{"mock_reply": "tone:1.5", "vad_backend": "webrtc", **settings})
    return render(replay(folder / "talk.wav", load_graph("default", made), made))


def test_the_same_is_no_difference(tmp_path: Path) -> None:
    text = marbles(tmp_path)
    assert difference(text, text) == ""
    assert line_difference("a\nb\n", "a\nb\n") == ""


def test_the_pictures_stand_one_under_the_other_and_then_the_lines(tmp_path: Path) -> None:
    said = difference(marbles(tmp_path), marbles(tmp_path, vad_speech_start_frames=4))
    assert said.startswith(SHOWN)
    assert SHOWN in (Path(__file__).parents[2] / "docs" / "replay.md").read_text(encoding="utf-8")
    assert all(len(line) <= 80 for line in said.splitlines())


def test_of_a_long_call_only_the_band_is_shown_where_it_first_differs(tmp_path: Path) -> None:
    long = TALK + silence(1.0) + vowel(1.0) + silence(2.2)
    before, after = marbles(tmp_path, long), marbles(tmp_path, long[:-96_000] + vowel(0.5) + silence(0.5))
    lines = difference(before, after).splitlines()
    assert lines[0] == "- expected, + got; the first difference is at 9.0 s"
    assert lines[2].split()[:3] == ["7s", "8s", "9s"]
    column = lines[10].index("^")
    assert lines[3][column] == "|"
    assert [line[column] for line in lines[4:10] if "voice" in line] == ["-", "#"]
    assert {line[:3] for line in lines[12:]} >= {"+  "}
    assert [line for line in lines if "0.620" in line] == []  # what came long before is not shown
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("column", [69, 70, 71, 139, 140])
def test_the_mark_is_under_the_column_at_the_edges_of_a_band_too(column: int) -> None:
    rows = "".join(f"voice   {'-' * 70}\nturns   {'-' * 70}\nbot     {'-' * 70}\n\n" for _ in range(3))
    old, new = (rows.split("voice   ") for _ in range(2))
    band, within = divmod(column, 70)
    new[band + 1] = new[band + 1][:within] + "#" + new[band + 1][within + 1 :]
    lines = difference("voice   ".join(old), "voice   ".join(new)).splitlines()
    assert lines[0].endswith(f"at {column / 10:.1f} s")
    mark = lines[-1].index("^")
    assert [line[mark : mark + 1] for line in lines if "voice" in line] == ["-", "#"]


def test_pictures_that_are_the_same_are_not_shown(tmp_path: Path) -> None:
    said = difference(marbles(tmp_path), marbles(tmp_path, mock_think_ms=125)).splitlines()
    assert said[0] == "- expected, + got; the pictures are the same"
    assert said[3:5] == ["-     1.880  P 0  playback_started", "+     1.885  P 0  playback_started"]


def test_a_difference_in_the_title_alone(tmp_path: Path) -> None:
    text = marbles(tmp_path)
    said = difference(text, text.replace("graph default", "graph other"))
    assert "- talk.wav  5.800 s  graph default" in said
    assert "+ talk.wav  5.800 s  graph other" in said


def test_one_that_ends_earlier(tmp_path: Path) -> None:
    said = difference(marbles(tmp_path), marbles(tmp_path, TALK[: len(TALK) // 2]))
    assert "first difference is at 2.9 s" in said
    assert "+ voice   -----###########---------####" in said


def test_everything_different_is_still_short(tmp_path: Path) -> None:
    many = (vowel(0.4) + silence(1)) * 20
    said = difference(marbles(tmp_path, many), marbles(tmp_path, many, vad_speech_end_frames=12)).splitlines()
    assert len(said) <= 30
    assert said[-1] == "  …"


def test_a_blank_line_is_a_difference_and_named(tmp_path: Path) -> None:
    text = marbles(tmp_path)
    assert difference(text, text + "\n").endswith("- (the end)\n+ '\\n'")
    assert "the pictures are the same" not in difference(text, text[:-1])


def test_lines_of_any_text() -> None:
    assert line_difference("a\nb\nc\n", "a\nx\nc\n") == "the first difference is in line 2:\n- b\n+ x"
    assert line_difference("a\nb\n", "a\n") == "the first difference is in line 2:\n- b\n+ (the end)"
    assert line_difference("a\nb\n", "a\nb") == "the first difference is in line 2:\n- b\n+ 'b'"
