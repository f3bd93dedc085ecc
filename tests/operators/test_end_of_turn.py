"""The operator end_of_turn: when it asks, with what, and from which frame on the answer counts."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any, cast

import pytest
from reactivex import Subject

from tests.operators.build import info
from webapi.voice_node.clock.off_loop import at_once
from webapi.voice_node.context import Context
from webapi.voice_node.end_of_turn import Backend, Said
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import AudioGap, ExpectsAsked, Frame, PlaybackStarted, Transcript, Turn, Voiced
from webapi.voice_node.inputs import EndOfTurnAnswered
from webapi.voice_node.operators.end_of_turn import end_of_turn
from webapi.voice_node.operators.kinds import VOICED, Kind
from webapi.voice_node.plugins import Plugins

MODULE = importlib.import_module("webapi.voice_node.end_of_turn")
KIND = Kind(VOICED.name, 8000, 20)


class Stage:
    """The operator between a source and a list, with a backend that notes what it is asked."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, answer: Any = 0.25, kind: Kind = KIND, **arguments: Any
    ) -> None:
        self.asked: list[Said] = []
        self.noted: list[EndOfTurnAnswered] = []
        self.troubles: list[Exception] = []
        self.waiting: list[tuple[Any, Any]] = []  # (job, done) of a thread that has not run yet
        self.answer = answer
        self.slow = False
        self.source, self.words, self.expects, self.playback = (Subject[Any]() for _ in range(4))
        self.out: list[Any] = []

        def backend(said: Said) -> float:
            self.asked.append(said)
            if isinstance(self.answer, BaseException):
                raise self.answer
            return cast(float, self.answer)

        backend.reads_words = arguments.pop("reads_words", False)  # type: ignore[attr-defined]  # as a plug-in has it
        self.plug(monkeypatch, backend)
        context = SimpleNamespace(
            compute=self.compute, note=self.noted.append, script=None, trouble=self.troubles.append, folder=None
        )
        stage = end_of_turn(
            backend="test", words=self.words, asked=self.expects, playback=self.playback,
            info=info(kind, context=cast(Context, context)), **arguments,
        )  # fmt: skip
        stage(self.source).subscribe(self.out.append)
        self.number = 0

    @staticmethod
    def plug(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> None:
        monkeypatch.setattr(MODULE, "BACKENDS", Plugins("end of turn", "none", {"test": backend, "silence": None}))

    def compute(self, job: Any, done: Any) -> None:
        if self.slow:
            self.waiting.append((job, done))
        else:
            at_once(job, done)

    def finish(self) -> None:
        """Let the thread run."""
        for job, done in self.waiting:
            done(job())
        self.waiting.clear()

    def hear(self, frames: str, probability: float | None = None, second: float | None = None) -> str:
        """Feed frames: 1 voiced, 0 not. Returns a character for each that came out: as it went in, or d with `done`."""
        before = len(self.out)
        for char in frames:
            pcm = bytes([self.number % 256]) * 320
            frame = Frame(self.number, pcm, 8000, self.number)
            self.source.on_next(Voiced(frame, char == "1", probability, second=second))
            self.number += 1
        return "".join("d" if each.done is not None else "01"[each.voiced] for each in self.out[before:])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def test_it_asks_after_100_ms_and_the_answer_counts_100_ms_later_until_the_next_voice(stage: Stage) -> None:
    assert stage.hear("0011111" + "0000" + "11") == "0011111" + "0000" + "11"
    assert stage.asked == []
    assert stage.hear("0000000000000" + "11" + "000") == "000000000dddd" + "11" + "000"
    assert len(stage.asked) == 1
    assert [each.done for each in stage.out if each.done is not None] == [0.25] * 4
    assert stage.noted == [EndOfTurnAnswered(22, "test", asked=17, frame=22, done=0.25)]


def test_all_else_of_a_frame_stays(stage: Stage) -> None:
    stage.hear("11111" + "0" * 12, probability=0.9 - 0.4)
    stage.hear("1", probability=0.7)
    voiced = stage.out[-1]
    assert voiced == Voiced(Frame(17, bytes([17]) * 320, 8000, 17), True, 0.7)


def test_a_frame_counts_as_voiced_where_turn_events_counts_it(stage: Stage) -> None:
    stage.hear("00000", probability=0.9)  # the detector's flag says no, its probability yes
    assert stage.hear("1111111111", probability=0.3) == "111111111d"


def test_a_soft_voice_counts_but_where_it_may_be_the_bots(stage: Stage) -> None:
    stage.hear("0" * 10, probability=0.1, second=0.9)
    assert stage.hear("0" * 10, probability=0.1, second=0.1) == "000000000d"
    stage.playback.on_next(PlaybackStarted(stage.number, Turn("", 0)))
    stage.hear("0" * 10, probability=0.1, second=0.9)
    assert stage.hear("0" * 20, probability=0.1, second=0.1) == "0" * 20


@pytest.mark.parametrize(
    ("arguments", "ms", "expected"),
    [
        ({"ask_ms": 20, "answer_ms": 20}, 20, "0dddddddd"),
        ({"ask_ms": 50, "answer_ms": 50}, 20, "00000dddd"),  # rounded up to frames
        ({"ask_ms": 60, "answer_ms": 60}, 30, "000dddddd"),
        ({"ask_ms": 100, "answer_ms": 20}, 20, "00000dddd"),
    ],
)
def test_when_it_asks_and_answers_is_given_in_ms(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, int], ms: int, expected: str
) -> None:
    stage = Stage(monkeypatch, kind=Kind(VOICED.name, 8000, ms), **arguments)
    stage.hear("1" * 10)
    assert stage.hear("0" * 9) == expected


