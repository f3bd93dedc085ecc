"""What the documents show: their code, the files that the reader writes, and the commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(?:^`([\w./]+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A code block. `file`: the name that stands above it, or ""."""

    file: str
    language: str
    text: str


def blocks(name: str) -> list[Block]:
    """The blocks of a document in docs/, in their order."""
    return [Block(*found) for found in BLOCK.findall((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"))]


def write_files(name: str, folder: Path) -> None:
    """Write the files that the reader of the document writes."""
    for block in blocks(name):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
