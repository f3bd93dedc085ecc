"""A replay as an HTML page to listen to: one file with the picture, the numbers and the audio; it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

from webapi.voice_node.replay.timeline.audio import audio_url
from webapi.voice_node.replay.timeline.model import Timeline
from webapi.voice_node.replay.timeline.page_words import page_events, page_words
from webapi.voice_node.replay.timeline.texts import about
from webapi.voice_node.replay.timeline.wave import Outline

TEMPLATE = Path(__file__).resolve().parents[3] / "static" / "replay" / "timeline.html"
STYLE = re.compile(r'<link rel="stylesheet" href="([\w.]+)">')
SCRIPT = re.compile(r'<script src="([\w.]+)"></script>')


def page(timeline: Timeline, outline: Outline, mix: Path) -> str:
    """Return the page as HTML. It plays what audio.py makes of the WAV `mix`, or the WAV where that is too long."""
    source = audio_url(mix, outline) if outline.seconds else ""
    audio = "none" if outline.seconds == 0 else "inside" if source else "beside"
    player = "" if audio == "none" else f'<audio id="mix" preload="auto" src="{source or mix.name}"></audio>'
    data = _json(_data(timeline, outline, audio, mix.stat().st_size))
    template, policy = _self_contained(TEMPLATE.read_text(encoding="utf-8"))
    parts = {
        "<!-- policy -->": f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        "<title>Timeline</title>": f"<title>{escape(timeline.name)}: timeline</title>",
        "<!-- mix -->": player,
        '<script id="data" type="application/json"></script>': (
            f'<script id="data" type="application/json">{data}</script>'
        ),
    }
    for place, content in parts.items():
        before, _, after = template.partition(place)
        template = before + content + after
    return template


def _self_contained(template: str) -> tuple[str, str]:
    """Return the template with its styles and scripts inside, and a content security policy that allows only those."""
    hashes: dict[str, list[str]] = {"style": [], "script": []}

    def inline(tag: str, found: re.Match[str]) -> str:
        text = (TEMPLATE.parent / found[1]).read_text(encoding="utf-8")
        digest = hashlib.sha256(f"\n{text}".encode()).digest()
        hashes[tag].append(f"'sha256-{base64.b64encode(digest).decode()}'")
        return f"<{tag}>\n{text}</{tag}>"

    template = STYLE.sub(lambda found: inline("style", found), template)
    template = SCRIPT.sub(lambda found: inline("script", found), template)
    policy = (
        f"default-src 'none'; style-src {' '.join(hashes['style'])}; script-src {' '.join(hashes['script'])}; "
        "media-src data: 'self' file:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return template, policy


def _json(data: dict[str, Any]) -> str:
    """Return JSON that can stand in a script: nothing in it ends the script or begins a comment."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(timeline: Timeline, outline: Outline, audio: str, size: int) -> dict[str, Any]:
    """Return what the page's script draws. `size`: of the mix in bytes."""
    return {
        "name": timeline.name,
        "about": about(timeline),
        "figures": _figures(timeline),
        "seconds": _s(timeline.seconds),
        "audio": audio,
        "megabytes": round(size / 1_000_000),
        "column_s": outline.column_s,
        "peaks": {
            side: base64.b64encode(peaks.tobytes()).decode()
            for side, peaks in zip(("caller", "bot"), outline.peaks, strict=True)
        },
        "voiced": [[_s(span.start), _s(span.end)] for span in timeline.voiced],
        "likely": timeline.likely,
        "speech": [[_s(span.start), _s(span.end), span.turn] for span in timeline.speech],
        "playback": [[_s(p.start), _s(p.end), p.turn, p.cut, p.heard_ms, p.ducked] for p in timeline.playback],
        "fillers": [[_s(span.start), _s(span.end), span.turn] for span in timeline.fillers],
        "delays": [[_s(delay.start), _s(delay.end), delay.turn, delay.kind, delay.ms] for delay in timeline.delays],
        "events": list(page_events(timeline.events)),
        "turns": [{**vars(turn), "start": _s(turn.start)} for turn in timeline.turns],
        "words": page_words(timeline.words),
    }


def _figures(timeline: Timeline) -> list[tuple[str, str]]:
    """Return the numbers of the whole call as (name, value)."""

    def middle(kind: str) -> str:
        found = [delay.ms for delay in timeline.delays if delay.kind == kind]
        return f"{median(found):.0f} ms" if found else "–"

    waits = [turn.wait_ms for turn in timeline.turns if turn.wait_ms is not None]
    cut = sum(1 for turn in timeline.turns if turn.outcome == "barged_in")
    return [
        ("Turns", str(sum(1 for turn in timeline.turns if not turn.prompt))),
        *([("Caller waits (median)", f"{median(waits):.0f} ms")] if waits else []),
        ("Reply after (median)", middle("reply")),
        ("Barge-ins", str(cut)),
        ("Silent after (median)", middle("stop")),
    ]


def _s(seconds: float) -> float:
    return round(seconds, 6)
