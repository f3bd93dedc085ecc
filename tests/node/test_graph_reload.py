"""A graph's file that changes under a running node: read when it has settled, refused where it is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.node.graph_reload import GraphReloader

ROOT = Path(__file__).parents[2]
DEFAULT = (ROOT / "graphs" / "default.yaml").read_text()
ECHO = (ROOT / "graphs" / "echo.yaml").read_text()
SETTINGS = load_settings(None)


class Scene:
    """A graph's file, and what came of it: texts of graphs that were loaded, and what was said of refused ones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loaded: list[GraphSpec] = []
        self.refused: list[str] = []
        self.asked = asyncio.Event()

    def save(self, text: str) -> None:
        """As an editor does that writes a new file and puts it in the old one's place."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)


def play(path: Path, script: Callable[[Scene], Awaitable[None]], *, watch: bool = True) -> Scene:
    """Follow the file, which begins as the default graph, while the script runs."""
    path.write_text(DEFAULT)

    async def main() -> Scene:
        scene = Scene(path)
        graph = load_and_check(str(path), SETTINGS)
        reloader = GraphReloader(graph, SETTINGS, on_loaded=scene.loaded.append, on_refused=scene.refused.append)
        following = asyncio.create_task(reloader.run(scene.asked, watch=watch))
        await asyncio.sleep(3)
        await script(scene)
        await asyncio.sleep(3)
        following.cancel()
        await asyncio.wait([following])
        return scene

    return run_virtual(main())


def test_a_file_that_stays_as_it_is_is_not_read_again(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        await asyncio.sleep(60)

    scene = play(tmp_path / "g.yaml", script)
    assert (scene.loaded, scene.refused) == ([], [])


def test_a_changed_file_is_loaded_once(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.save(ECHO)
        await asyncio.sleep(2)
        scene.save(ECHO)  # saved again as it is

    scene = play(tmp_path / "g.yaml", script)
    assert [graph.text for graph in scene.loaded] == [ECHO]
    assert scene.loaded[0].name == "g"
    assert scene.refused == []


def test_a_broken_file_is_told_with_its_place_and_the_next_that_is_right_is_loaded(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.save(DEFAULT.replace("window", "widow"))
        await asyncio.sleep(5)
        assert scene.loaded == []
        scene.path.unlink()
        await asyncio.sleep(5)
        scene.save(ECHO)

    scene = play(tmp_path / "g.yaml", script)
    wrong, gone = scene.refused
    assert f"{tmp_path / 'g.yaml'}:" in wrong
    assert "Did you mean 'window'?" in wrong
    assert "can't be read" in gone
    assert [graph.text for graph in scene.loaded] == [ECHO]


def test_an_orchestrator_that_can_not_be_made_refuses_the_graph(tmp_path: Path) -> None:
    wrong = ECHO.replace("orchestrator: echo", "orchestrator: no.such:Thing")
    assert wrong != ECHO

    async def script(scene: Scene) -> None:
        scene.save(wrong)

    scene = play(tmp_path / "g.yaml", script)
    assert scene.loaded == []
    assert "ORCHESTRATOR=no.such:Thing" in scene.refused[0]
    (tmp_path / "g.yaml").write_text(wrong)
    with pytest.raises(UserError, match=r"no\.such"):
        load_and_check(str(tmp_path / "g.yaml"), SETTINGS)


def test_a_file_that_is_being_written_is_left_alone_until_it_has_settled(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        half = ""
        for line in ECHO.splitlines(keepends=True):
            half += line
            scene.path.write_text(half)
            await asyncio.sleep(0.2)

    scene = play(tmp_path / "g.yaml", script)
    assert scene.refused == []
    assert [graph.text for graph in scene.loaded] == [ECHO]


def test_without_watching_it_is_read_when_asked_for(tmp_path: Path) -> None:
    async def script(scene: Scene) -> None:
        scene.save(ECHO)
        await asyncio.sleep(10)
        assert scene.loaded == []
        scene.asked.set()
        await asyncio.sleep(0.1)
        assert [graph.text for graph in scene.loaded] == [ECHO]
        scene.asked.set()

    scene = play(tmp_path / "g.yaml", script, watch=False)
    assert len(scene.loaded) == 1


def test_arguments_of_the_orchestrator_are_checked_and_taken_over(tmp_path: Path) -> None:
    def made_with(given: str) -> str:
        return DEFAULT.replace('"${ORCHESTRATOR}"', f"mock, with: {given}")

    async def script(scene: Scene) -> None:
        scene.save(made_with("{think: 5}"))
        await asyncio.sleep(3)
        assert scene.loaded == []
        scene.save(made_with("{think_ms: 5}"))
        await asyncio.sleep(3)

    scene = play(tmp_path / "g.yaml", script)
    assert "OrchestratorMock has no argument 'think'. Did you mean 'think_ms'?" in scene.refused[0]
    (graph,) = scene.loaded
    (reply,) = (step for stream in graph.streams for step in stream.steps if step.operator == "reply")
    assert reply.arguments["with"].values == {"think_ms": 5}
