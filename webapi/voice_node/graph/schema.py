"""A JSON Schema of graph files, with which an editor completes operators and arguments and marks mistakes.

It is derived: operators and arguments from their signatures, ports from INPUTS and OUTPUTS, variables from Settings.
What depends on the whole graph (kinds that fit, unused or missing streams) only `graphs check` finds.
"""

from __future__ import annotations

from typing import Any, TypeAlias, cast

from pydantic import PydanticUserError, SecretStr, TypeAdapter

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.draft import STREAM_NAME
from webapi.voice_node.graph.spec import INPUTS, OUTPUTS, VERSION
from webapi.voice_node.graph.variable_names import VARIABLE as VARIABLE_IN
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.kinds import Operator
from webapi.voice_node.orchestrator import ORCHESTRATORS, told_by_node
from webapi.voice_node.plugins.constructor import Constructor, constructor_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema: TypeAlias = dict[str, Any]

STREAMS: Schema = {"$ref": "#/$defs/streams"}
WITH: Schema = {
    "description": "Keyword arguments of the orchestrator's constructor. ${VARIABLE} is a setting, or else any "
    "variable of the environment or .env; a secret is written so.",
    "type": ["object", "null"],
}
VARIABLE: Schema = {"$ref": "#/$defs/variable"}


def graph_schema() -> Schema:
    """The schema (draft 2020-12) for this installation, with the operators of other packages."""
    defs: Schema = {"variable": _variable(), "streams": _streams(), "operator": _operator()}
    for operator in TABLE.values():
        arguments = operator.arguments.model_json_schema(ref_template="#/$defs/{model}")
        defs.update(arguments.pop("$defs", {}))
        defs[f"{operator.name} arguments"] = _arguments(operator, arguments)
    defs["reply arguments"]["properties"]["with"] = WITH
    defs["reply arguments"]["allOf"] = _made_with(defs)
    return {
        "$schema": DIALECT,
        "title": "A voice_node graph",
        "description": "Named streams, each from somewhere and through some operators, bound to output ports.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "streams", "outputs"],
        "properties": {
            "version": {"const": VERSION, "description": "Of the language of graph files."},
            "streams": _streams_by_name(),
            "outputs": _outputs_by_port(),
        },
        "$defs": defs,
    }


def _streams_by_name() -> Schema:
    return {
        "description": "The streams by name.",
        "type": "object",
        "propertyNames": {
            "pattern": "^" + STREAM_NAME.pattern.replace(r"\Z", "$"),
            "not": {"enum": list(INPUTS)},
        },
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["from"],
            "properties": {
                "from": STREAMS,
                "through": {
                    "description": "Operators, in order.",
                    "type": "array",
                    "items": {"$ref": "#/$defs/operator"},
                },
            },
        },
    }


def _outputs_by_port() -> Schema:
    return {
        "description": "Which streams leave, by port.",
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {
            port: {**STREAMS, "description": f"Carries {' or '.join(map(str, kinds))}."}
            for port, kinds in OUTPUTS.items()
        },
    }


def _variable() -> Schema:
    names = [
        f"${{{name.upper()}}}" for name, field in Settings.model_fields.items() if field.annotation is not SecretStr
    ]
    return {
        "description": "A setting of the node, with its type.",
        "type": "string",
        "pattern": r"\$\{(" + "|".join(name[2:-1] for name in names) + r")\}",
        "examples": names,
    }


def _streams() -> Schema:
    one = {"type": "string", "examples": list(INPUTS)}
    return {
        "description": f"A stream or an input port ({', '.join(INPUTS)}), or a list of alike ones, which are merged.",
        "anyOf": [one, {"type": "array", "items": one, "minItems": 1}],
    }


def _operator() -> Schema:
    """`{name: {argument: value}}`, or only the name of an operator without required arguments."""
    bare = [operator for operator in TABLE.values() if not _required(operator)]
    return {
        "anyOf": [
            {"anyOf": [{"const": operator.name, "description": operator.summary} for operator in bare]},
            {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {
                    operator.name: {"$ref": f"#/$defs/{operator.name} arguments"} for operator in TABLE.values()
                },
            },
        ]
    }


def _arguments(operator: Operator[Any, Any], model: Schema) -> Schema:
    """The schema of an operator's arguments: any value may be a variable, and streams are given by name."""
    properties: Schema = {}
    for name, value in model.get("properties", {}).items():
        allowed = {key: inner for key, inner in value.items() if key not in ("title", "default", "description")}
        shown = {key: value[key] for key in ("default", "description") if key in value}
        properties[name] = {"anyOf": [allowed, VARIABLE], **shown}
    for name, kind in operator.streams.items():
        properties[name] = {"type": "string", "description": f"A stream or port that carries {kind}."}
        if name in INPUTS:
            properties[name]["default"] = name
    takes = " or ".join(map(str, operator.takes))
    return {
        "description": f"{operator.summary} Takes {takes}.",
        "type": "object" if _required(operator) else ["object", "null"],
        "additionalProperties": False,
        "required": _required(operator),
        "properties": properties,
    }


def _made_with(defs: Schema) -> list[Schema]:
    """What `with` may have for each orchestrator that has a name; `defs` gets it. The packages of all are imported."""
    found = []
    for name in ORCHESTRATORS:
        try:
            made = ORCHESTRATORS[name]
        except UserError:  # a broken package: only a graph that names it is told so
            continue
        defs[f"{name} with"] = _constructor(constructor_of(made), told_by_node(name, made))
        named = {"required": ["orchestrator"], "properties": {"orchestrator": {"const": name}}}
        found.append({"if": named, "then": {"properties": {"with": {"$ref": f"#/$defs/{name} with"}}}})
    return found


def _constructor(constructor: Constructor, told: tuple[str, ...]) -> Schema:
    """The arguments of a constructor by name. A value may be a variable; nested ones are not checked."""
    properties: Schema = {}
    for name, parameter in constructor.parameters.items():
        if name in told:
            continue
        try:
            described = TypeAdapter(cast(Any, parameter.hint)).json_schema()
        except (PydanticUserError, TypeError, NameError):  # no type of pydantic's, or none that JSON has
            described = {}
        shown: Schema = {key: described.pop(key) for key in ("title", "description") if key in described}
        plain = set(described) <= {"type", "enum", "const", "minimum", "maximum", "minLength", "maxLength", "pattern"}
        if plain and described.get("type") not in (None, "object", "array"):
            shown["anyOf"] = [described, {"type": "string", "pattern": VARIABLE_IN.pattern}]
        if isinstance(parameter.default, (str, int, float, bool)):
            shown["default"] = parameter.default
        properties[name] = shown
    return {
        "description": f"What {constructor.name} is made with.",
        "type": ["object", "null"],
        "additionalProperties": constructor.others is not None,
        "properties": properties,
    }


def _required(operator: Operator[Any, Any]) -> list[str]:
    fields = operator.arguments.model_fields
    streams = [name for name in operator.streams if name not in INPUTS]
    return [*(name for name, field in fields.items() if field.is_required()), *streams]
