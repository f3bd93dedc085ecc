"""What `converse` adds to the time that its parts take: `python -m bench.converse [--turns 20]`.

A server with OpenAI's interface runs in a thread of its own, and measures how long each of its answers took to begin.
The bot answers an utterance again and again, in real time and through the whole graph. Exit code 1 where the median of
what the node added to these times and to the endpointing is more than GOAL_MS.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.stall_meter import Gap, StallMeter, touched
from tests.converse.openai_server import OpenAiServer
from tests.speech import RATE_HZ, silence, vowel
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.replay.wav_replay import replay

GOAL_MS = 50.0
LEAST = 0.5  # of the turns must be left: medians of what a machine that stands still leaves over say nothing
DELAYS_S = {"transcriptions": 0.12, "chat": 0.15, "speech": 0.1}  # that the server waits before it answers
PARTS = ("speech_to_text", "llm_first_token", "text_to_speech")
GRAPH = """
version: 1
streams:
  frames: {from: caller, through: [resample: {rate: 8000}, window]}
  turns: {from: frames, through: [vad: {backend: webrtc}, turn_events: {playback: playback}]}
  voice:
    from: turns
    through:
      - reply:
          orchestrator: converse
          with:
            stt: {part: openai, base_url: "URL"}
            llm: {part: openai, model: m, base_url: "URL"}
            tts: {part: openai, base_url: "URL"}
            prompt: Be brief.
      - resample: {rate: 48000}
outputs: {speaker: voice, events: turns}
"""


@dataclass(frozen=True)
class Wait:
    """One wait of the caller: the node's line of metrics.jsonl, and the ms that the server measured for each part.

    `asked_s`: when the server got the utterance, in monotonic seconds.
    """

    line: dict[str, Any]
    served: dict[str, float]
    asked_s: float

    def part(self, name: str) -> float:
        """Ms of the parts of that name, as the node says."""
        return sum(float(part["ms"]) for part in self.line["parts"] if part["name"] == name)

    @property
    def added_ms(self) -> float:
        """What the wait is longer than endpointing and the server's own times."""
        return float(self.line["caller_wait_ms"]) - self.part("endpointing") - sum(self.served.values())


@contextmanager
def running(server: OpenAiServer) -> Iterator[None]:
    """The server, in a thread with a loop of its own."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with server.running():
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="server")
    thread.start()
    try:
        ready.wait()
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def measured(turns: int) -> list[Wait]:
    """The waits of a call with so many utterances of a second, in real time."""
    server = OpenAiServer(delays_s=dict(DELAYS_S), speech=(b"\1\0" * 2400,))  # type: ignore[arg-type]  # its places
    with tempfile.TemporaryDirectory() as folder, running(server):
        path = Path(folder) / "caller.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(silence(1.0) + (vowel(1.0) + silence(2.0)) * turns)
        settings: Settings = load_settings(None)
        graph = read_graph(GRAPH.replace("URL", server.url), Path("converse.yaml"), settings)
        lines = replay(path, graph, settings, pace="real").metrics
    served: list[dict[str, float]] = []
    asked_s: list[float] = []
    for place, began_s, done_s in server.took:
        if place == "transcriptions":
            served.append({})
            asked_s.append(began_s)
        served[-1].setdefault(place, (done_s - began_s) * 1000)  # of the sentences of a reply the first
    return [Wait(*each) for each in zip(lines, served, asked_s, strict=True)]


def main(turns: Annotated[int, typer.Option(min=1, help="How many turns.")] = 20) -> None:
    """Print what each part took by the node and by the server, and what the node added."""
    gaps: list[Gap] = []
    with StallMeter(gaps.append):
        waits = measured(turns)
    kept = [wait for wait in waits if not touched(gaps, wait.asked_s - 1, wait.asked_s + 1)]
    console = Console()
    if len(kept) < LEAST * len(waits):
        console.print(f"The machine stood still in all but {len(kept)} of {len(waits)} turns: this says nothing.")
        raise typer.Exit(1)
    table = Table(title=f"{len(kept)} turns, median ms; dropped for stalls: {len(waits) - len(kept)}")
    table.add_column("")
    table.add_column("by the node", justify="right")
    table.add_column("by the server", justify="right")
    for name, place in zip(PARTS, DELAYS_S, strict=True):
        row = (median(wait.part(name) for wait in kept), median(wait.served[place] for wait in kept))
        table.add_row(name, *(f"{ms:.1f}" for ms in row))
    added = [wait.added_ms for wait in kept]
    table.add_row("added by the node, in all", f"{median(added):.1f}", "")
    console.print(table)
    console.print(f"added at most: {max(added):.1f} ms; goal for the median: {GOAL_MS:g} ms")
    raise typer.Exit(median(added) > GOAL_MS)


if __name__ == "__main__":
    typer.run(main)
