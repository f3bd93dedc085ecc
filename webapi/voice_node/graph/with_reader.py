"""Reads `with`: the keyword arguments that a graph gives to the constructor of an orchestrator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.errors.hidden_values import without_hidden
from webapi.voice_node.errors.plain_text import shortened
from webapi.voice_node.graph.nested_keys import is_secret, items_of, keys_of, values_of
from webapi.voice_node.graph.problem_list import Problems
from webapi.voice_node.graph.secret_keys import is_literal, is_written_out, names_a_secret
from webapi.voice_node.graph.variable_names import IN_YAML, as_written, only_variable
from webapi.voice_node.graph.variables import Variables
from webapi.voice_node.graph.yaml_parser import Marked, Place
from webapi.voice_node.orchestrator import find_class, told_by_node
from webapi.voice_node.plugins.constructor import MISSING, UNKNOWN, Constructor, WrongValue, constructor_of
from webapi.voice_node.reply.given_arguments import GivenArguments

LONGEST = 60  # characters of a value that a problem shows


@dataclass
class WithReader:
    """Reads one `with`. `what` names operator and argument in problems; `body` is what stands under `with`."""

    what: str
    body: Marked
    settings: Settings
    problems: Problems
    values: dict[str, Any] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    def read(self, name: str | None, name_place: Place, *, recorded: bool) -> GivenArguments | None:
        """The arguments for the orchestrator `name`; None where they have a mistake.

        The class is imported to check them, but not where the recording answers (`recorded`), or where the name is
        wrong and thus None.
        """
        before = len(self.problems)
        path = self.what
        if not self.body.is_map and self.body.value is not None:
            self.problems.add(self.body.place, f"{path}: arguments are written {{argument: value, …}}")
            return None
        written = as_written(self.body.plain() or {})
        if recorded:
            return GivenArguments(written, f"{self.body.place}: {self.what}")
        self._check_keys(self.body, path)
        variables = Variables(self.settings, self.problems)
        self.values, self.hidden = variables.filled_in(self.body) or {}, variables.hidden
        self.secrets = variables.secrets
        without_values = len(self.problems) > before
        made = self._class(name, name_place) if name else None
        if name and made:
            self._check(constructor_of(made), told_by_node(name, made), path, names_only=without_values)
        if len(self.problems) > before or made is None:
            return None
        where = f"{self.body.place}: {self.what}"
        return GivenArguments(written, where, self.values, self.hidden, frozenset(self.secrets))

    # ---------------------------------------------------------------- what needs no class

    def _check_keys(self, value: Marked, path: str, secret: object = None) -> None:
        """Keys that stand there twice, and secrets that are written out. `secret`: the key around it that names one."""
        if is_written_out(value, secret):
            self._add_secret(value, path)
        for key, inner in self.problems.read_pairs(value, path) if value.is_map else ():
            self._check_keys(inner, f"{path}.{key.value}", key.value if names_a_secret(key.value) else secret)
        for i, item in enumerate(value.items):
            self._check_keys(item, f"{path}.{i}", secret)

    def _add_secret(self, value: Marked, path: str) -> None:
        self.problems.add(
            value.place,
            f"{path}: this looks like a secret, and a graph is no place for one: write ${{VARIABLE}}, and set that "
            "variable in the environment or in .env",
        )

    # ---------------------------------------------------------------- what the class says

    def _class(self, name: str, place: Place) -> type | None:
        try:
            return find_class(name)
        except UserError as error:
            self.problems.add(place, f"{self.what}: {error}")
            return None

    def _check(self, constructor: Constructor, told: Iterable[str], path: str, *, names_only: bool) -> None:
        allowed = {name: each for name, each in constructor.parameters.items() if name not in told}
        takes_more = constructor.others is not None
        before = len(self.problems)
        for key, value in self.body.pairs:
            parameter = constructor.parameter(str(key.value)) if key.value not in told else None
            if parameter is None or not isinstance(key.value, str):
                hint = nearest(str(key.value), allowed)
                self.problems.add(
                    key.place,
                    f"{path}: {constructor.name} has no argument {key.value!r}.{hint} "
                    f"It takes: {', '.join(allowed) or 'none'}{' and others' if takes_more else ''}",
                )
            else:
                self._check_nested([parameter.hint], value, f"{path}.{key.value}")
        given = {key.value for key, _ in self.body.pairs}
        for name, each in allowed.items():
            if each.required and name not in given:
                self.problems.add(self.body.place, f"{path}: {constructor.name} needs the argument {name!r}")
        unknown = len(self.problems) > before
        self._check_values(constructor, path, but=UNKNOWN if unknown else (), packages_only=names_only)

    def _check_nested(self, hints: Iterable[Any], value: Marked, path: str) -> None:
        """Keys that no type in `hints` has, in all maps in `value`; and texts where a type for secrets is."""
        hints = list(hints)
        if is_secret(hints):
            self.secrets.update(IN_YAML.findall(str(value.value)))
            if is_literal(value):
                self._add_secret(value, path)
        keys = keys_of(hints)
        for key, inner in value.pairs:
            if not keys.more and key.value not in keys.types and not isinstance(key.value, list):
                hint = nearest(str(key.value), keys.types)
                self.problems.add(
                    key.place,
                    f"{path}: there is no {key.value!r}.{hint} It takes: {', '.join(keys.types) or 'nothing'}",
                )
            else:
                self._check_nested(values_of(hints, key.value), inner, f"{path}.{key.value}")
        for i, item in enumerate(value.items):
            self._check_nested(items_of(hints, i), item, f"{path}.{i}")

    def _check_values(
        self, constructor: Constructor, path: str, but: Iterable[str], *, packages_only: bool = False
    ) -> None:
        """Values that do not have the types of the constructor's annotations: a problem for each place.

        `packages_only`: some variables have no value, so only what needs a package that is missing is a problem.
        """
        _, wrong = constructor.converted(self.values)
        reasons: dict[tuple[Place, str], list[str]] = {}
        needs: dict[tuple[Place, str], tuple[str, ...]] = {}
        for each in wrong:
            if each.kind not in but and (each.needs or not packages_only):
                place, text, reason = self._located(each, path)
                reasons.setdefault((place, text), []).append(reason)
                needs[place, text] = each.needs
        for (place, text), found in reasons.items():
            reason = without_hidden("; or ".join(dict.fromkeys(found)), self.hidden)
            self.problems.add(place, f"{text}: {reason}", needs[place, text])

    def _located(self, wrong: WrongValue, path: str) -> tuple[Place, str, str]:
        """Where a wrong value stands, what it is, and why it is wrong."""
        at = self.body
        for part in wrong.loc:  # a part that is no key and no index names one of several types
            inner = next((value for key, value in at.pairs if key.plain() == part), None)
            if inner is None and isinstance(part, int) and part < len(at.items):
                inner = at.items[part]
            if inner is not None:
                at, path = inner, f"{path}.{part}"
        if wrong.kind in MISSING:
            return at.place, path, f"{wrong.loc[-1]!r} is missing"
        shown = self._shown(at)
        return at.place, f"{path}: {shown}" if shown else path, wrong.reason

    def _shown(self, value: Marked) -> str:
        """A wrong value for people, "" for a list or a map. Of a variable that is no setting, only the name."""
        if isinstance(value.value, list):
            return ""
        variable = only_variable(value.value)
        if variable is not None and variable.lower() in type(self.settings).model_fields:
            return f"{variable}={getattr(self.settings, variable.lower())}"
        text = str(as_written(value.value)) if IN_YAML.search(str(value.value)) else repr(value.value)
        return shortened(text, LONGEST)
