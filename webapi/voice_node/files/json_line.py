"""A value as a line of a .jsonl file."""

from __future__ import annotations

import json
from typing import Any


def json_line(value: Any) -> str:
    """A line of a .jsonl file. A lone surrogate, which UTF-8 can't hold, is written as JSON escapes it."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n"
