"""The code of docs/end-of-turn.md: the bot that asks for a number, and a backend of one's own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.documents import ROOT, write_files
from tests.e2e.process import run_node
from tests.stage import play
from tests.test_document_bots import bot_of


def test_the_bot_that_asks_for_a_number_waits_for_its_groups_and_then_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot_of("end-of-turn", "asks", tmp_path, monkeypatch)
    groups = [("speech", 0.6), ("quiet", 0.7)] * 3
    script = [("quiet", 0.5), ("speech", 1.0), ("quiet", 3.0), *groups, ("quiet", 3.0), ("speech", 1.0), ("quiet", 2.0)]
    played = play(script, orchestrator="asks:Bot", vad_backend="webrtc")
    assert not played.failures
    asked, number, after = played.of("speech_ended")
    silence_ms = [(each.t_last_byte_us - each.t_last_voiced_us) // 1000 for each in (asked, number, after)]
    assert silence_ms == [200, 1200, 200]
    assert len(played.of("playback_ended")) == 3


def test_digits_are_still_expected_where_the_caller_had_only_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = bot_of("end-of-turn", "asks", tmp_path, monkeypatch)

    class Slow(module.Bot):  # type: ignore[name-defined,misc]  # a module that is written here
        """Takes its time, as one that recognises."""

        async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
            await asyncio.sleep(0.5)
            async for chunk in super().get_audio_reply(trace_id, user_pcm):
                yield chunk

    monkeypatch.setattr(module, "Slow", Slow, raising=False)
    groups = [("speech", 0.6), ("quiet", 1.3), ("speech", 0.6), ("quiet", 1.0), ("speech", 0.6)]
    script = [("quiet", 0.5), ("speech", 1.0), ("quiet", 3.0), *groups, ("quiet", 4.0)]
    played = play(script, orchestrator="asks:Slow", vad_backend="webrtc")
    assert not played.failures
    question, paused, number = played.of("speech_ended")
    assert [event.turn for event in played.of("superseded")] == [paused.turn]
    assert number.pcm.startswith(paused.pcm)  # the pause of a second did not end it: digits are still expected
    assert [event.turn for event in played.of("playback_ended") if event.heard_ms] == [question.turn, number.turn]


def test_the_backend_of_ones_own_installs_and_is_asked(tmp_path: Path) -> None:
    write_files("end-of-turn", tmp_path)
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", target]
    subprocess.run([*map(str, pip), "."], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    graph = (ROOT / "graphs" / "end-of-turn.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(graph.replace("backend: smart-turn", "backend: patient"), encoding="utf-8")
    paths = os.pathsep.join([str(target), str(ROOT)])
    checked = run_node("graphs", "check", "mine.yaml", cwd=tmp_path, PYTHONPATH=paths)
    assert (checked.code, checked.out) == (0, "mine.yaml: right\n")
    hello = ROOT / "docs" / "examples" / "hello.wav"
    ended = run_node("replay", str(hello), "--graph", "mine.yaml", "--out", "out", cwd=tmp_path, PYTHONPATH=paths)
    assert ended.code == 0, ended.said
    events = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    assert {event["done"] for event in events if event["event"] == "speech_ended"} == {round(0.9 * 1024) / 1024}
