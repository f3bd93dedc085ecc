"""Checks the arguments that a graph gives to a part, against the annotations of its constructor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, Field, create_model

from webapi.voice_node.plugins import yaml_name


def check_arguments(made: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments for `made` (a class) that `given` says, each converted to its annotation.

    An argument `class_` is given as `class`: its name in Python can't be that. Keys that are unknown are wrong, unless
    the constructor takes any (`**more`). Raises pydantic's ValidationError, whose locations are keys of `given`.
    """
    init = made.__init__ if inspect.isclass(made) else made
    hints = get_type_hints(init, include_extras=True)
    fields: dict[str, Any] = {}
    extra: Any = "forbid"
    names: dict[str, str] = {}  # of the arguments, by the keys
    for index, (name, parameter) in enumerate(inspect.signature(made).parameters.items()):
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        key = yaml_name(name)
        names[key] = name
        fields[f"field{index}"] = (hints.get(name, Any), Field(default, alias=key))
    config = ConfigDict(extra=extra, arbitrary_types_allowed=True, hide_input_in_errors=True, protected_namespaces=())
    model = create_model(f"{getattr(made, '__name__', 'Part')}Arguments", __config__=config, **fields)
    checked = model.model_validate(dict(given))
    aliases = {info.alias: field for field, info in model.model_fields.items()}
    known = {names[key]: getattr(checked, aliases[key]) for key in names if key in given}
    return {**{key: each for key, each in given.items() if key not in names}, **known}
