"""Parts at servers with the Wyoming protocol, such as those of Home Assistant's whisper and piper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, TypeAlias

from pydantic import Field

from webapi.voice_node.audio.fir_resampler import fir_can
from webapi.voice_node.audio_io import Resampler, resampler
from webapi.voice_node.converse.parts import TIMEOUT_S, Heard, PartError, Rate, Seconds
from webapi.voice_node.errors.advice import install
from webapi.voice_node.events import BYTES_PER_SAMPLE

INSTALL = install("wyoming")

try:
    from wyoming.asr import Transcribe, Transcript, TranscriptChunk
    from wyoming.audio import AudioChunk, AudioStart, AudioStop
    from wyoming.client import AsyncClient
    from wyoming.error import Error
    from wyoming.event import Event, Eventable
    from wyoming.info import AsrProgram, Describe, Info
    from wyoming.tts import Synthesize, SynthesizeVoice
except ImportError as error:
    raise PartError("wyoming", "the package wyoming is not installed", f"Run: {INSTALL}", INSTALL) from error

HEARING_RATE = 16_000  # Hz; what speech-to-text servers work with
SPEECH_RATE = 22_050  # Hz, of most of piper's voices
MOST_NAMED = 8  # of the models that a server lists

ADDRESS = "Start the server, or correct uri of the part"
LOG = "Look into the server's log"

Uri: TypeAlias = Annotated[str, Field(pattern=r"^(tcp://[^/\s]+:\d+|unix://\S+)$")]


class _WyomingPart:
    """A server at `uri`. Each request has a connection of its own, so that to close that one ends the request."""

    def __init__(self, kind: str, uri: str, timeout_s: float, wanted: str | None) -> None:
        self._uri = uri
        self._kind = kind
        self._wanted = wanted  # the model or the voice
        self.doubt = ""
        self.timeout_s = timeout_s
        self.label = f"wyoming {kind} at {uri}"

    async def open(self) -> None:
        """Ask the server what it is. Raises PartError where it is away, or something else."""
        async with self._connection() as client:
            await client.write_event(Describe().event())
            async for event in self._events(client):
                if Info.is_type(event.type):
                    self._check(Info.from_event(event))
                    return

    async def aclose(self) -> None:
        """Nothing is open between two requests."""

    def _check(self, info: Info) -> None:
        """Raise PartError where the server is none of this kind. That it does not list the model is a doubt."""
        offered = info.asr if isinstance(self, WyomingSpeechToText) else info.tts
        if not offered:
            raise PartError(self.label, f"this server does no {self._kind}", "Correct uri of the part")
        models = [
            model.name for each in offered for model in (each.models if isinstance(each, AsrProgram) else each.voices)
        ]
        if self._wanted and models and self._wanted not in models:
            self.doubt = f"the server does not list {self._wanted}. It has: {', '.join(models[:MOST_NAMED])}"

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncClient]:
        """A connection, closed afterwards. Errors of the network become a PartError."""
        client = AsyncClient.from_uri(self._uri)
        try:
            await client.connect()
        except OSError as error:
            raise PartError(self.label, f"the server can't be reached: {error.strerror or error}", ADDRESS) from error
        try:
            yield client
        except (OSError, EOFError, ValueError, LookupError) as error:  # the last two: no Wyoming event
            raise self._broke_off() from error
        finally:
            with suppress(OSError):
                await client.disconnect()

    async def _events(self, client: AsyncClient) -> AsyncGenerator[Event, None]:
        """What the server sends. Raises PartError for an error event, and at the end of the connection."""
        while event := await client.read_event():
            if Error.is_type(event.type):
                failed = Error.from_event(event)
                what = f"{failed.text} ({failed.code})" if failed.code else failed.text  # the text may be a bare name
                raise PartError(self.label, f"the server failed: {what}", LOG)
            yield event
        raise self._broke_off()

    def _broke_off(self) -> PartError:
        return PartError(self.label, "the server closed the connection before the end", LOG)


class WyomingSpeechToText(_WyomingPart):
    """Streams the utterance to the server while the caller speaks, and gives interim text where the server does.

    `uri` is such as `tcp://localhost:10300`. `model` and `language` are optional.
    """

    def __init__(
        self, *, uri: Uri, model: str | None = None, language: str | None = None, timeout_s: Seconds = TIMEOUT_S
    ) -> None:
        super().__init__("speech-to-text", uri, timeout_s, model)
        self._request = Transcribe(name=model, language=language)

    async def listen(self, audio: AsyncIterator[bytes], rate: int) -> AsyncGenerator[Heard, None]:
        """What the server understands, as it comes."""
        text = ""
        async with self._connection() as client:
            sending = asyncio.get_running_loop().create_task(self._send(client, audio, rate))
            try:
                async for event in self._events(client):
                    if TranscriptChunk.is_type(event.type):
                        text += TranscriptChunk.from_event(event).text
                        yield Heard(text, False)
                    elif Transcript.is_type(event.type):
                        whole = Transcript.from_event(event).text
                        yield Heard(" ".join(whole.split()), True)  # whisper's segments are two spaces apart
                        return
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)  # that it failed shows in what is read

    async def _send(self, client: AsyncClient, audio: AsyncIterator[bytes], rate: int) -> None:
        format_ = (HEARING_RATE, BYTES_PER_SAMPLE, 1)
        convert = _resampler(rate, HEARING_RATE)
        for event in (self._request, AudioStart(*format_)):
            await client.write_event(event.event())
        async for piece in audio:
            await _write(client, AudioChunk(*format_, convert.push(piece)))
        await _write(client, AudioChunk(*format_, convert.flush()))
        await _write(client, AudioStop())


class WyomingTextToSpeech(_WyomingPart):
    """Speaks. `rate` (Hz) is that of the speech; what the server sends at another one is resampled.

    `voice`, `speaker` (of that voice, where it has some) and `language` choose among the server's voices.
    """

    def __init__(
        self,
        *,
        uri: Uri,
        voice: str | None = None,
        speaker: str | None = None,
        language: str | None = None,
        rate: Rate = SPEECH_RATE,
        timeout_s: Seconds = TIMEOUT_S,
    ) -> None:
        super().__init__("text-to-speech", uri, timeout_s, voice)
        self.rate = rate
        chosen = SynthesizeVoice(name=voice, speaker=speaker, language=language)
        self._voice = chosen if voice or language else None

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        """The speech as the server sends it."""
        async with self._connection() as client:
            await client.write_event(Synthesize(text, voice=self._voice).event())
            convert: Resampler | None = None
            async for event in self._events(client):
                if AudioChunk.is_type(event.type):
                    chunk = AudioChunk.from_event(event)
                    if (chunk.width, chunk.channels) != (BYTES_PER_SAMPLE, 1):
                        what = f"{chunk.channels} channels of {8 * chunk.width} bit came, and not 1 of 16"
                        raise PartError(self.label, what, "Choose another voice")
                    convert = convert or _resampler(chunk.rate, self.rate)
                    yield convert.push(chunk.audio)
                elif AudioStop.is_type(event.type):
                    if convert is not None:
                        yield convert.flush()
                    return


def _resampler(rate_in: int, rate_out: int) -> Resampler:
    return resampler(rate_in, rate_out, "fir" if fir_can(rate_in, rate_out) else "soxr-hq")


async def _write(client: AsyncClient, event: Eventable) -> None:
    await client.write_event(event.event())
