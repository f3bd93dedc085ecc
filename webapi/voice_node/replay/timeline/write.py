"""The timeline of a replay: a picture and a page to listen to, beside its mix."""

from __future__ import annotations

from pathlib import Path

from webapi.voice_node.replay.timeline.model import timeline
from webapi.voice_node.replay.timeline.page import page
from webapi.voice_node.replay.timeline.svg import svg
from webapi.voice_node.replay.timeline.wave import outline
from webapi.voice_node.replay.wav_replay import ReplayResult


def write_timeline(folder: Path, replayed: ReplayResult) -> None:
    """Write timeline.svg and timeline.html into the folder where its mix.wav is. OSError as `open`."""
    mix = folder / "mix.wav"
    peaks = outline(mix)
    shown = timeline(replayed, peaks.seconds)
    (folder / "timeline.svg").write_text(svg(shown, peaks), encoding="utf-8")
    (folder / "timeline.html").write_text(page(shown, peaks, mix), encoding="utf-8")