def test_a_short_noise_is_not_asked_about(stage: Stage) -> None:
    stage.hear("111" + "0" * 20)
    assert stage.asked == []
    stage.hear("1" + "0" * 20)  # in all it is enough
    assert len(stage.asked) == 1


def test_the_backend_gets_the_utterance_with_the_pause_and_eight_seconds_at_most(stage: Stage) -> None:
    stage.hear("0" * 30 + "1" * 20 + "0" * 10)
    said = stage.asked[0]
    assert (said.rate, said.words, said.expects) == (8000, "", "")
    assert said.pcm[::320] == bytes(range(55))  # up to the frame with which it was asked
    stage.hear("1" * 500 + "0" * 5)
    assert len(stage.asked[1].pcm) == 8 * 16_000
    assert stage.asked[1].pcm[-1] == (stage.number - 1) % 256


def test_after_a_long_silence_or_when_a_reply_is_heard_something_new_begins(stage: Stage) -> None:
    stage.hear("1" * 20 + "0" * 200 + "1" * 10 + "0" * 5)
    assert len(stage.asked[1].pcm) == (10 + 10 + 5) * 320  # 200 ms of what was before
    stage.playback.on_next(PlaybackStarted(0, Turn("s-0000", 0)))
    assert stage.hear("0" * 20) == "0" * 20  # what was asked is not waited for
    stage.hear("1" * 10 + "0" * 5)
    assert len(stage.asked[2].pcm) == (10 + 20 + 10 + 5) * 320


def test_the_end_of_the_audio_forgets_all(stage: Stage) -> None:
    stage.hear("1" * 20 + "0" * 7)
    stage.source.on_next(AudioGap(0, "muted"))
    assert stage.out[-1] == AudioGap(0, "muted")
    stage.out.clear()
    assert stage.hear("0" * 20) == "0" * 20
    stage.hear("1" * 4 + "0" * 5)
    assert len(stage.asked[1].pcm) == 29 * 320


def test_the_end_of_the_audio_forgets_the_words(stage: Stage) -> None:
    stage.words.on_next(Transcript(0, Turn("t", 0), "my number is", speaker="caller", final=False))
    stage.hear("1" * 20 + "0" * 7)
    stage.source.on_next(AudioGap(0, "muted"))
    stage.hear("1" * 20 + "0" * 7)
    assert [said.words for said in stage.asked] == ["my number is", ""]


# ---------------------------------------------------------------- a thread


def test_an_answer_that_comes_late_counts_from_the_frame_with_which_it_comes(stage: Stage) -> None:
    stage.slow = True
    assert stage.hear("11111" + "0" * 20) == "11111" + "0" * 20
    stage.finish()
    assert stage.hear("000") == "ddd"
    assert stage.noted == [EndOfTurnAnswered(25, "test", asked=9, frame=25, done=0.25)]


def test_an_answer_that_comes_early_counts_from_the_stated_frame(stage: Stage) -> None:
    stage.slow = True
    stage.hear("11111" + "0" * 5)
    stage.finish()
    assert stage.hear("000000") == "0000dd"


