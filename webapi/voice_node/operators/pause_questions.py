"""The pauses of one caller: what is asked in each, and from which frame on the answer counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from webapi.voice_node.clock.off_loop import TookTooLongError
from webapi.voice_node.context import Context
from webapi.voice_node.end_of_turn import Backend, Said, probability_of
from webapi.voice_node.errors import UserError, as_exception, describe
from webapi.voice_node.errors.contained import contained
from webapi.voice_node.events import (
    Asked,
    AudioGap,
    ExpectsAsked,
    FillerStarted,
    Playback,
    PlaybackStarted,
    Transcript,
    Voiced,
    is_bot,
)
from webapi.voice_node.hearing import bot_heard
from webapi.voice_node.hearing.bot_heard import BotHeard
from webapi.voice_node.hearing.coarse import coarse
from webapi.voice_node.hearing.endpoint import is_voice
from webapi.voice_node.inputs import EndOfTurnAnswered
from webapi.voice_node.operators.kinds import Kind
from webapi.voice_node.operators.words_so_far import WordsSoFar

T = TypeVar("T")
LONGEST_MS = 8000  # of audio that a backend gets
FORGET_MS = 4000  # of silence after which a voice begins something new; longer than any hold
PREROLL_MS = 200  # kept of what came before
LEAST_VOICED_MS = 80  # less voice than this is no utterance, and is not asked about


@dataclass
class Question:
    """What was asked in a pause."""

    asked: int  # number of the frame
    due: int  # number of the first frame that may use the answer
    answer: float | Exception | None = None  # None: it has not come
    used: bool = False


class PauseQuestions:
    """Takes voiced frames in order and gives them back, those of a pause with the answer once it is due and there.

    `name` is that of the `backend`. It is None in a recorded call that is replayed: the recording has the answers.
    """

    def __init__(
        self, name: str, backend: Backend | None, context: Context, kind: Kind, ask_ms: int, answer_ms: int
    ) -> None:
        frame_ms, self._rate = kind.ms or 20, kind.rate or 8000
        self._name, self._backend, self._context = name, backend, context
        self._reads_words = bool(getattr(backend, "reads_words", False))
        self._ask_frames, self._answer_frames = -(-ask_ms // frame_ms), -(-answer_ms // frame_ms)
        self._least_voiced, self._preroll = LEAST_VOICED_MS // frame_ms, PREROLL_MS // frame_ms
        self._forget_frames = FORGET_MS // frame_ms
        self._kept: deque[bytes] = deque(maxlen=LONGEST_MS // frame_ms)
        self._voiced = 0  # frames of the utterance so far
        self._silent = 0  # unvoiced frames in a row
        self._question: Question | None = None  # of this pause
        self._latest: Question | None = None  # of any pause
        self._bot = BotHeard()
        self._done: float | None = None  # the answer that counts in this pause
        self._words = WordsSoFar()
        self._words_asked = ""  # those that the question had
        self._expects = ""
        self._failed = False  # and told

    def next(self, value: Voiced | AudioGap) -> Voiced | AudioGap:
        """The next frame, or the end of the audio. Returns what is passed on."""
        if isinstance(value, AudioGap):
            self._kept.clear()
            self._words.forget()
            self._begin_anew()
            self._silent = 0
            return value
        evidence = bot_heard.counted(self._bot, value)
        voice = not is_bot(value.frame.echo_left) and is_voice(evidence.voiced, evidence.probability)
        if voice and self._silent:
            self._end_pause()
        self._kept.append(value.frame.pcm)
        if voice:
            self._voiced += 1
            return value
        self._silent += 1
        if self._backend is None:
            self._use_recorded(value.frame.number)
        else:
            if self._asks_now():
                self._ask(self._backend, value.frame.number)
            self._use_answer(value.frame.number, value.frame.t_us)
        return value if self._done is None else value._replace(done=self._done)

    def on_words(self, words: Transcript) -> None:
        """The recogniser has understood something of the caller."""
        self._words.take(words)

    def on_asked(self, asked: Asked) -> None:
        """What the orchestrator expects."""
        if isinstance(asked, ExpectsAsked):
            self._expects = asked.what

    def on_playback(self, event: Playback) -> None:
        """A reply is heard: what the caller says from now on is something new, and not more of the same."""
        self._bot = bot_heard.at_playback(self._bot, event)
        if isinstance(event, (PlaybackStarted, FillerStarted)):
            self._words.answered(event.turn)
            self._begin_anew()

    def _begin_anew(self) -> None:
        while len(self._kept) > self._preroll:
            self._kept.popleft()
        self._voiced = 0
        self._question = self._done = None

    def _end_pause(self) -> None:
        """A voice again."""
        if self._silent >= self._forget_frames:
            self._words.forget()
            self._begin_anew()
        self._silent = 0
        self._question = self._done = None

    def _asks_now(self) -> bool:
        if self._voiced < self._least_voiced or self._silent < self._ask_frames:
            return False
        if self._question is not None:
            return self._question.used and self._reads_words and self._words.text != self._words_asked
        return self._latest is None or self._latest.answer is not None  # one that hangs is not asked again

    def _ask(self, backend: Backend, number: int) -> None:
        self._question = self._latest = question = Question(number, number + self._answer_frames)
        self._words_asked = self._words.text

        def take(answer: float | Exception) -> None:
            question.answer = answer

        said = Said(b"".join(self._kept), self._rate, self._words_asked, self._expects)
        compute(self._context, self._name, partial(answer_of, backend, said), take)

    def _use_answer(self, number: int, t_us: int) -> None:
        """Use the answer from frame `number` on, where it is due and there."""
        question = self._question
        if question is None or question.used or question.answer is None or number < question.due:
            return
        question.used = True
        if isinstance(question.answer, Exception):
            self._tell_failure(question.answer)
            return
        self._done = question.answer
        if self._context.note:
            self._context.note(EndOfTurnAnswered(t_us, self._name, question.asked, number, self._done))

    def _use_recorded(self, number: int) -> None:
        """Use what was answered in the call, with the same frame."""
        script = self._context.script
        answer = script.end_of_turn(self._name, number) if script else None
        if answer is not None:
            self._done = answer

    def _tell_failure(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            text = f"end_of_turn: {self._name}: {describe(error)}. Where it does not answer, turns end by silence."
            trouble = UserError(text)
            trouble.__cause__ = error
            self._context.trouble(trouble)


def compute(context: Context, name: str, job: Callable[[], T], done: Callable[[T], None]) -> None:
    """Run `job` of the backend `name` beside the loop. Raises UserError where a replay has waited too long for it."""
    try:
        context.compute(job, done)
    except TookTooLongError as error:
        raise UserError(
            f"end_of_turn: {name}: {error}, and without its answer a replay decides nothing. "
            "Give the backend a time limit of its own, or replay with --pace real, which does not wait for it."
        ) from error


def answer_of(backend: Backend, said: Said) -> float | Exception:
    """Return what the backend answers, as of `coarse`; or what it raises, or why its answer is none."""
    raised: list[BaseException] = []
    with contained(raised.append):
        return coarse(probability_of(backend, said))
    return as_exception(raised[0])


def load(backend: Backend) -> None:
    """Load what the backend needs, if anything. What that raises is raised again when it is asked."""
    with contained():
        loads = getattr(backend, "load", None)
        if callable(loads):
            loads()
