"""The progress of a long command."""

from __future__ import annotations

from webapi.voice_node.dev_server.command import CommandProgress


def test_progress_is_a_line_every_twenty_seconds_where_there_is_no_terminal() -> None:
    said: list[str] = []
    with CommandProgress("building", said.append) as progress:
        for second in range(50):
            progress.show(second, f"package {second}")
    assert said == ["building: 20 s, package 20", "building: 40 s, package 40"]
