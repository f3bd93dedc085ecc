"""Write docs/api.md: every public name with its signature and its docstring, read from the source.

python scripts/make_api_page.py

`PUBLIC` below says which names are public. Only `ast` reads the source, so nothing is imported and every Python version
writes the same page.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
PACKAGE = "webapi.voice_node"

ALL: tuple[str, ...] = ()  # every name that the module defines, without those that begin with an underscore
PUBLIC: dict[str, tuple[str, ...]] = {
    "operators.kinds": ALL,
    "context": ("Context",),
    "events": ALL,
    "orchestrator": ("Orchestrator", "Call", "Speech", "REQUIRED", "load_orchestrator"),
    "converse.parts": ("SpeechToText", "LanguageModel", "TextToSpeech", "Part", "Heard", "Message", "PartError"),
    "vad": ("Backend", "BackendFactory", "VoiceActivityDetector"),
    "end_of_turn": ("Said", "Backend"),
    "audio_io": ("resample_48k_to_8k", "resample_8k_to_48k", "resample_pcm", "frame_8k_20ms", "join_frames"),
    "testing": ("AnyGraph", "assert_marbles"),
    "errors": ("UserError",),
}
PARTS = {"events": ("audio", "event", "turns", "words", "replies", "playback", "asked")}  # modules of a package
INTERNAL = {
    "WHERE_KNOWN",
    "__all__",
    "Operator",
    "anything",
    "record",
}  # the node's own, in a module that is public otherwise
ENTRY_POINTS = {
    "operators": "a function with the decorator `operator` ([operators.kinds](#operatorskinds)), of the same name",
    "vad": "a voice activity detector: a `BackendFactory` in [vad](#vad)",
    "end_of_turn": "what judges whether the caller has finished: a `Backend` in [end_of_turn](#end_of_turn)",
    "orchestrator": "a class that meets `Orchestrator` in [orchestrator](#orchestrator)",
    "converse.part_names": "a class that meets an interface in [converse.parts](#converseparts); the entry point is "
    "named `stt.NAME`, `llm.NAME` or `tts.NAME`",
}
HEAD = """\
<!-- Written by scripts/make_api_page.py. Do not edit this page: edit the docstrings and run the script. -->
# API: what plug-ins and tests import

**The names on this page are public.** A change of one of them is announced in the [changelog](../CHANGELOG.md).
Everything else in `webapi.voice_node` is internal and may change without notice. The package has type information
(`py.typed`).

