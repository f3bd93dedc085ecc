"""A graph file that is right, for tests that change it; and what is said about a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.graph.spec import GraphSpec

GOOD = """\
version: 1
streams:
  frames:
    from: caller
    through: [{resample: {rate: 8000}}, {window: {ms: 20}}]
  turns:
    from: frames
    through:
      - vad: {backend: webrtc}
      - turn_events: {start_frames: 6, end_frames: 10, playback: playback}
  replies:
    from: turns
    through: [{reply: {orchestrator: mock, playback: playback}}]
  voice:
    from: replies
    through: [{resample: {rate: 48000}}]
outputs:
  speaker: voice
  events: turns
"""


def read(text: str) -> GraphSpec:
    """Read `text` as the file g.yaml, with the default settings."""
    return read_graph(text, Path("g.yaml"), load_settings())


def errors(text: str) -> list[str]:
    """What is said about `text`, a line each."""
    with pytest.raises(UserError) as caught:
        read(text)
    return str(caught.value).splitlines()


def changed(old: str, new: str) -> str:
    """GOOD with one thing changed; fails where there is nothing to change."""
    assert GOOD.count(old) >= 1
    return GOOD.replace(old, new, 1)


def assert_refused(text: str, expected: str) -> None:
    """One line about `text` has `expected` in it, and each has its place."""
    said = errors(text)
    assert any(expected in line for line in said), said
    assert all(re.match(r"g\.yaml:\d+:\d+: ", line) for line in said) or len(said) == 1, said
    assert all(line.startswith("g.yaml:") for line in said), said
