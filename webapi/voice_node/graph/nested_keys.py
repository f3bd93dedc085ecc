"""The keys that a type allows in the maps of a value: those of models, dataclasses and TypedDicts, however deep."""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, AliasPath, BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

SECRET = (SecretStr, SecretBytes)
NO_MAPS = (str, bytes, int, float, complex, type(None), PurePath, enum.Enum, *SECRET)  # a map is none of these
MARKS = ("Required", "NotRequired", "ReadOnly")  # of the keys of a TypedDict
LISTS = (list, tuple, set, frozenset)


class Keys(NamedTuple):
    """The keys of a map with the types of their values. `more`: it may have others too."""

    types: dict[str, tuple[Any, ...]]
    more: bool


def choices(hints: Iterable[Any]) -> Iterator[Any]:
    """The types that a value of one of these may have: without Annotated, aliases, and the Unions around them."""
    for hint in hints:
        origin = get_origin(hint)
        if origin is Annotated or getattr(origin, "_name", "") in MARKS:
            yield from choices(get_args(hint)[:1])
        elif origin in (Union, types.UnionType):
            yield from choices(get_args(hint))
        elif hasattr(hint, "__supertype__"):  # NewType
            yield from choices([hint.__supertype__])
        elif hasattr(hint, "__value__"):  # the statement `type`
            yield from choices([hint.__value__])
        else:
            yield hint


def keys_of(hints: Iterable[Any]) -> Keys:
    """The keys of a map of one of these types."""
    found: dict[str, tuple[Any, ...]] = {}
    more = False
    for hint in choices(hints):
        keys = _fields(hint)
        if keys is None:
            more = more or not _is_no_map(hint)
            continue
        more = more or keys.more
        for name, types_ in keys.types.items():
            found[name] = (*found.get(name, ()), *types_)
    return Keys(found, more or not found)


def values_of(hints: Iterable[Any], key: object) -> list[Any]:
    """The types of the value at `key` of a map of one of these types."""
    hints = list(choices(hints))
    named = keys_of(hints).types.get(str(key), ())
    others = [get_args(hint)[1] for hint in hints if _is_mapping(hint) and len(get_args(hint)) > 1]
    return [*named, *others]


def items_of(hints: Iterable[Any], index: int) -> list[Any]:
    """The types of the item `index` of a list of one of these types."""
    found: list[Any] = []
    for hint in choices(hints):
        arguments = [each for each in get_args(hint) if each is not ...]
        origin = get_origin(hint)
        if origin is tuple and ... not in get_args(hint):
            found += arguments[index : index + 1]
        elif arguments and not _is_mapping(hint) and origin is not Literal:
            found += arguments[:1]
    return found


def is_secret(hints: Iterable[Any]) -> bool:
    """Whether one of these is a type for secrets."""
    return any(isinstance(hint, type) and issubclass(hint, SECRET) for hint in choices(hints))


def _fields(hint: Any) -> Keys | None:
    """The fields of a model, a dataclass or a TypedDict; None for any other type."""
    kind = get_origin(hint) or hint
    if not isinstance(kind, type):
        return None
    if issubclass(kind, BaseModel):
        own = kind.model_config.get("extra") == "allow" or _rewrites_its_input(kind)
        return Keys(_names(kind.model_fields, dict(kind.model_config)), own)
    if dataclasses.is_dataclass(kind):
        fields = getattr(kind, "__pydantic_fields__", None)
        config: Mapping[str, Any] = getattr(kind, "__pydantic_config__", None) or {}
        more = config.get("extra") == "allow" or _rewrites_its_input(kind)
        if fields is not None:
            return Keys(_names(fields, config), more)
        hints = _hints(kind)
        return Keys({f.name: (hints.get(f.name, Any),) for f in dataclasses.fields(kind) if f.init}, more)
    if issubclass(kind, dict) and hasattr(kind, "__total__"):  # a TypedDict, of whichever module
        config = getattr(kind, "__pydantic_config__", None) or {}
        return Keys({name: (each,) for name, each in _hints(kind).items()}, config.get("extra") == "allow")
    return None


def _names(fields: Mapping[str, FieldInfo], config: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The names that a map may use for the fields: their aliases where they have some."""
    found: dict[str, tuple[Any, ...]] = {}
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    for name, each in fields.items():
        alias = each.validation_alias or each.alias
        choices_ = alias.choices if isinstance(alias, AliasChoices) else [alias]
        names = [str(one.path[0]) if isinstance(one, AliasPath) else str(one) for one in choices_ if one]
        for written in [*names, *([name] if by_name or not names else [])]:
            found[written] = (each.annotation,)
    return found


def _rewrites_its_input(kind: type) -> bool:
    """Whether the class has a validator that gets the map first: it may take keys that are no fields."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    validators = decorators.model_validators.values() if decorators else ()
    return any(each.info.mode in ("before", "wrap") for each in validators)


def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except Exception:  # a name that only a type checker can import, for example
        return dict.fromkeys(getattr(kind, "__annotations__", {}), Any)


def _is_mapping(hint: Any) -> bool:
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and issubclass(kind, Mapping)


def _is_no_map(hint: Any) -> bool:
    """Whether a map can't be one of this type. False also where that is not known."""
    kind = get_origin(hint) or hint
    return hint is None or kind is Literal or (isinstance(kind, type) and issubclass(kind, (*NO_MAPS, *LISTS)))
