"""The timeline of a replay: a picture and a page to listen to, beside its mix."""

from __future__ import annotations

from pathlib import Path

from webapi.voice_node.replay import Replayed
from webapi.voice_node.timeline_model import timeline
from webapi.voice_node.timeline_page import page
from webapi.voice_node.timeline_svg import svg
from webapi.voice_node.timeline_wave import outline


def write_timeline(folder: Path, replayed: Replayed) -> None:
    """Write timeline.svg and timeline.html into the folder where its mix.wav is. OSError as `open`."""
    mix = folder / "mix.wav"
    peaks = outline(mix)
    shown = timeline(replayed, peaks.seconds)
    (folder / "timeline.svg").write_text(svg(shown, peaks), encoding="utf-8")
    (folder / "timeline.html").write_text(page(shown, peaks, mix), encoding="utf-8")
