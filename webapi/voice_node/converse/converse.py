"""The orchestrator `converse`: speech-to-text, then a language model, then text-to-speech, as a pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Annotated, Any, Literal

from pydantic import Field

from webapi.voice_node.converse.history import MOST_TURNS, History, Spoken
from webapi.voice_node.converse.listening import Listening
from webapi.voice_node.converse.open_part import OpenPart
from webapi.voice_node.converse.part_names import LlmChoice, PartChoice, Role, SttChoice, TtsChoice, choose
from webapi.voice_node.converse.parts import LanguageModel, SpeechToText, TextToSpeech
from webapi.voice_node.converse.reply import Sentence, single, spoken, written
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.orchestrator import Call

CALLER_RATE = 8000  # Hz, where no call says another
MS_PER_S = 1000
CLOSING: set[asyncio.Task[None]] = set()  # a loop holds its tasks weakly, and a bot is dropped when its call has ended


class Converse:
    """Answers a caller: understands the utterance, asks a language model, speaks its text sentence by sentence.

    `prompt` is the model's instruction. `greeting` is said when the call begins, `sorry` where nothing was understood
    of an utterance; nothing is said where they are empty. The model gets the last `most_turns` turns. Raises UserError
    where a part can't be made.
    """

    on_tts_first_chunk: Callable[[str, float], None] | None = None
    on_llm_request_done: Callable[[str, float], None] | None = None

    def __init__(
        self,
        *,
        stt: SttChoice,
        llm: LlmChoice,
        tts: TtsChoice,
        prompt: str,
        greeting: str = "",
        sorry: str = "",
        most_turns: Annotated[int, Field(ge=1, le=10_000)] = MOST_TURNS,
    ) -> None:
        self._stt: OpenPart[SpeechToText] = OpenPart(_made("stt", stt), "stt")
        self._llm: OpenPart[LanguageModel] = OpenPart(_made("llm", llm), "llm")
        self._tts: OpenPart[TextToSpeech] = OpenPart(_made("tts", tts), "tts")
        self._greeting = greeting
        self._sorry = sorry
        self._history = History(prompt, most_turns)
        self._call: Call | None = None
        self._listening: dict[str, Listening] = {}  # the utterance that goes on, by its trace_id
        self._cut: dict[str, bool] = {}  # of each reply that is being made: is it superseded?
        self._closing: set[asyncio.Task[None]] = set()
        self._leaving: str | None = None  # why the model wants to hang up after the reply that is being made

    @property
    def reply_rate(self) -> int:
        """The rate of replies in Hz: that of the text-to-speech."""
        return self._tts.part.rate

    # ------------------------------------------------------------ the call

    async def on_call_started(self, call: Call) -> None:
        """Open the parts, and greet as soon as the text-to-speech is open.

        Raises UserError, with a line for each part that can't be opened.
        """
        self._call = call
        if hasattr(self._llm.part, "hang_up"):  # a model that can end the call, such as a scripted dialogue
            self._llm.part.hang_up = self._leave
        # The greeting is not asked for at once: a reply without audio is given up before a voice may have loaded.
        opening = (self._stt.ready(), self._llm.ready(), self._tts.ready(lambda: self._greet(call)))
        ends = await asyncio.gather(*opening, return_exceptions=True)
        errors = [each for each in ends if isinstance(each, BaseException)]
        if len(errors) == 1 or not all(isinstance(each, UserError) for each in errors):
            raise errors[0]
        if errors:
            raise UserError("\n".join(map(str, errors)))

    async def on_call_ended(self, reason: str) -> None:
        """Close the parts."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close everything. Raises what the first part raises that can't be closed, after all have been tried.

        A cancel ends the wait, and not the closing: the node waits less long than a slow server takes to close.
        """
        self._drop_listening()
        closing = asyncio.get_running_loop().create_task(self._close_all(tuple(self._closing)))
        CLOSING.add(closing)
        closing.add_done_callback(CLOSING.discard)
        closing.add_done_callback(lambda task: task.cancelled() or task.exception())  # seen, even if nobody waits
        await asyncio.wait({closing})
        closing.result()

    async def _close_all(self, streams: tuple[asyncio.Task[None], ...]) -> None:
        """Close the parts at the same time as the streams that are closing already."""
        parts = (self._stt, self._llm, self._tts)
        for end in await asyncio.gather(*(part.aclose() for part in parts), *streams, return_exceptions=True):
            if isinstance(end, BaseException):
                raise end

    # ------------------------------------------------------------ what the caller says

    def on_speech_started(self, trace_id: str, ts_monotonic: float) -> None:
        """Open the stream of the utterance. One before it that nobody asked a reply for is dropped."""
        self._drop_listening()
        self._listening[trace_id] = self._listen(trace_id)

    def on_partial_audio(self, trace_id: str, pcm: bytes) -> None:
        """Stream a piece of the utterance."""
        if listening := self._listening.get(trace_id):
            listening.feed(pcm)

    def on_speech_ended(self, trace_id: str, utterance_pcm: bytes, t_first_byte: float, t_last_byte: float) -> None:
        """End the stream, if it has had the whole utterance."""
        if listening := self._listening.get(trace_id):
            listening.end()

    # ------------------------------------------------------------ what the bot says

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncGenerator[bytes, None]:
        """Speech, sentence by sentence. Raises PartError where a part fails: this turn is lost, and no other."""
        self._cut[trace_id], self._leaving = False, None
        try:
            text = await self._understood(trace_id, user_pcm)
            if not text:
                sentences = single(self._sorry)
            else:
                self._history.begin(trace_id, text)
                sentences = written(
                    self._llm,
                    self._history.messages(),
                    lambda: self._mark(trace_id, "llm_first_token"),
                    lambda: self._stamp(self.on_llm_request_done, trace_id),
                )
            async with aclosing(self._said(trace_id, sentences)) as chunks:
                async for chunk in chunks:
                    yield chunk
            if self._leaving is not None and self._call:  # a reply that was cut before its end does not end the call
                self._call.hang_up(self._leaving)
        finally:
            if self._cut.pop(trace_id):
                self._history.withdraw(trace_id)

    def stop_playback(self, trace_id: str) -> None:
        """The reply is cut. If nothing of it was heard, its turn is left out of the history: it comes again, whole."""
        if trace_id in self._cut:
            self._cut[trace_id] = True

    def on_barge_in_detected(self, trace_id: str) -> None:
        """The reply was cut while it was played: the words of its turn do not come again."""
        if trace_id in self._cut:
            self._cut[trace_id] = False

    def on_playback_ended(self, trace_id: str, heard_ms: int, completed: bool, heard_text: str | None = None) -> None:
        """Only what was heard of the reply stays in the history."""
        self._history.heard(trace_id, heard_ms, completed, heard_text)

    def _leave(self, reason: str) -> None:
        """The model has given its last words."""
        self._leaving = reason

    def _greet(self, call: Call) -> None:
        """Say the greeting, if there is one, in a turn of its own. Once the caller has spoken it comes too late."""
        if not self._greeting or not self._history.is_empty or self._listening or self._cut:
            return
        asked: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def chunks() -> AsyncGenerator[bytes, None]:
            trace_id = await asked
            self._history.begin(trace_id)
            async with aclosing(self._said(trace_id, single(self._greeting))) as speech:
                async for chunk in speech:
                    yield chunk

        asked.set_result(call.say(chunks()))

    async def _said(self, trace_id: str, sentences: AsyncGenerator[str, None]) -> AsyncGenerator[bytes, None]:
        """The speech of the sentences. Each is told, and put into the history, just before its first audio."""
        is_first, waiting = True, ""
        counted = Spoken("")
        bytes_per_ms = self.reply_rate * BYTES_PER_SAMPLE / MS_PER_S
        async with aclosing(spoken(self._tts, sentences)) as values:
            async for value in values:
                if isinstance(value, Sentence):
                    waiting = value.text
                    continue
                if not value:
                    continue
                if is_first:
                    is_first = False
                    self._mark(trace_id, "text_to_speech")
                    self._stamp(self.on_tts_first_chunk, trace_id)
                if waiting:
                    counted = self._history.speak(trace_id, waiting)
                    self._tell(trace_id, waiting, "bot")
                    waiting = ""
                counted.ms += len(value) / bytes_per_ms
                yield value

    # ------------------------------------------------------------ understanding

    async def _understood(self, trace_id: str, utterance: bytes) -> str:
        """What the caller said: as streamed, or, where the stream lacks a part of it, from the whole utterance."""
        listening = self._listening.pop(trace_id, None)
        if listening is not None and not listening.has_heard(utterance):
            await listening.aclose()
            listening = None
        if listening is None:
            listening = self._listen(trace_id)
            listening.feed_whole(utterance)
        try:
            text = await listening.text()
        finally:
            await listening.aclose()
        if text:
            self._tell(trace_id, text, "caller")
        self._mark(trace_id, "speech_to_text")
        return text

    def _listen(self, trace_id: str) -> Listening:
        rate = self._call.rate if self._call else CALLER_RATE
        return Listening(self._stt, rate, lambda text: self._tell(trace_id, text, "caller", final=False))

    def _drop_listening(self) -> None:
        for listening in self._listening.values():
            task = asyncio.get_running_loop().create_task(listening.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._listening.clear()

    # ------------------------------------------------------------ telling the node

    def _tell(self, trace_id: str, text: str, speaker: Literal["caller", "bot"], *, final: bool = True) -> None:
        if self._call:
            self._call.transcript(trace_id, text, speaker=speaker, final=final)

    def _mark(self, trace_id: str, name: str) -> None:
        if self._call:
            self._call.mark(trace_id, name)

    def _stamp(self, stamp: Callable[[str, float], None] | None, trace_id: str) -> None:
        if stamp:
            stamp(trace_id, asyncio.get_running_loop().time())


def _made(role: Role, given: Any) -> Any:
    """The part that a graph chose, or that is given as it is."""
    choice = choose(role, given) if isinstance(given, Mapping) else given
    return choice.make() if isinstance(choice, PartChoice) else choice