def test_an_answer_to_a_pause_that_is_over_is_not_used(stage: Stage) -> None:
    stage.slow = True
    stage.hear("11111" + "0" * 7 + "11")
    stage.finish()
    assert stage.hear("0000") == "0000"
    assert stage.noted == []


def test_while_an_answer_is_awaited_nothing_more_is_asked(stage: Stage) -> None:
    stage.slow = True
    stage.hear(("11111" + "0" * 10) * 20)  # a backend that hangs
    assert len(stage.waiting) == 1
    stage.hear("11111" + "0" * 7)
    stage.finish()
    stage.hear("0")  # later in this pause it can be asked
    assert len(stage.waiting) == 1
    stage.finish()
    assert stage.hear("0000000") == "0000ddd"


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize("answer", [RuntimeError("no brain"), SystemExit(3), 1.5, float("nan"), "yes", None])
def test_a_backend_that_fails_costs_only_the_answer_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    stage = Stage(monkeypatch, answer)
    assert stage.hear(("11111" + "0" * 15) * 3) == ("11111" + "0" * 15) * 3
    (trouble,) = stage.troubles
    assert isinstance(trouble, UserError)
    assert "end_of_turn: test: " in str(trouble)
    assert stage.noted == []
    stage.answer = 0.5
    assert stage.hear("11111" + "0" * 11).endswith("0dd")


# ---------------------------------------------------------------- words, and what is expected


def told(text: str, turn: int = 0, final: bool = False, speaker: Any = "caller") -> Transcript:
    return Transcript(0, Turn(f"s-{turn:04d}", turn), text, speaker, final)


def test_words_are_those_of_the_turn_that_goes_on(stage: Stage) -> None:
    stage.words.on_next(told("a"))
    stage.words.on_next(told("a table"))
    stage.words.on_next(told("Hello.", speaker="bot"))
    stage.hear("11111" + "0" * 11)
    stage.words.on_next(told("A table.", final=True))
    stage.words.on_next(told("For"))
    stage.hear("11111" + "0" * 11)
    stage.words.on_next(told("A table for four.", turn=1))  # superseded: the whole in the words of the next turn
    stage.words.on_next(told("too late", turn=0, final=True))
    stage.hear("11111" + "0" * 11)
    stage.playback.on_next(PlaybackStarted(0, Turn("s-0001", 1)))
    stage.words.on_next(told("for four", turn=1, final=True))  # of what was answered
    stage.hear("11111" + "0" * 11)
    assert [said.words for said in stage.asked] == ["a table", "A table. For", "A table for four.", ""]


def test_a_backend_that_reads_words_is_asked_again_when_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, reads_words=True)
    stage.words.on_next(told("a table"))
    stage.hear("11111" + "0" * 8)
    stage.words.on_next(told("a table for"))
    assert stage.hear("0" * 4) == "0ddd"  # first the answer, then the question
    stage.answer = 0.75
    assert stage.hear("0" * 6) == "dddddd"
    assert [said.words for said in stage.asked] == ["a table", "a table for"]
    assert [(each.asked, each.frame, each.done) for each in stage.noted] == [(9, 14, 0.25), (15, 20, 0.25)]
    stage.words.on_next(told("a table for four"))
    stage.hear("0" * 6)
    assert stage.out[-1].done == 0.75


def test_the_backend_is_told_what_is_expected(stage: Stage) -> None:
    for what in ("digits", "email", ""):
        stage.expects.on_next(ExpectsAsked(0, cast(Any, what)))
        stage.hear("11111" + "0" * 11)
    assert [said.expects for said in stage.asked] == ["digits", "email", ""]


@pytest.mark.parametrize("written", ["de", "de-AT", "de_CH", "DE"])
def test_a_language_may_have_a_region(written: str) -> None:
    backend = MODULE.backend_named("words", language=written)
    assert backend(Said(b"", 8000, "einen Tisch für")) < 0.2
    assert backend(Said(b"", 8000, "a table for")) > 0.7  # no German


def test_a_language_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"words: language: 'deu': there is no such language\. Did you mean 'de'\?"):
        MODULE.backend_named("words", language="deu")


def test_silence_is_no_operator_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    source: Subject[Any] = Subject()
    never: Subject[Any] = Subject()
    stage = end_of_turn(words=never, asked=never, playback=never, info=info(KIND))
    assert stage(source) is source
