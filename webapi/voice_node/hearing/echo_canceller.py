"""Echo cancellation by LiveKit's audio processing module (WebRTC's AEC3): the only part of it that is used."""

from __future__ import annotations

from livekit import rtc

from webapi.voice_node.events import ROOM_RATE_HZ

PIECE_SAMPLES = ROOM_RATE_HZ // 100  # the module takes 10 ms at a time and no other


class EchoCanceller:
    """One caller's. It learns the way from the bot's loudspeaker back to the caller's microphone as they talk.

    The same input gives the same output. 10 ms take 0.12 to 0.2 ms.
    """

    def __init__(self) -> None:
        self._apm = rtc.AudioProcessingModule(echo_cancellation=True)

    def process(self, heard: bytes, played: bytes) -> bytes:
        """10 ms of the caller's audio without what is left in it of what was played; int16 mono at 48 kHz."""
        self._apm.process_reverse_stream(rtc.AudioFrame(played, ROOM_RATE_HZ, 1, PIECE_SAMPLES))
        frame = rtc.AudioFrame(heard, ROOM_RATE_HZ, 1, PIECE_SAMPLES)
        self._apm.process_stream(frame)
        return bytes(frame.data)
