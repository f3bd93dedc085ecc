"""Graph files by name and by path."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import find_graphs, load_graph


def test_what_is_no_file_is_no_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "graphs" / "folder.yaml").mkdir(parents=True)
    (tmp_path / "graphs" / "dangling.yaml").symlink_to(tmp_path / "nothing")
    monkeypatch.chdir(tmp_path)
    assert {"folder", "dangling"}.isdisjoint(find_graphs())


def test_a_graph_that_is_not_there_names_the_ones_that_are() -> None:
    with pytest.raises(
        UserError,
        match=r"graph 'defualt': there is none of that name\. Did you mean 'default'\? There are: .*default",
    ):
        load_graph("defualt", load_settings())


def test_a_path_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read: No such file"):
        load_graph(str(tmp_path / "no.yaml"), load_settings())
    (tmp_path / "d.yaml").mkdir()
    with pytest.raises(UserError, match=r"a folder\. Name a graph in it"):
        load_graph(str(tmp_path / "d.yaml"), load_settings())
    (tmp_path / "b.yaml").write_bytes(b"version: \xff\xfe")
    with pytest.raises(UserError, match="byte 9 is not UTF-8"):
        load_graph(str(tmp_path / "b.yaml"), load_settings())
