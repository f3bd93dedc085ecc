"""The peer's side of `bench.pipecat`: run by the Python of pipecat's own environment, which has nothing of ours.

    python -I bench/pipecat_pipeline.py talk.wav

Each line on stdin, `public` or `trimmed`, is one run; its answer is a line of JSON: seconds, starts, stops.
Channel 0 is mono 48 kHz int16. What the two ways are, `bench.pipecat` says.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import wave

import webrtcvad
from loguru import logger
from pipecat.audio.utils import create_stream_resampler
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState
from pipecat.frames.frames import (
    EndWorkerFrame,
    Frame,
    InputAudioRawFrame,
    StartFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

RATE_IN_HZ, RATE_HZ = 48_000, 8_000
CHUNK = RATE_IN_HZ // 100  # 10 ms, in samples
FRAME_BYTES = RATE_HZ // 50 * 2  # 20 ms
# The rule of our turn_events: 6 frames to start, 10 to stop. min_volume 0: webrtcvad alone decides.
RULE = VADParams(confidence=0.5, start_secs=0.12, stop_secs=0.2, min_volume=0.0)


class Webrtc(VADAnalyzer):
    """webrtcvad in mode 3, as pipecat asks for it: a confidence of each 20 ms."""

    def __init__(self) -> None:
        super().__init__(sample_rate=RATE_HZ, params=RULE)
        self._vad = webrtcvad.Vad(3)

    def num_frames_required(self) -> int:
        return FRAME_BYTES // 2

    def voice_confidence(self, buffer: bytes) -> float:
        return float(self._vad.is_speech(buffer, RATE_HZ))


class Trimmed(Webrtc):
    """Without what the base class does round every frame: a hop to a thread, and its loudness by BS.1770."""

    async def analyze_audio(self, buffer: bytes) -> VADState:
        return self._run_analyzer(buffer)

    def _get_smoothed_volume(self, audio: bytes) -> float:
        return 1.0


class Caller(FrameProcessor):
    """The source: reads the WAV, resamples as pipecat's LiveKit transport does, pushes 20 ms frames, and ends it all.

    `seconds` is how long that took. In direct mode a push comes back when every processor is through with the frame.
    """

    def __init__(self, path: str) -> None:
        super().__init__(enable_direct_mode=True)
        self._path = path
        self.seconds = 0.0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._task = self.create_task(self._talk())

    async def _talk(self) -> None:
        start = time.perf_counter()
        resampler, held = create_stream_resampler(), b""
        with wave.open(self._path) as talk:
            while chunk := talk.readframes(CHUNK):
                held += await resampler.resample(chunk, RATE_IN_HZ, RATE_HZ)
                while len(held) >= FRAME_BYTES:
                    audio, held = held[:FRAME_BYTES], held[FRAME_BYTES:]
                    await self.push_frame(InputAudioRawFrame(audio=audio, sample_rate=RATE_HZ, num_channels=1))
        self.seconds = time.perf_counter() - start
        await self.push_frame(EndWorkerFrame(), FrameDirection.UPSTREAM)


class Counter(FrameProcessor):
    """The sink: how often the caller started and stopped."""

    def __init__(self) -> None:
        super().__init__(enable_direct_mode=True)
        self.starts = self.stops = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.starts += isinstance(frame, VADUserStartedSpeakingFrame)
        self.stops += isinstance(frame, VADUserStoppedSpeakingFrame)
        await self.push_frame(frame, direction)


async def run(path: str, analyzer: VADAnalyzer) -> dict[str, float]:
    """One run. Nothing that can be turned off is on."""
    caller, counter = Caller(path), Counter()
    # audio_idle_timeout: a timer on the wall clock, which would cut speech off where the machine stands still.
    vad = VADProcessor(vad_analyzer=analyzer, audio_idle_timeout=0, enable_direct_mode=True)
    worker = PipelineWorker(
        Pipeline([caller, vad, counter]),
        params=PipelineParams(audio_in_sample_rate=RATE_HZ),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    return {"seconds": caller.seconds, "starts": counter.starts, "stops": counter.stops}


def main() -> None:
    """A run a line, until stdin ends."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    for line in sys.stdin:
        analyzer = {"public": Webrtc, "trimmed": Trimmed}[line.strip()]()
        print(json.dumps(asyncio.run(run(sys.argv[1], analyzer))), flush=True)


if __name__ == "__main__":
    main()
