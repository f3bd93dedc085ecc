"""The bench of real overlap, with clips that are made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import overlap
from bench.overlap import Outcome, Overlap, missed, outcomes, overlaps
from tests.speech import chatter, silence
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.errors import UserError


def clip(folder: Path, name: str, said_s: float, *, take: bool) -> Path:
    """The caller speaks so long from 3 s on, and the bot hums all the time."""
    caller = np.frombuffer(silence(3.0) + chatter(said_s) + silence(6.0 - said_s), "<i2")
    bot = (2000 * np.sin(np.arange(len(caller)) / 20)).astype("<i2")
    path = folder / f"{name}.wav"
    write_wav(path, np.stack([caller, bot], axis=1).tobytes(), 48_000, channels=2)
    label = {"caller_onset_s": 3.0, "floor_take": take, "caller_segments_s": [[3.0, 3.0 + said_s]]}
    path.with_suffix(".json").write_text(json.dumps(label), encoding="utf-8")
    return path


def test_a_clip_is_run_with_each_rule(tmp_path: Path) -> None:
    word, speech = clip(tmp_path, "word", 0.2, take=False), clip(tmp_path, "speech", 2.0, take=True)
    (stopped,) = outcomes(word, "stop", 0, tmp_path)
    (soft,) = outcomes(word, "duck", 0, tmp_path)
    (talked,) = outcomes(speech, "duck", 0, tmp_path)
    assert (stopped.right, soft.right, talked.right) == (False, True, True)
    assert soft.soft_ms is not None
    assert talked.stop_ms is not None
    assert talked.soft_ms is not None
    assert 0 < talked.soft_ms < talked.stop_ms
    (unheard,) = outcomes(speech, "duck", -90, tmp_path)
    assert (unheard.right, unheard.stop_ms, unheard.soft_ms) == (False, None, None)


TAKE, MM = Overlap("a", 3.0, 9.0, take=True), Overlap("b", 3.0, 3.4, take=False)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(TAKE, "duck", 0, 480, 100, gone=False), []),
        (Outcome(MM, "duck", 0, None, 100, gone=False), []),
        (Outcome(TAKE, "stop", 0, None, None, gone=False), []),  # only `duck` has goals
        (Outcome(TAKE, "duck", 0, 520, 100, gone=False), ["a at 3 s, +0 dB: a take, stopped after 520 ms"]),
        (Outcome(MM, "duck", 18, 480, 220, gone=False), [
            "b at 3 s, +18 dB: a backchannel, and the bot did not do as the people",
            "b at 3 s, +18 dB: a backchannel, soft after 220 ms",
        ]),
        (Outcome(MM, "duck", -18, None, None, gone=True), [
            "b at 3 s, -18 dB: a backchannel, and the bot had stopped before",
            "b at 3 s, -18 dB: a backchannel, never soft",
        ]),
    ],
)  # fmt: skip
def test_what_misses_a_goal_is_named(outcome: Outcome, said: list[str]) -> None:
    assert missed([outcome]) == said


def test_labels_of_another_form_are_refused_by_name(tmp_path: Path) -> None:
    path = clip(tmp_path, "word", 0.2, take=False)
    path.with_suffix(".json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"word\.json: not the labels of a clip"):
        overlaps(path)


def test_the_command_prints_a_table_and_says_what_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip(tmp_path, "word", 0.2, take=False)
    report = tmp_path / "report"
    options = ("--rules", "stop", "duck", "--gains", "0", "--json", str(report))
    monkeypatch.setattr(sys, "argv", ["overlap", str(tmp_path), *options])
    assert overlap.main() == 0
    assert "as the people" in capsys.readouterr().out
    assert [line["right"] for line in json.loads(report.read_text())] == [False, True]
    monkeypatch.setattr(sys, "argv", ["overlap", str(tmp_path / "none")])
    assert overlap.main() == 2
