"""How `${VARIABLE}` is written in a graph file, and how it stands in the values that YAML makes of the file."""

from __future__ import annotations

import re
from typing import Any

VARIABLE = re.compile(r"\$\{([^{}]*)\}")
IN_YAML = re.compile(r"\$⦃([^⦃⦄]*)⦄")  # as long as ${…}, and plain text also inside YAML's own braces


def hide_variables(text: str) -> str:
    """The file's text with `$⦃NAME⦄` for `${NAME}`, so that YAML reads no map there; every place stays the same."""
    return VARIABLE.sub(r"$⦃\1⦄", text)


def as_written(value: Any) -> Any:
    """A value of a graph as its file has it: `hide_variables` undone, in lists and maps too."""
    if isinstance(value, dict):
        return {as_written(key): as_written(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_written(each) for each in value]
    return IN_YAML.sub(r"${\1}", value) if isinstance(value, str) else value


def only_variable(value: object) -> str | None:
    """The name of the variable where the value is nothing else, else None."""
    found = IN_YAML.fullmatch(str(value))
    return found[1] if found else None
