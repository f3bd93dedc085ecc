"""`${VARIABLE}` in a graph file: the value of a setting; for an orchestrator also that of any other variable."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from webapi.voice_node.config import Settings, environment_variable
from webapi.voice_node.errors import nearest
from webapi.voice_node.errors.advice import SETTINGS_LIST
from webapi.voice_node.graph.problem_list import Problems
from webapi.voice_node.graph.secret_keys import looks_like_a_secret, names_a_secret
from webapi.voice_node.graph.variable_names import IN_YAML, only_variable
from webapi.voice_node.graph.yaml_parser import Marked, Place

ALIKE = 0.85  # of a setting and a slip of the pen; LIVEKIT_API_KEY and OPENAI_API_KEY are 0.62


def filled_in(marked: Marked, settings: Settings, problems: Problems) -> Any:
    """The value with settings in place of its variables; a variable alone keeps the setting's type."""
    value = marked.plain()
    if not isinstance(value, str):
        return value
    variable = only_variable(value)
    if variable is not None:
        return _setting(variable, marked.place, settings, problems)
    return IN_YAML.sub(lambda found: str(_setting(found[1], marked.place, settings, problems)), value)


class Variables:
    """Fills in the variables of nested values: settings, else what the environment or `.env` has.

    `hidden` collects the values of those that are no settings, by name: no problem of the graph shows them. `secrets`
    has the names of those that fill a key for secrets, or that look or are named like one: no text for people may have
    these in it.
    """

    def __init__(self, settings: Settings, problems: Problems) -> None:
        self._settings = settings
        self._problems = problems
        self.hidden: dict[str, str] = {}
        self.secrets: set[str] = set()

    def filled_in(self, marked: Marked, *, secret: bool = False) -> Any:
        """The value, with lists and maps in it; a setting alone keeps its type, any other variable is a string.

        `secret`: whether it stands under a key that names a secret.
        """
        if marked.is_map:
            return {
                key.plain(): self.filled_in(value, secret=secret or names_a_secret(key.value))
                for key, value in marked.pairs
            }
        if isinstance(marked.value, list):
            return [self.filled_in(item, secret=secret) for item in marked.value]
        if not isinstance(marked.value, str):
            return marked.value
        variable = only_variable(marked.value)
        if variable is not None:
            value = self._value(variable, marked.place)
        else:
            value = IN_YAML.sub(lambda found: str(self._value(found[1], marked.place)), marked.value)
        secret = secret or looks_like_a_secret(value)
        self.secrets.update(name for name in IN_YAML.findall(marked.value) if secret or names_a_secret(name))
        return value

    def _value(self, variable: str, place: Place) -> Any:
        if variable in _names(self._settings):
            return _setting(variable, place, self._settings, self._problems)
        value = environment_variable(self._settings, variable)
        if value is None:
            slip = get_close_matches(variable, _names(self._settings), n=1, cutoff=ALIKE)
            near = f" Did you mean {slip[0]!r}?" if slip else ""
            self._problems.add(
                place,
                f"${{{variable}}}: this variable is not set, neither in the environment nor in .env, and it is no "
                f"setting of the node.{near}",
                () if slip else (variable,),  # a setting with a slip of the pen is a mistake in the file
            )
            return None
        self.hidden[variable] = value
        return value


def _names(settings: Settings) -> list[str]:
    return [name.upper() for name in type(settings).model_fields]


def _setting(variable: str, place: Place, settings: Settings, problems: Problems) -> Any:
    names = _names(settings)
    if variable not in names:
        hint = nearest(variable, names)
        problems.add(place, f"${{{variable}}}: there is no such setting.{hint} See {SETTINGS_LIST}")
        return None
    value = getattr(settings, variable.lower())
    if isinstance(value, SecretStr):
        problems.add(place, f"${{{variable}}}: a secret has no place in a graph")
        return None
    return str(value) if isinstance(value, Path) else value
