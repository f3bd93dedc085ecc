"""The keyword arguments of a constructor: their names, their types, and values of these types made of plain ones.

What a graph gives to an orchestrator is checked so, and what it gives to a part of `converse`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import GenericAlias, SimpleNamespace
from typing import Any, Optional, cast, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from webapi.voice_node.errors import describe
from webapi.voice_node.errors.hidden_values import without_hidden
from webapi.voice_node.plugins import yaml_name

MISSING = ("missing", "missing_argument", "missing_keyword_only_argument")
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
WHERE_EVERY_TYPE_WORKS = ConfigDict(arbitrary_types_allowed=True)


@dataclass(frozen=True)
class WrongValue:
    """A value that does not fit. `loc`: its keys and indices, and what else pydantic puts between them."""

    loc: tuple[str | int, ...]
    kind: str  # pydantic's name of the mistake
    reason: str
    needs: tuple[str, ...] = ()  # as of a UserError

    def text(self, hidden: Mapping[str, str]) -> str:
        """Where and why, without hidden values (by the names of their variables)."""
        return without_hidden(f"{'.'.join(map(str, self.loc))}: {self.reason}", dict(hidden))


class Parameter:
    """A parameter that can be given by its name."""

    def __init__(self, keyword: str, hint: Any, default: Any) -> None:
        self.keyword = keyword  # its name in Python
        self.hint = Optional[hint] if default is None else hint  # noqa: UP045 - a hint may be any object
        self.default = default
        self.required = default is inspect.Parameter.empty

    def converted(self, value: Any) -> Any:
        """The value with its type, also in lists and maps. Raises ValidationError, and what checks of others raise."""
        return self._adapter.validate_python((value,))[0] if self._adapter else value

    @functools.cached_property
    def _adapter(self) -> TypeAdapter[Any] | None:
        """Checks and converts its values, each in a tuple of one; None where pydantic does not know the type."""
        try:
            # In a tuple, as pydantic takes no configuration for a model or a dataclass by itself.
            return TypeAdapter(cast(Any, GenericAlias(tuple, (self.hint,))), config=WHERE_EVERY_TYPE_WORKS)
        except (PydanticUserError, TypeError, NameError, AttributeError):
            return None


class Constructor:
    """What the constructor of a class can be given, by the names that YAML uses."""

    def __init__(self, made: type) -> None:
        self.name = made.__name__
        self.parameters: dict[str, Parameter] = {}
        self.others: Parameter | None = None  # of the values of **kwargs; None where there is none
        try:
            signature = inspect.signature(made)
        except ValueError:  # written in C
            self.others = Parameter("", Any, ...)
            return
        hints = _hints(made, signature)
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                self.others = Parameter(name, hints[name], ...)
            elif parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                written = name if yaml_name(name) in signature.parameters else yaml_name(name)
                self.parameters[written] = Parameter(name, hints[name], parameter.default)

    def parameter(self, name: str) -> Parameter | None:
        """What takes the argument `name`; None where nothing does."""
        return self.parameters.get(name, self.others)

    def keyword(self, name: str) -> str:
        """The argument's name in Python."""
        return self.parameters[name].keyword if name in self.parameters else name

    def converted(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[WrongValue]]:
        """The arguments by their names in Python, of their types, and what is wrong with any.

        Arguments that there are not, or that are missing, are left to the caller.
        """
        keywords: dict[str, Any] = {}
        wrong: list[WrongValue] = []
        for name, value in values.items():
            parameter = self.parameter(name)
            if parameter is None:
                continue
            try:
                keywords[self.keyword(name)] = parameter.converted(value)
            except ValidationError as error:
                wrong += _wrong_values(name, error)
            except Exception as error:  # of a check that the class brings along
                wrong.append(WrongValue((name,), "raised", describe(error)))
        return keywords, wrong

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by their names in Python, of their types, where they are part of a larger value.

        Raises ValidationError, also for arguments that there are not or that are missing. Its locations are names in
        `values`.
        """
        keywords, wrong = self.converted(values)
        missing = [name for name, each in self.parameters.items() if each.required and name not in values]
        unknown = [name for name in values if self.parameter(name) is None]
        details = [InitErrorDetails(type=_error(each), loc=each.loc, input=None) for each in wrong]
        details += [InitErrorDetails(type="missing", loc=(name,), input=None) for name in missing]
        details += [InitErrorDetails(type="extra_forbidden", loc=(name,), input=None) for name in unknown]
        if details:
            raise ValidationError.from_exception_data(self.name, details)
        return keywords


@functools.lru_cache(maxsize=64)
def constructor_of(made: type) -> Constructor:
    """The constructor of a class, read once: pydantic takes its time over a large model."""
    return Constructor(made)


def _error(wrong: WrongValue) -> PydanticCustomError:
    return PydanticCustomError(cast(Any, wrong.kind), "{reason}", {"reason": wrong.reason, "needs": wrong.needs})


def _wrong_values(name: str, error: ValidationError) -> Iterator[WrongValue]:
    for problem in error.errors(include_url=False, include_input=False):
        message = problem["msg"]
        reason = message[:1].lower() + message[1:]
        if problem["type"] in ("value_error", "assertion_error"):
            reason = str(problem["ctx"]["error"]) or reason
        needs = tuple(problem.get("ctx", {}).get("needs", ()))
        yield WrongValue((name, *problem["loc"][1:]), problem["type"], reason, needs)


def _hints(made: type, signature: inspect.Signature) -> dict[str, Any]:
    """The type of each parameter; Any where there is none, or where Python does not find it."""
    methods = (getattr(made, name, None) for name in ("__init__", "__new__"))
    function = next((each for each in methods if inspect.isfunction(each)), None)
    return {name: _hint(parameter, function) for name, parameter in signature.parameters.items()}


def _hint(parameter: inspect.Parameter, function: Any) -> Any:
    if parameter.annotation is parameter.empty:
        return Any
    alone = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    names = getattr(inspect.unwrap(function), "__globals__", {}) if function else {}
    try:
        return get_type_hints(alone, names, include_extras=True)[parameter.name]
    except Exception:  # a name that only a type checker can import, for example
        return Any
