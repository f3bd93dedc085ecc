"""What a graph gives to the constructor of an orchestrator, under `with`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.hidden_values import hide
from webapi.voice_node.orchestrator import Orchestrator, find_class, load_orchestrator
from webapi.voice_node.plugins.constructor import constructor_of


@dataclass(frozen=True)
class GivenArguments:
    """Arguments as a graph has them; `repr` shows them as they are written, with the names of variables."""

    written: Mapping[str, Any]  # with `${VARIABLE}` as it stands in the file
    where: str = ""  # file:line:column, the operator, and its argument
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)  # with the values of variables
    hidden: Mapping[str, str] = field(default_factory=dict, repr=False)  # variables that are no settings: their values
    secrets: frozenset[str] = frozenset()  # the names of those variables that are secrets

    def keywords(self, made: type) -> dict[str, Any]:
        """New values for the constructor of `made`, of the types of its annotations. Raises UserError, with the place.

        From now on no error and no line of the log shows the values of variables that are secrets. Others, such as a
        number or the name of a voice, may be in any text.
        """
        hide({name: value for name, value in self.hidden.items() if name in self.secrets})
        values, wrong = constructor_of(made).converted(copy.deepcopy(dict(self.values)))
        if wrong:
            raise UserError("\n".join(f"{self.where}: {each.text(self.hidden)}" for each in wrong))
        return values

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, __: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "object"}


def make_orchestrator(name: str, settings: Settings, rate: int | None, given: GivenArguments | None) -> Orchestrator:
    """A new orchestrator, made with what a graph gives. Raises UserError, with the place in the graph if it gives any.

    `rate` (Hz): see `load_orchestrator`.
    """
    if given is None:
        return load_orchestrator(name, settings, rate)
    keywords = given.keywords(find_class(name))
    try:
        return load_orchestrator(name, settings, rate, keywords)
    except UserError as error:
        reason = UserError(f"{given.where}: {error}")
        reason.__cause__ = error.__cause__
    raise reason
