"""`${VARIABLE}` in a graph file: the value of a setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import nearest
from webapi.voice_node.errors.advice import SETTINGS_LIST
from webapi.voice_node.graph.problem_list import Problems
from webapi.voice_node.graph.yaml_parser import Marked, Place

VARIABLE = re.compile(r"\$\{([^{}]*)\}")
IN_YAML = re.compile(r"\$\(([^()]*)\)")  # as long as ${…}, and plain text also inside YAML's own braces


def hide_variables(text: str) -> str:
    """The file's text with `$(NAME)` for `${NAME}`, so that YAML reads no map there; every place stays the same."""
    return VARIABLE.sub(r"$(\1)", text)


def only_variable(value: object) -> str | None:
    """The name of the variable where the value is nothing else, else None."""
    found = IN_YAML.fullmatch(str(value))
    return found[1] if found else None


def filled_in(marked: Marked, settings: Settings, problems: Problems) -> Any:
    """The value with settings in place of its variables; a variable alone keeps the setting's type."""
    value = marked.plain()
    if not isinstance(value, str):
        return value
    variable = only_variable(value)
    if variable is not None:
        return _setting(variable, marked.place, settings, problems)
    return IN_YAML.sub(lambda found: str(_setting(found[1], marked.place, settings, problems)), value)


def _setting(variable: str, place: Place, settings: Settings, problems: Problems) -> Any:
    names = [name.upper() for name in type(settings).model_fields]
    if variable not in names:
        hint = nearest(variable, names)
        problems.add(place, f"${{{variable}}}: there is no such setting.{hint} See {SETTINGS_LIST}")
        return None
    value = getattr(settings, variable.lower())
    if isinstance(value, SecretStr):
        problems.add(place, f"${{{variable}}}: a secret has no place in a graph")
        return None
    return str(value) if isinstance(value, Path) else value
