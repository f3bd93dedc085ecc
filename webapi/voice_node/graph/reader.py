"""One graph file against the table of operators: the whole graph, or every mistake in it with its file:line:column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.graph.marked_yaml import Marked, Place, parse
from webapi.voice_node.graph.spec import INPUTS, OUTPUTS, VERSION, GraphSpec, StepSpec, StreamSpec
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.kinds import REPLIES, TURNS, Kind

VARIABLE = re.compile(r"\$\{([^{}]*)\}")
IN_YAML = re.compile(r"\$\(([^()]*)\)")  # as long as ${…}, and, unlike it, plain text inside YAML's own braces
COUNTED = {  # what there can be only one maker of, and what to do instead
    TURNS.name: "join the voiced frames before it (combine)",
    REPLIES.name: "let one orchestrator decide what to say",
}
MOST_PARTS = 200  # a graph is a page, and each may call the next: Python's stack has an end
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


def read_graph(text: str, path: Path, settings: Settings, *, recorded: bool = False) -> GraphSpec:
    """The graph in `text`; `path` is for its name and for errors. UserError with all that is wrong with it.

    `recorded`: a recording will answer in it, so its orchestrator need not be there.
    """
    return _Reader(text, path, settings, recorded).read(parse(VARIABLE.sub(r"$(\1)", text), str(path)))


@dataclass
class _Draft:
    """A stream as it stands in the file, before it is checked."""

    name: str
    place: Place
    sources: list[Marked]
    steps: list[Marked]


class _Reader:
    """Reads one file and collects what is wrong with it."""

    def __init__(self, text: str, path: Path, settings: Settings, recorded: bool) -> None:
        self._text = text
        self._path = path
        self._settings = settings
        self._recorded = recorded
        self._makers: dict[str, tuple[str, Place]] = {}  # what makes turns, and what makes replies
        self._problems: dict[str, None] = {}  # in order, each once

    def read(self, root: Marked) -> GraphSpec:
        top = self._map(root, "a graph", required=("version", "streams", "outputs"))
        version = top.get("version")
        if version and version.value != VERSION:
            self._wrong(version.place, f"version {version.value!r}; this program reads version {VERSION}")
        drafts = {d.name: d for d in self._drafts(top.get("streams"))}
        parts = sum(1 + len(draft.steps) for draft in drafts.values())
        if parts > MOST_PARTS:
            place = next(iter(drafts.values())).place
            raise UserError(f"{place}: {parts} streams and operators; a graph has at most {MOST_PARTS}")
        outputs = self._outputs(top.get("outputs"), drafts)
        streams = self._streams(drafts)
        self._check_outputs(outputs, streams)
        self._check_unused(drafts, outputs)
        if self._problems:
            raise UserError("\n".join(self._problems))
        spec = {port: tuple(str(m.value) for m in names) for port, names in outputs.items()}
        return GraphSpec(self._path.stem, self._path, tuple(streams.values()), spec, self._text)

    # ------------------------------------------------ what stands there

    def _drafts(self, streams: Marked | None) -> Iterator[_Draft]:
        if streams is None:
            return
        for key, body in self._pairs(streams, "streams"):
            name = str(key.value)
            if not NAME.match(name):
                self._wrong(key.place, f"stream {name!r}: a name is a-z, 0-9 and _, and begins with a letter")
            if name in INPUTS:
                self._wrong(key.place, f"stream {name!r}: this is the name of an input port; take another")
                continue
            parts = self._map(body, f"stream {name!r}", required=("from",), optional=("through",))
            source, through = parts.get("from"), parts.get("through")
            if through and not isinstance(through.value, list):
                self._wrong(through.place, "`through` is a list of operators: [{window: {ms: 20}}, …]")
            steps = through.items if through else []
            if through and through.is_map:
                self._wrong(through.place, "`through` is a list: put a - before each operator")
            yield _Draft(name, key.place, self._names(source), steps)

    def _outputs(self, outputs: Marked | None, drafts: dict[str, _Draft]) -> dict[str, list[Marked]]:
        found: dict[str, list[Marked]] = {}
        for key, value in self._pairs(outputs, "outputs") if outputs else ():
            port = str(key.value)
            if port not in OUTPUTS:
                self._wrong(
                    key.place,
                    f"output {port!r}: there is no such port.{nearest(port, OUTPUTS)} Ports: {_list(OUTPUTS)}",
                )
                continue
            found[port] = [name for name in self._names(value) if self._known(name, drafts)]
        if outputs and not found and not self._problems:
            self._wrong(outputs.place, f"no output: bind at least one of {_list(OUTPUTS)}")
        return found

    def _names(self, source: Marked | None) -> list[Marked]:
        if source is None:
            return []
        names = source.items if isinstance(source.value, list) and not source.is_map else [source]
        if not names:
            self._wrong(source.place, "an empty list: name at least one stream")
        return names

    # ------------------------------------------------ what it means

    def _streams(self, drafts: dict[str, _Draft]) -> dict[str, StreamSpec]:
        """The drafts as specs, sources first. A stream with a mistake is left out, and so is what reads from it."""
        done: dict[str, StreamSpec] = {}
        seen: set[str] = set()

        def visit(draft: _Draft, path: tuple[str, ...]) -> None:
            if draft.name in path:
                circle = " → ".join((*path[path.index(draft.name) :], draft.name))
                self._wrong(draft.place, f"a cycle: {circle}. Only the port `playback` may lead back")
                return
            if draft.name in seen:
                return
            for read in self._reads(draft):
                if isinstance(read.value, str) and read.value in drafts:
                    visit(drafts[read.value], (*path, draft.name))
            if draft.name not in seen:
                seen.add(draft.name)
                spec = self._stream(draft, drafts, done)
                if spec:
                    done[draft.name] = spec

        for draft in drafts.values():
            visit(draft, ())
        return done

    def _reads(self, draft: _Draft) -> Iterator[Marked]:
        """Every stream name in a draft: its sources and the arguments that name streams."""
        yield from draft.sources
        for step in draft.steps:
            for name, arguments in step.pairs[:1]:
                operator = TABLE.get(str(name.value))
                for key, value in arguments.pairs:
                    if operator and key.value in operator.streams:
                        yield value

    def _stream(self, draft: _Draft, drafts: dict[str, _Draft], done: dict[str, StreamSpec]) -> StreamSpec | None:
        kinds = [self._kind(source, drafts, done) for source in draft.sources]
        kind: Kind | None = kinds[0] if kinds else None
        for source, other in zip(draft.sources[1:], kinds[1:], strict=True):
            if kind and other and other != kind:
                self._wrong(
                    source.place,
                    f"{source.value!r} carries {other}, {draft.sources[0].value!r} {kind}: only alike streams merge",
                )
        steps = []
        for step in draft.steps:
            spec = self._step(step, kind, drafts, done)
            kind = spec.gives if spec else None
            if spec:
                steps.append(spec)
        if kind is None or None in kinds or len(steps) < len(draft.steps):
            return None
        return StreamSpec(draft.name, tuple(str(s.value) for s in draft.sources), tuple(steps), kind)

    def _step(
        self, step: Marked, kind: Kind | None, drafts: dict[str, _Draft], done: dict[str, StreamSpec]
    ) -> StepSpec | None:
        """One operator. `kind` is what flows in, or None where a mistake before hides it."""
        if isinstance(step.value, str):
            step = Marked([(step, Marked([], step.place, is_map=True))], step.place, is_map=True)
        if len(step.pairs) != 1:
            self._wrong(step.place, "an operator is written {name: {argument: value, …}}")
            return None
        ((key, body),) = step.pairs
        name = str(key.value)
        operator = TABLE.get(name)
        if operator is None:
            self._wrong(key.place, f"there is no operator {name!r}.{nearest(name, TABLE)} There are: {_list(TABLE)}")
            return None
        if not body.is_map and body.value is not None:
            self._wrong(body.place, f"{name}: arguments are written {{argument: value, …}}")
            return None
        fields = set(operator.arguments.model_fields) | set(operator.streams)
        given: dict[str, Marked] = {}
        for argument, value in self._pairs(body, name) if body.is_map else ():
            if argument.value in fields:
                given[str(argument.value)] = value
            else:
                self._wrong(
                    argument.place,
                    f"{name}: there is no argument {argument.value!r}.{nearest(str(argument.value), fields)} "
                    f"It takes: {_list(sorted(fields)) or 'none'}",
                )
        arguments = self._arguments(name, key.place, given)
        reads = {}
        for needed, wanted in operator.streams.items():
            read = given.get(needed)
            if read is None and needed in INPUTS:
                reads[needed] = needed  # the port of that name, unless the graph says otherwise
            elif read is None:
                self._wrong(key.place, f"{name}: the argument {needed!r} is missing; it names a stream of {wanted}")
            else:
                found = self._kind(read, drafts, done)
                if found and found.name != wanted.name:
                    self._wrong(read.place, f"{name}: {needed}: {read.value!r} carries {found}, {wanted} is needed")
                elif found and found.ms and kind and kind.ms and found.ms != kind.ms:
                    self._wrong(
                        read.place,
                        f"{name}: {needed}: {read.value!r} carries {found}, what flows in is {kind}: "
                        "frames meet only frames of the same length",
                    )
                reads[needed] = str(read.value)
        if kind and not operator.accepts(kind):
            takes = " or ".join(dict.fromkeys(str(t) for t in operator.takes))
            self._wrong(key.place, f"{name} can't take {kind}; it takes {takes}")
            return None
        if arguments is None or kind is None:
            return None
        odd = operator.check(kind, arguments)
        if odd:
            self._wrong(key.place, f"{name}: {odd}")
        gives = operator.gives(kind, arguments)
        if gives.name != kind.name and gives.name in COUNTED:
            self._only_one(name, key.place, gives.name)
        return StepSpec(name, arguments, reads, gives, key.place)

    def _only_one(self, name: str, place: Place, gives: str) -> None:
        """Whoever makes turns counts them from 0, and a turn has one reply: of two, none could tell whose is whose."""
        other, at = self._makers.setdefault(gives, (name, place))
        if at != place:
            self._wrong(
                place,
                f"{name}: {other} in line {at.line} makes {gives} already, and both would use the same trace_ids: "
                f"{COUNTED[gives]}",
            )

    def _arguments(self, name: str, place: Place, given: dict[str, Marked]) -> dict[str, Any] | None:
        """The arguments that are values, checked against the operator's signature; None where one is wrong."""
        operator = TABLE[name]
        before = len(self._problems)
        values = {key: self._value(value) for key, value in given.items() if key not in operator.streams}
        if len(self._problems) > before:
            return None
        try:
            return dict(
                operator.arguments.model_validate(
                    values, context={"recorded": self._recorded, "folder": self._path.parent}
                )
            )
        except ValidationError as error:
            for problem in error.errors():
                argument = str(problem["loc"][0])
                if problem["type"] == "missing":
                    self._wrong(place, f"{name}: the argument {argument!r} is missing")
                else:
                    lone = IN_YAML.fullmatch(str(given[argument].plain()))
                    shown = f"{lone[1]}={values[argument]}" if lone else repr(values[argument])
                    why = problem["ctx"]["error"] if problem["type"] == "value_error" else _lower(problem["msg"])
                    self._wrong(given[argument].place, f"{name}: {argument}: {shown}: {why}")
            return None

    def _value(self, marked: Marked) -> Any:
        """The value with every ${VARIABLE} replaced: a lone one keeps the setting's type."""
        value = marked.plain()
        if not isinstance(value, str):
            return value
        lone = IN_YAML.fullmatch(value)
        if lone:
            return self._setting(lone[1], marked.place)
        return IN_YAML.sub(lambda m: str(self._setting(m[1], marked.place)), value)

    def _setting(self, variable: str, place: Place) -> Any:
        fields = {name.upper() for name in type(self._settings).model_fields}
        value = getattr(self._settings, variable.lower()) if variable in fields else None
        if variable not in fields:
            self._wrong(
                place,
                f"${{{variable}}}: there is no such setting.{nearest(variable, fields)} See .env.example",
            )
        elif isinstance(value, SecretStr):
            self._wrong(place, f"${{{variable}}}: a secret has no place in a graph")
            return None
        return str(value) if isinstance(value, Path) else value

    def _kind(self, name: Marked, drafts: dict[str, _Draft], done: dict[str, StreamSpec]) -> Kind | None:
        """What stream `name` carries; None where it is not known (then that was said)."""
        if not self._known(name, drafts):
            return None
        if name.value in INPUTS:
            return INPUTS[name.value]
        return done[name.value].gives if name.value in done else None

    def _known(self, name: Marked, drafts: dict[str, _Draft]) -> bool:
        known = [*INPUTS, *drafts]
        if isinstance(name.value, str) and name.value in known:
            return True
        shown = name.value if isinstance(name.value, (str, int, float)) else "this"
        self._wrong(name.place, f"there is no stream {shown!r}.{nearest(str(shown), known)} There are: {_list(known)}")
        return False

    def _check_outputs(self, outputs: dict[str, list[Marked]], streams: dict[str, StreamSpec]) -> None:
        for port, names in outputs.items():
            for name in names:
                stream = streams.get(str(name.value))
                kind = INPUTS.get(str(name.value)) or (stream.gives if stream else None)
                fits = OUTPUTS[port]
                if kind and not any(kind.name == f.name and f.rate in (None, kind.rate) for f in fits):
                    self._wrong(
                        name.place,
                        f"{port}: {name.value!r} carries {kind}; this port takes {' or '.join(map(str, fits))}",
                    )

    def _check_unused(self, drafts: dict[str, _Draft], outputs: dict[str, list[Marked]]) -> None:
        used = {read.value for d in drafts.values() for read in self._reads(d) if isinstance(read.value, str)}
        used |= {name.value for names in outputs.values() for name in names}
        for draft in drafts.values():
            if draft.name not in used:
                self._wrong(draft.place, f"stream {draft.name!r} is never used: bind it to an output or delete it")

    # ------------------------------------------------ shapes

    def _map(
        self, marked: Marked, what: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> dict[str, Marked]:
        allowed = (*required, *optional)
        found: dict[str, Marked] = {}
        for key, value in self._pairs(marked, what):
            if key.value in allowed:
                found[str(key.value)] = value
            else:
                self._wrong(
                    key.place,
                    f"{what}: {key.value!r} is unknown.{nearest(str(key.value), allowed)} Allowed: {_list(allowed)}",
                )
        for key_name in required:
            if marked.is_map and key_name not in found:
                self._wrong(marked.place, f"{what}: {key_name!r} is missing")
        return found

    def _pairs(self, marked: Marked, what: str) -> Iterator[tuple[Marked, Marked]]:
        if not marked.is_map:
            self._wrong(marked.place, f"{what}: a map (key: value) is needed here")
        seen: set[Any] = set()
        for key, value in marked.pairs:
            if isinstance(key.value, list):
                self._wrong(key.place, f"{what}: a key is a word")
            elif key.value in seen:
                self._wrong(key.place, f"{what}: {key.value!r} stands here twice")
            else:
                seen.add(key.value)
                yield key, value

    def _wrong(self, place: Place, text: str) -> None:
        self._problems[f"{place}: {text}"] = None


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
