"""Label tracks: what Audacity exports is read, and all else is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.sweep.labels import find_labels, read_labels
from webapi.voice_node.replay.sweep.scoring import SpeechSpan


def labels(tmp_path: Path, text: str | bytes, length_s: float = 10.0) -> tuple[SpeechSpan, ...]:
    path = tmp_path / "a.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tuple(label.span for label in read_labels(path, length_s))


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        pytest.param("0.500000\t1.500000\tspeech\n", [(0.5, 1.5)], id="as Audacity exports it"),
        pytest.param("0.5\t1.5", [(0.5, 1.5)], id="without a text or a last line's end"),
        pytest.param("3\t4\tyes please\n0\t1.5\t\n", [(0.0, 1.5), (3.0, 4.0)], id="in any order, of any text"),
        pytest.param("0.5\t1\ta\n\\\t200.0\t900.0\n1\t2\tb\n", [(0.5, 1.0), (1.0, 2.0)], id="with frequencies"),
        pytest.param("\ufeff1\t2\tspeech\r\n\r\n", [(1.0, 2.0)], id="as Windows writes it"),
        pytest.param("9.5\t10.05\tspeech\n", [(9.5, 10.05)], id="a little beyond the end"),
        pytest.param("1\t2\ta\u2028b\x0cc\n", [(1.0, 2.0)], id="with a text of several lines to Python"),
        pytest.param("", [], id="nobody speaks"),
    ],
)
def test_labels_are_read(tmp_path: Path, text: str, spans: list[tuple[float, float]]) -> None:
    assert labels(tmp_path, text) == tuple(SpeechSpan(*span) for span in spans)


def test_each_has_its_text_in_the_order_of_the_spans(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("3\t4\tyes please \n\t\n\\10.0\t20.0\n0\t1.5\n5\t6\tyes\tplease\n", encoding="utf-8")
    assert [label.text for label in read_labels(path, 10.0)] == ["", "yes please", "yes"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\t2\tspeech\nhello world\n", r"a\.txt:2: 'hello world' is no label\. .* ends in \.labels"),
        ("1,5\t2\tspeech\n", r"a\.txt:1: .* is no label"),
        ("1 2 speech\n", r"a\.txt:1: .* is no label"),
        ("1\n", r"a\.txt:1: '1' is no label"),
        ("2\t2\tpoint\n", r"a\.txt:1: from 2 s to 2 s: a label begins at 0 or later, and ends after that"),
        ("3\t2\tspeech\n", r"a\.txt:1: from 3 s to 2 s"),
        ("-1\t2\tspeech\n", r"a\.txt:1: from -1 s"),
        ("nan\t2\tspeech\n", r"a\.txt:1: from nan s"),
        ("1\tinf\tspeech\n", r"a\.txt:1: from 1 s to inf s"),
        ("1\t3\ta\n4\t5\tb\n2\t4\tc\n", r"a\.txt:3: overlaps the label of line 1"),
        ("1\t3\ta\n9\t12\tb\n", r"a\.txt:2: ends at 12 s, and the recording after 10 s"),
        (b"1\t2\t\xff\n", r"a\.txt: not a text file: byte 4 is not UTF-8"),
    ],
)
def test_what_is_no_label_is_told_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        labels(tmp_path, text)


def test_they_are_beside_the_recording_or_in_a_folder(tmp_path: Path) -> None:
    wav, elsewhere = tmp_path / "a.wav", tmp_path / "labels"
    elsewhere.mkdir()
    assert find_labels(wav, "a", None) is None
    (tmp_path / "a.txt").touch()
    assert find_labels(wav, "a", None) == tmp_path / "a.txt"
    (tmp_path / "a.labels").touch()
    assert find_labels(wav, "a", None) == tmp_path / "a.labels"
    assert find_labels(wav, "a", elsewhere) is None
    (elsewhere / "a.txt").touch()
    assert find_labels(wav, "a", elsewhere) == elsewhere / "a.txt"
