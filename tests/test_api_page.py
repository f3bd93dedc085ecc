"""docs/api.md says what the docstrings say."""

from __future__ import annotations

import importlib

import pytest

from scripts.make_api_page import ENTRY_POINTS, PACKAGE, PAGE, PUBLIC, page


def test_the_page_is_what_the_script_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again: python scripts/make_api_page.py"


@pytest.mark.parametrize(("module", "names"), PUBLIC.items(), ids=PUBLIC)
def test_every_name_can_be_imported_and_is_described(module: str, names: tuple[str, ...]) -> None:
    there = importlib.import_module(f"{PACKAGE}.{module}")
    assert [name for name in names if not hasattr(there, name)] == []
    section = page().partition(f"\n## {module}\n")[2].partition("\n## ")[0]
    for definition in section.split("\n### ")[1:]:
        said = definition.split("```\n", 1)[1].strip()
        assert said, f"no docstring: {module}.{definition.splitlines()[0]}"
        assert not said.startswith(("|", "```python")), f"no docstring: {module}.{definition.splitlines()[0]}"


def test_the_entry_point_groups_are_those_that_are_looked_at() -> None:
    for module in ENTRY_POINTS:
        assert f"| `{importlib.import_module(f'{PACKAGE}.{module}').ENTRY_POINTS}` |" in page()
