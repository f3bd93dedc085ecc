"""Writes the timeline of a replay: a picture, and a page to listen to."""

from __future__ import annotations

from pathlib import Path

from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.timeline.build import timeline
from webapi.voice_node.replay.timeline.page import page
from webapi.voice_node.replay.timeline.svg import svg
from webapi.voice_node.replay.timeline.wave import read_outline


def write_timeline(folder: Path, replayed: ReplayResult) -> None:
    """Write timeline.svg and timeline.html into the folder with the replay's mix.wav. Raises OSError as `open`."""
    mix = folder / "mix.wav"
    outline = read_outline(mix)
    shown = timeline(replayed, outline.seconds)
    (folder / "timeline.svg").write_text(svg(shown, outline), encoding="utf-8")
    (folder / "timeline.html").write_text(page(shown, outline, mix), encoding="utf-8")
