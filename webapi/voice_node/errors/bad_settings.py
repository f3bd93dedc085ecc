"""Wrong settings as lines for users: the variable, its value, where the value came from, and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError

from webapi.voice_node.errors.advice import SETTINGS_LIST
from webapi.voice_node.errors.plain_text import shortened


def is_secret(settings: type[BaseModel], name: str) -> bool:
    """Whether the value of the setting must not be shown."""
    return settings.model_fields[name].annotation is SecretStr


def bad_values(error: ValidationError, settings: type[BaseModel], origin: Callable[[str], str]) -> list[str]:
    """One line for each bad value. `origin` gives the place where a setting's value came from.

    What is allowed stands in a field's `json_schema_extra`, under `allowed`.
    """
    lines = []
    for problem in error.errors(include_url=False):
        reason = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else ""
        if not problem["loc"]:  # a check of several values: its message has whole lines
            lines.append(reason)
            continue
        name = str(problem["loc"][0])
        extra = settings.model_fields[name].json_schema_extra
        allowed = extra["allowed"] if isinstance(extra, dict) else ""
        shown = " (not shown)" if is_secret(settings, name) else f"={_shown(problem['input'])}"
        lines.append(f"{name.upper()}{shown} ({origin(name)}): {reason + '; ' if reason else ''}allowed: {allowed}")
    return lines


def misspelled(
    names: Iterable[str], file: str | Path | None, settings: type[BaseModel], prefixes: tuple[str, ...]
) -> list[str]:
    """One line for each name in a `.env` file that is no setting, but is like one or begins with one of `prefixes`."""
    known = [name.upper() for name in settings.model_fields]
    lines = []
    for name in names:
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.85)
        if name.upper() in known or not (near or name.upper().startswith(prefixes)):
            continue
        hint = f"did you mean {near[0]}?" if near else f"allowed: the names in {SETTINGS_LIST}"
        lines.append(f"{name} ({file}): no such variable; {hint}")
    return lines


def _shown(value: object) -> str:
    """A bad value in one short line, without what could be a password in a URL."""
    text = re.sub(r"//.*@", "//…@", str(value))
    if "://" in text:
        text = re.sub(r"[?#].*", "?…", text, flags=re.DOTALL)
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return shortened(text, 80)
