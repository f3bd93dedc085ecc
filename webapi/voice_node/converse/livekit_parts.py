"""Parts by the plug-ins of LiveKit's agents: any STT, LLM or TTS class of a livekit-plugins-* package."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from webapi.voice_node.converse.livekit_plugin import LiveKitPlugin
from webapi.voice_node.converse.parts import TIMEOUT_S, Heard, Message, PartError, Seconds
from webapi.voice_node.events import BYTES_PER_SAMPLE

ClassPath: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]


class _LiveKitPart:
    """A plug-in as a part. `class_` is the key `class`; the further keys are the arguments of that class.

    Nothing is tried twice: a caller waits.
    """

    kind = ""
    base = ""

    def __init__(self, *, class_: ClassPath, timeout_s: Seconds = TIMEOUT_S, **arguments: Any) -> None:
        self.timeout_s = timeout_s
        self.label = f"livekit {self.kind} {class_}"
        self._plugin = LiveKitPlugin(self.label, class_, self.base, arguments)
        self._once = self._plugin.agents.APIConnectOptions(max_retry=0, timeout=timeout_s)

    async def open(self) -> None:
        """Set up the plug-in's HTTP session. Plug-ins connect when they are first used."""
        await self._plugin.open()

    async def aclose(self) -> None:
        """Close the plug-in and its connections."""
        await self._plugin.aclose()


class LiveKitSpeechToText(_LiveKitPart):
    """Streams the utterance where the plug-in streams, and gives it whole otherwise."""

    kind, base = "speech-to-text", "stt.STT"

    async def listen(self, audio: AsyncIterator[bytes], rate: int) -> AsyncGenerator[Heard, None]:
        """What the plug-in understands, as it comes."""
        plugin = self._plugin
        with plugin.explained():
            if not plugin.object.capabilities.streaming:
                pcm = b"".join([piece async for piece in audio])
                recognized = plugin.object.recognize(self._frame(pcm, rate), conn_options=self._once)
                yield Heard(_text(await plugin.wait_for(recognized)), True)
                return
            stream = plugin.begin(plugin.object.stream, conn_options=self._once)
            sending = asyncio.get_running_loop().create_task(self._send(stream, audio, rate))
            kinds = plugin.agents.stt.SpeechEventType
            try:
                async for event in stream:
                    if event.type in (kinds.INTERIM_TRANSCRIPT, kinds.FINAL_TRANSCRIPT):
                        yield Heard(_text(event), event.type == kinds.FINAL_TRANSCRIPT)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                await stream.aclose()

    async def _send(self, stream: Any, audio: AsyncIterator[bytes], rate: int) -> None:
        async for piece in audio:
            stream.push_frame(self._frame(piece, rate))
        stream.end_input()

    def _frame(self, pcm: bytes, rate: int) -> Any:
        return self._plugin.rtc.AudioFrame(pcm, rate, 1, len(pcm) // BYTES_PER_SAMPLE)


class LiveKitLanguageModel(_LiveKitPart):
    """Writes, streamed."""

    kind, base = "language model", "llm.LLM"

    async def chat(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """The text as it is written."""
        plugin = self._plugin
        history = plugin.agents.llm.ChatContext.empty()
        for each in messages:
            history.add_message(role=each.role, content=each.text)
        with plugin.explained():
            stream = plugin.begin(plugin.object.chat, chat_ctx=history, conn_options=self._once)
            try:
                async for chunk in stream:
                    if chunk.delta is not None and chunk.delta.content:
                        yield chunk.delta.content
            finally:
                await stream.aclose()


class LiveKitTextToSpeech(_LiveKitPart):
    """Speaks at the plug-in's own rate."""

    kind, base = "text-to-speech", "tts.TTS"

    def __init__(self, *, class_: ClassPath, timeout_s: Seconds = TIMEOUT_S, **arguments: Any) -> None:
        super().__init__(class_=class_, timeout_s=timeout_s, **arguments)
        if self._plugin.object.num_channels != 1:
            raise PartError(self.label, "its speech is stereo", "Give it arguments for one channel")
        self.rate = int(self._plugin.object.sample_rate)

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        """The speech as it is made: by a stream where the plug-in has one, by a request otherwise."""
        plugin = self._plugin
        with plugin.explained():
            if plugin.object.capabilities.streaming:
                stream = plugin.begin(plugin.object.stream, conn_options=self._once)
                stream.push_text(text)
                stream.end_input()
            else:
                stream = plugin.begin(plugin.object.synthesize, text, conn_options=self._once)
            try:
                async for event in stream:
                    yield bytes(event.frame.data)
            finally:
                await stream.aclose()


def _text(event: Any) -> str:
    return str(event.alternatives[0].text) if event.alternatives else ""
