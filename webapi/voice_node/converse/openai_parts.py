"""Parts at any server with OpenAI's HTTP interface: OpenAI itself, vLLM, llama.cpp, Ollama, LocalAI, speaches."""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from webapi.voice_node.audio.wav import wav_header
from webapi.voice_node.converse.parts import TIMEOUT_S, Heard, Message, PartError, Rate, Seconds
from webapi.voice_node.converse.remedies import KEY, LOG, MODEL
from webapi.voice_node.errors.advice import install

INSTALL = install("openai")

try:
    import openai

    from webapi.voice_node.converse.openai_errors import explained
except ImportError as error:
    raise PartError("openai", "the package openai is not installed", f"Run: {INSTALL}", INSTALL) from error

KEY_VARIABLE = "OPENAI_API_KEY"
NO_KEY = "none"  # for servers that want none; the client insists on one
SPEECH_RATE = 24_000  # Hz, of OpenAI's PCM and that of most servers
CHUNK_BYTES = 4800  # 100 ms of it


class _OpenAiPart:
    """The client of one part. No request is repeated: a caller waits."""

    def __init__(self, kind: str, model: str, base_url: str | None, api_key: str | None, timeout_s: float) -> None:
        key = api_key or (NO_KEY if base_url else os.environ.get(KEY_VARIABLE))
        if not key:
            remedy = f"Set {KEY_VARIABLE}, or give the part a base_url"
            raise PartError(f"openai {kind}", "there is no key", remedy, KEY_VARIABLE)
        if not key.isascii():  # no header can have it
            raise PartError(f"openai {kind}", "the key has a character that no key has", KEY)
        self._client = openai.AsyncOpenAI(api_key=key, base_url=base_url, timeout=timeout_s, max_retries=0)
        self._model = model
        self.timeout_s = timeout_s
        self.label = f"openai {kind} ({model}) at {_shown(str(self._client.base_url))}"

        self.doubt = ""
        _import_all(self._client)

    async def open(self) -> None:
        """Ask for the server's models: is it there, and does it take the key? That it can list none is no error.

        That it does not list this one is a doubt: some servers take any name.
        """
        with explained(self.label):
            try:
                listed = await self._client.models.list()
            except openai.APIStatusError as error:
                if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
                    raise
                return
            names = [each.id for each in listed.data or []]
            known = any(name == self._model or name.startswith(f"{self._model}:") for name in names)
            self.doubt = f"the server does not list the model {self._model}. {MODEL}" if names and not known else ""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


class OpenAiSpeechToText(_OpenAiPart):
    """Transcribes the whole utterance when it is over (`/audio/transcriptions`).

    `language` (such as `en`) and `prompt` (words to expect) help it. Without `base_url` it is OpenAI's server. The key
    is `api_key`, or for OpenAI's server OPENAI_API_KEY.
    """

    def __init__(
        self,
        *,
        model: str = "whisper-1",
        base_url: str | None = None,
        api_key: str | None = None,
        language: str | None = None,
        prompt: str | None = None,
        timeout_s: Seconds = TIMEOUT_S,
    ) -> None:
        super().__init__("speech-to-text", model, base_url, api_key, timeout_s)
        self._options = {"language": language, "prompt": prompt}

    async def listen(self, audio: AsyncIterator[bytes], rate: int) -> AsyncGenerator[Heard, None]:
        """One final piece: the text of the utterance."""
        pcm = b"".join([piece async for piece in audio])
        options: dict[str, Any] = {key: value for key, value in self._options.items() if value}
        file = ("utterance.wav", wav_header(rate)(len(pcm)) + pcm, "audio/wav")
        with explained(self.label):
            answer = await self._client.audio.transcriptions.create(file=file, model=self._model, **options)
        yield Heard(str(getattr(answer, "text", "") or ""), True)


class OpenAiLanguageModel(_OpenAiPart):
    """Writes by `/chat/completions`, streamed. `options` are further keys of the request, such as `max_tokens`."""

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        temperature: Annotated[float, Field(ge=0, le=2)] | None = None,
        options: dict[str, Any] | None = None,
        timeout_s: Seconds = TIMEOUT_S,
    ) -> None:
        super().__init__("language model", model, base_url, api_key, timeout_s)
        self._options = dict(options or {})
        if temperature is not None:
            self._options["temperature"] = temperature

    async def chat(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """The text as it is written."""
        told: Any = [{"role": each.role, "content": each.text} for each in messages]
        finished = False
        with explained(self.label):
            stream = await self._client.chat.completions.create(
                model=self._model, messages=told, stream=True, extra_body=self._options
            )
            async with stream:
                async for chunk in stream:
                    for choice in chunk.choices:
                        finished = finished or choice.finish_reason is not None
                        if choice.delta.content:
                            yield choice.delta.content
        if not finished:
            raise PartError(self.label, "the answer broke off", LOG)


class OpenAiTextToSpeech(_OpenAiPart):
    """Speaks by `/audio/speech`, as PCM, streamed. `rate` (Hz) is the rate of the server's PCM.

    `options` are further keys of the request, such as `instructions`.
    """

    def __init__(
        self,
        *,
        model: str = "gpt-4o-mini-tts",
        voice: str = "alloy",
        base_url: str | None = None,
        api_key: str | None = None,
        speed: Annotated[float, Field(ge=0.25, le=4)] | None = None,
        rate: Rate = SPEECH_RATE,
        options: dict[str, Any] | None = None,
        timeout_s: Seconds = TIMEOUT_S,
    ) -> None:
        super().__init__("text-to-speech", model, base_url, api_key, timeout_s)
        self.rate = rate
        self._voice = voice
        self._options = dict(options or {})
        if speed is not None:
            self._options["speed"] = speed

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        """The speech as it is made."""
        with explained(self.label):
            asked = self._client.audio.speech.with_streaming_response.create(
                input=text, model=self._model, voice=self._voice, response_format="pcm", extra_body=self._options
            )
            async with asked as answer:
                async for chunk in answer.iter_bytes(CHUNK_BYTES):
                    yield chunk


def _import_all(client: openai.AsyncOpenAI) -> None:
    """Import now what the client imports at its first requests. That takes most of a second, and a call would stand
    still."""
    with suppress(ImportError):
        importlib.import_module("anyio._backends._asyncio")
    _ = client.models, client.audio.transcriptions, client.chat.completions, client.audio.speech


def _shown(url: str) -> str:
    """The URL without a password that may be in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