Units are the same everywhere. PCM is little-endian int16, mono, as `bytes`. Rates are in Hz. A name that ends in `_us`,
`_ms` or `_s` says its unit. The text beside a field is the comment on that field in the source.
"""
ADDED = """\
An installed package adds to the node by entry points in its `pyproject.toml`. The package
[examples/shout](../examples/shout) has an operator, a VAD and an orchestrator.
"""
PYTEST = """
The package `voice-node` itself has an entry point in the group `pytest11`. It brings the fixture `assert_marbles` and
the option `--update-marbles` to pytest: see [marbles as tests](replay.md#marbles-as-tests).
"""

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"
Definition: TypeAlias = "ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign"


class Module(NamedTuple):
    """A module of the package as text and as a syntax tree."""

    name: str
    lines: list[str]
    tree: ast.Module


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} written\n")
    return 0


def page() -> str:
    """The whole page. KeyError for a name in PUBLIC that its module does not define."""
    parts = [HEAD, *_contents(), *_entry_points()]
    for name, wanted in PUBLIC.items():
        parts += _section(_read(name), wanted)
    return "\n".join(parts)


def _read(name: str) -> Module:
    path = ROOT / Path(*PACKAGE.split("."), *name.split("."))
    if not path.is_dir():
        return _parsed(name, path.with_suffix(".py").read_text(encoding="utf-8"))
    text = (path / "__init__.py").read_text(encoding="utf-8")
    if name in PARTS:  # `pass` ends each, so that no docstring of a module stands behind a constant
        text = "\npass\n".join([text, *((path / f"{part}.py").read_text(encoding="utf-8") for part in PARTS[name])])
    return _parsed(name, text)


def _parsed(name: str, text: str) -> Module:
    return Module(name, text.splitlines(), ast.parse(text))


def _contents() -> Iterator[str]:
    yield "| module | what it has |\n|---|---|"
    for name in PUBLIC:
        summary = (ast.get_docstring(_read(name).tree) or "").split("\n\n")[0].replace("\n", " ")
        yield f"| [`{PACKAGE}.{name}`](#{name.replace('.', '')}) | {summary} |"
    yield ""


def _entry_points() -> Iterator[str]:
    yield "## Entry points\n"
    yield ADDED
    yield "| entry point group | what it names |\n|---|---|"
    for name, what in ENTRY_POINTS.items():
        group = _definitions(_read(name))["ENTRY_POINTS"]
        assert isinstance(group, ast.Assign)  # noqa: S101 - for the type checker: it is a constant
        yield f"| `{ast.literal_eval(group.value)}` | {what} |"
    yield PYTEST


def _section(module: Module, wanted: tuple[str, ...]) -> Iterator[str]:
    """A module: its constants and type aliases in one block, then its classes and functions in the source's order."""
    defined = _definitions(module)
    names = wanted or [name for name in defined if _is_public(name) and name not in INTERNAL]
    nodes = [defined[name] for name in names]
    yield f"## {module.name}\n"
    yield f"`from {PACKAGE}.{module.name} import …`\n"
    yield from _text(module.tree)
    values = [node for node in nodes if isinstance(node, (ast.Assign, ast.AnnAssign))]
    if values:
        yield "```python"
        yield from (_source(module, node) for node in values)
        yield "```\n"
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield from _class(module, node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"### {node.name}\n"
            yield from _function(module, node)


def _definitions(module: Module) -> dict[str, Definition]:
    """What the module defines at its top, by name; type variables are nobody's business."""
    found: dict[str, Definition] = {}
    for node in module.tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and "TypeVar" not in ast.dump(node) and "ParamSpec" not in ast.dump(node):
                found[target.id] = node
    return found


def _class(module: Module, node: ast.ClassDef) -> Iterator[str]:
    bases = ", ".join(map(ast.unparse, node.bases))
    decorators = "".join(f"@{ast.unparse(each)}\n" for each in node.decorator_list)
    yield f"### {node.name}\n\n```python\n{decorators}class {node.name}{f'({bases})' if bases else ''}\n```\n"
    yield from _text(node)
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
    if fields:
        yield "| field | type | default | |\n|---|---|---|---|"
        for field in fields:
            default = f"`{_cell(ast.unparse(field.value))}`" if field.value else ""
            kind = _cell(ast.unparse(field.annotation))
            yield f"| `{ast.unparse(field.target)}` | `{kind}` | {default} | {_cell(_comment(module, field))} |"
        yield ""
    for method in node.body:
        if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and _is_public(method.name):
            yield from _function(module, method)


def _is_public(name: str) -> bool:
    return name == "__init__" or not name.startswith("_")


def _function(module: Module, node: Function) -> Iterator[str]:
    yield f"```python\n{_signature(module, node)}\n```\n"
    yield from _text(node)


def _signature(module: Module, node: Function) -> str:
    """From `def` (or its decorators) up to the colon before the body, as it stands in the source."""
    decorators = [f"@{ast.unparse(each)}" for each in node.decorator_list]
    lines = module.lines[node.lineno - 1 : node.body[0].lineno - 1] or [module.lines[node.lineno - 1].split(": ...")[0]]
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join([*decorators, *(line[indent:] for line in lines)]).rstrip().removesuffix(":")


def _source(module: Module, node: Definition) -> str:
    """A constant as it stands in the source, with the string below it, which says what it is."""
    after = next((each for each in module.tree.body if each.lineno > (node.end_lineno or node.lineno)), None)
    described = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    end = after.end_lineno if after is not None and described else node.end_lineno
    return "\n".join(module.lines[node.lineno - 1 : end])


def _comment(module: Module, node: ast.stmt) -> str:
    found = re.search(r"  # (.*)$", module.lines[(node.end_lineno or node.lineno) - 1])
    return found[1] if found else ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _text(node: ast.Module | ast.ClassDef | Function) -> Iterator[str]:
    """The docstring's paragraphs; one that is drawn or aligned goes into a code block."""
    docstring = ast.get_docstring(node)
    for paragraph in docstring.split("\n\n") if docstring else ():
        drawn = re.search(r"\S {2,}\S|--", paragraph)
        yield f"```\n{paragraph}\n```\n" if drawn else f"{paragraph}\n"


if __name__ == "__main__":
    sys.exit(main())
