"""converse in a graph and in a session: arguments are checked with their place, and words reach the events."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.converse.fakes import FakeLlm, FakeStt, FakeTts, Log
from tests.stage import play
from webapi.voice_node.config import load_settings
from webapi.voice_node.converse.converse import Converse
from webapi.voice_node.converse.history import INTERRUPTED
from webapi.voice_node.converse.part_names import choose
from webapi.voice_node.converse.parts import Message, PartError
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.reader import read_graph

ROOT = Path(__file__).parents[2]
GRAPH = (ROOT / "graphs" / "default.yaml").read_text(encoding="utf-8")
PARTS = """
stt: {part: wyoming, uri: "tcp://localhost:10300"}
llm: {part: openai, model: llama, base_url: "http://localhost:11434/v1"}
tts: {part: wyoming, uri: "tcp://localhost:10200"}
prompt: Be brief.
"""


def graph_with(arguments: str) -> str:
    body = textwrap.indent(arguments.strip(), " " * 12)
    given = f"reply:\n          orchestrator: converse\n          with:\n{body}"
    return GRAPH.replace('reply: {orchestrator: "${ORCHESTRATOR}"}', given)


def problems(arguments: str) -> str:
    with pytest.raises(UserError) as raised:
        read_graph(graph_with(arguments), Path("bot.yaml"), load_settings())
    return str(raised.value)


def test_a_graph_may_be_a_whole_bot() -> None:
    read_graph(graph_with(PARTS), Path("bot.yaml"), load_settings())


def test_mistakes_in_the_arguments_of_parts_are_found_at_their_place() -> None:
    text = graph_with(PARTS.replace("10300", "port").replace("model: llama", "modle: llama"))
    told = problems(PARTS.replace("10300", "port").replace("model: llama", "modle: llama"))
    lines = text.splitlines()
    row = next(number for number, line in enumerate(lines, 1) if "stt:" in line)
    assert f"bot.yaml:{row}:{lines[row - 1].index('uri:') + 6}: reply: with.stt.uri: 'tcp://localhost:port': " in told
    assert f"bot.yaml:{row + 1}:{lines[row].index('modle:') + 8}: reply: with.llm.modle: " in told
    assert "reply: with.llm: 'model' is missing" in told


def test_a_part_that_is_unknown_or_missing_is_told() -> None:
    assert "no speech-to-text is named 'wyomin'. Did you mean 'wyoming'?" in problems(
        PARTS.replace("stt: {part: wyoming", "stt: {part: wyomin")
    )
    assert "needs the argument 'tts'" in problems(
        PARTS.replace("tts:", "greeting:").replace('{part: wyoming, uri: "tcp://localhost:10200"}', "Hi.")
    )


def test_the_mock_starts_without_it() -> None:
    code = (
        "import sys; from webapi.voice_node.orchestrator import find_orchestrator, unknown;"
        "assert not unknown('converse'); find_orchestrator('mock');"
        "print([name for name in sys.modules if name.startswith('webapi.voice_node.converse')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "[]"


# ---------------------------------------------------------------- in a session

MADE: list[Bot] = []


class Bot(Converse):
    """With parts that need no server."""

    def __init__(self) -> None:
        self.log = Log()
        self.llm, self.stt, self.tts = FakeLlm(self.log), FakeStt(self.log), FakeTts(self.log)
        self.tts.chunk = self.tts.chunk[:4000]
        super().__init__(stt=self.stt, llm=self.llm, tts=self.tts, prompt="", greeting="Welcome.")
        MADE.append(self)


class LeavingBot(Bot):
    """Its model ends the call with its first answer."""

    def __init__(self) -> None:
        super().__init__()
        self.llm = self._llm.part = LeavingLlm(self.log)


class LeavingLlm(FakeLlm):
    hang_up: Callable[[str], None] | None = None

    async def chat(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        async for piece in super().chat(messages):
            yield piece
        assert self.hang_up is not None
        self.hang_up("all is said")


class BrokenBot(Bot):
    def __init__(self) -> None:
        super().__init__()
        self.llm.pieces = [PartError("llm at nowhere", "it is lost", "Find it")]


def session(name: str, *script: tuple[str, float]) -> Any:
    MADE.clear()
    played = play([("quiet", 3.0), *script], orchestrator=f"{__name__}:{name}")
    assert played.failures == []
    assert played.tasks_left == 0
    assert MADE[-1].log.open_now == []
    return played


def words(played: Any) -> list[tuple[str, str, bool]]:
    return [(each.speaker, each.text, each.final) for each in played.of("transcript")]


def test_a_call_is_greeted_understood_and_answered() -> None:
    played = session("Bot", ("speech", 1.0), ("quiet", 6.0))
    assert words(played) == [
        ("bot", "Welcome.", True),
        ("caller", "hello", False),
        ("caller", "hello bot", False),
        ("caller", "hello bot", True),
        *(("bot", text, True) for text in ("One.", "Two.", "Three.", "Four.")),
    ]
    assert [each.text for each in played.of("heard_text")] == ["Welcome.", "One. Two. Three. Four."]
    marks = [each.mark for each in played.of("mark") if each.turn == played.of("speech_ended")[0].turn]
    assert marks == ["speech_to_text", "llm_first_token", "text_to_speech"]
    assert MADE[-1].log.all().count("close llm") == 1
    (heard,) = MADE[-1].stt.audio
    assert heard == played.of("speech_ended")[0].pcm


def test_an_interrupted_reply_is_remembered_as_far_as_it_was_heard() -> None:
    played = session("Bot", ("speech", 1.0), ("quiet", 1.5), ("speech", 1.0), ("quiet", 6.0))
    assert "barge_in" in played.names
    heard = played.of("heard_text")[1].text
    assert heard
    assert heard != "One. Two. Three. Four."
    assert ("assistant", f"{heard} {INTERRUPTED}") in MADE[-1].llm.asked[-1]


def test_a_model_can_end_the_call_when_its_last_words_were_heard() -> None:
    played = session("LeavingBot", ("speech", 1.0), ("quiet", 6.0))
    (hung_up,) = played.of("hung_up")
    assert (hung_up.reason, hung_up.t_us) == ("all is said", played.of("playback_ended")[-1].t_us)
    assert played.of("heard_text")[-1].text == "One. Two. Three. Four."


def test_a_caller_who_interrupts_the_last_words_is_heard() -> None:
    played = session("LeavingBot", ("speech", 1.0), ("quiet", 1.5), ("speech", 1.0), ("quiet", 6.0))
    assert "barge_in" in played.names
    (hung_up,) = played.of("hung_up")
    assert hung_up.t_us == played.of("playback_ended")[-1].t_us  # after the reply to the interruption


def test_a_caller_who_only_paused_is_asked_about_once_and_whole() -> None:
    played = session("Bot", ("speech", 1.0), ("quiet", 0.25), ("speech", 1.0), ("quiet", 6.0))
    assert "superseded" in played.names
    assert [each for each in MADE[-1].llm.asked[-1] if each[0] == "user"] == [("user", "hello bot")]
    assert MADE[-1].stt.audio[-1] == played.of("speech_ended")[-1].pcm


def test_a_part_that_fails_is_the_reason_of_the_turn() -> None:
    played = session("BrokenBot", ("speech", 1.0), ("quiet", 3.0))
    (line,) = [each for each in played.lines if each["outcome"] != "completed"]
    assert line["outcome"] == "failed"
    details = [each.detail for each in played.of("reply_ended")]
    assert "PartError: llm at nowhere: it is lost. Find it" in details


# ---------------------------------------------------------------- what the document shows

DOCUMENT = (ROOT / "docs" / "converse.md").read_text(encoding="utf-8")
SAMPLES: list[Any] = [yaml.safe_load(each) for each in re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.M | re.S)]


def test_the_documents_whole_bot_is_a_graph() -> None:
    ((step,), *_) = SAMPLES
    given = yaml.safe_dump(step["reply"]["with"], allow_unicode=True)
    read_graph(graph_with(given), Path("bot.yaml"), load_settings())


def test_the_documents_parts_are_right() -> None:
    parts = [part for sample in SAMPLES[1:] for part in sample.items()]
    assert {given["part"] for _, given in parts} == {"openai", "wyoming", "livekit"}
    for role, given in parts:
        assert choose(role, given).name == given["part"]
