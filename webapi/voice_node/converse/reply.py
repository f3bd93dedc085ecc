"""The bot's reply to one turn: text as it is written, cut into sentences, spoken one ahead of the one that plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import NamedTuple

from webapi.voice_node.converse.open_part import OpenPart
from webapi.voice_node.converse.parts import LanguageModel, Message, TextToSpeech
from webapi.voice_node.converse.pulled_ahead import PulledAhead
from webapi.voice_node.converse.sentences import Sentences
from webapi.voice_node.events import BYTES_PER_SAMPLE

AHEAD = 2  # sentences whose speech is made: the one that plays and the next
MOST_SENTENCES = 64  # written and not spoken yet; the model waits then


class Sentence(NamedTuple):
    """A sentence. Its speech comes next."""

    text: str


async def written(
    llm: OpenPart[LanguageModel], messages: Sequence[Message], first: Callable[[], None], done: Callable[[], None]
) -> AsyncGenerator[str, None]:
    """The sentences of the model's next message. `first` is called at its first text, `done` at its end."""
    part = await llm.ready()
    sentences = Sentences()
    is_first = True
    async with llm.pull(part.chat(messages)) as pieces:
        async for piece in pieces:
            if is_first and piece:
                is_first = False
                first()
            for sentence in sentences.push(piece):
                yield sentence
    done()
    for sentence in sentences.flush():
        yield sentence


async def spoken(
    tts: OpenPart[TextToSpeech], sentences: AsyncGenerator[str, None]
) -> AsyncGenerator[Sentence | bytes, None]:
    """For each sentence a Sentence and then its speech. The speech of the next one is made while this one is taken."""
    may_begin = asyncio.Semaphore(AHEAD)

    async def made(texts: AsyncIterator[str]) -> AsyncGenerator[Sentence | bytes, None]:
        part = await tts.ready()
        async for text in texts:
            await may_begin.acquire()
            yield Sentence(text)
            odd = b""  # half a sample, which the next chunk completes; never the next sentence
            async with tts.pull(part.speak(text)) as speech:
                async for chunk in speech:
                    chunk = odd + chunk
                    whole = len(chunk) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
                    odd = chunk[whole:]
                    yield chunk[:whole]

    async with PulledAhead(sentences, most=MOST_SENTENCES) as texts, PulledAhead(made(texts)) as values:
        is_first = True
        async for value in values:
            if isinstance(value, Sentence):
                if not is_first:
                    may_begin.release()
                is_first = False
            yield value


async def single(text: str) -> AsyncGenerator[str, None]:
    """A text that is there already, as sentences."""
    sentences = Sentences()
    for sentence in [*sentences.push(text), *sentences.flush()]:
        yield sentence
