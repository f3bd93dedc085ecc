"""Checks one operator of a stream: its arguments against its signature, and its kinds against what flows in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import nearest
from webapi.voice_node.graph.problem_list import Problems
from webapi.voice_node.graph.spec import INPUTS, StepSpec
from webapi.voice_node.graph.variable_names import only_variable
from webapi.voice_node.graph.variables import filled_in
from webapi.voice_node.graph.with_reader import WithReader
from webapi.voice_node.graph.yaml_parser import Marked, Place
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.kinds import REPLIES, TURNS, Kind, Operator
from webapi.voice_node.reply.given_arguments import GivenArguments

ONLY_ONE = {  # kinds of which a graph can have only one maker, and what to do instead
    TURNS.name: "join the voiced frames before it (combine)",
    REPLIES.name: "let one orchestrator decide what to say",
}

ONCE = {"end_of_turn": "a turn has one answer with each frame"}  # operators that a graph can have only once, and why

AnyOperator = Operator[Any, Any]
KindOf = Callable[[Marked], Kind | None]


class StepReader:
    """Reads the operators of one graph file. `kind_of` gives what a stream carries, None where that is not known.

    `folder` is the file's own. `recorded`: a recording answers, so the orchestrator need not be installed.
    """

    def __init__(
        self, settings: Settings, problems: Problems, kind_of: KindOf, *, folder: Path, recorded: bool
    ) -> None:
        self._settings = settings
        self._problems = problems
        self._kind_of = kind_of
        self._context = {"recorded": recorded, "folder": folder}
        self._makers: dict[str, tuple[str, Place]] = {}  # of the kinds in ONLY_ONE, and operators in ONCE

    def read(self, step: Marked, kind: Kind | None) -> StepSpec | None:
        """The operator, or None where it has a mistake. `kind` flows in; None where a mistake before hides it."""
        written = self._written(step)
        if written is None:
            return None
        key, operator, body = written
        given = self._given(operator, body)
        arguments = self._arguments(operator, key.place, given)
        reads = self._reads(operator, key.place, given, kind)
        if kind and not operator.accepts(kind):
            takes = " or ".join(dict.fromkeys(map(str, operator.takes)))
            self._problems.add(key.place, f"{operator.name} can't take {kind}; it takes {takes}")
            return None
        if arguments is None or kind is None:
            return None
        wrong = operator.check(kind, arguments)
        if wrong:
            self._problems.add(key.place, f"{operator.name}: {wrong}")
        gives = operator.gives(kind, arguments)
        if gives.name != kind.name and gives.name in ONLY_ONE:
            self._check_only_one(operator, key.place, gives.name)
        if operator.name in ONCE and (first := self._first(operator.name, operator, key.place)):
            reason = f"there is one in line {first[1].line} already: {ONCE[operator.name]}"
            self._problems.add(key.place, f"{operator.name}: {reason}")
        return StepSpec(operator.name, arguments, reads, gives, key.place)

    def _written(self, step: Marked) -> tuple[Marked, AnyOperator, Marked] | None:
        """An operator's name, the operator, and its arguments; None where it is not written as one."""
        if isinstance(step.value, str):
            step = Marked([(step, Marked([], step.place, is_map=True))], step.place, is_map=True)
        if len(step.pairs) != 1:
            self._problems.add(step.place, "an operator is written {name: {argument: value, …}}")
            return None
        ((key, body),) = step.pairs
        name = str(key.value)
        operator = TABLE.get(name)
        if operator is None:
            hint = nearest(name, TABLE)
            self._problems.add(key.place, f"there is no operator {name!r}.{hint} There are: {', '.join(TABLE)}")
            return None
        if not body.is_map and body.value is not None:
            self._problems.add(body.place, f"{name}: arguments are written {{argument: value, …}}")
            return None
        return key, operator, body

    def _given(self, operator: AnyOperator, body: Marked) -> dict[str, Marked]:
        """The arguments as they are written, those that the operator has."""
        allowed = {*operator.arguments.model_fields, *operator.streams}
        given: dict[str, Marked] = {}
        for argument, value in self._problems.read_pairs(body, operator.name) if body.is_map else ():
            if argument.value in allowed:
                given[str(argument.value)] = value
            else:
                hint = nearest(str(argument.value), allowed)
                self._problems.add(
                    argument.place,
                    f"{operator.name}: there is no argument {argument.value!r}.{hint} "
                    f"It takes: {', '.join(sorted(allowed)) or 'none'}",
                )
        return given

    def _arguments(self, operator: AnyOperator, place: Place, given: dict[str, Marked]) -> dict[str, Any] | None:
        """The arguments, without those that name streams, checked; None where one is wrong."""
        before = len(self._problems)
        bodies = {name: given[name] for name in _for_constructors(operator) if name in given}
        written = {name: value for name, value in given.items() if name not in {*operator.streams, *bodies}}
        arguments = self._values(operator, place, written)
        for name, body in bodies.items():
            who: str | None = arguments.get("orchestrator") if arguments else None
            where = given["orchestrator"].place if "orchestrator" in given else body.place
            reader = WithReader(f"{operator.name}: {name}", body, self._settings, self._problems)
            made_with = reader.read(who, where, recorded=bool(self._context["recorded"]))
            if arguments is not None:
                arguments[name] = made_with
        return arguments if len(self._problems) == before else None

    def _values(self, operator: AnyOperator, place: Place, written: dict[str, Marked]) -> dict[str, Any] | None:
        """The arguments that are values, checked against the operator's signature; None where one is wrong."""
        before = len(self._problems)
        values = {name: filled_in(value, self._settings, self._problems) for name, value in written.items()}
        if len(self._problems) > before:
            return None
        try:
            return dict(operator.arguments.model_validate(values, context=self._context))
        except ValidationError as error:
            for problem in error.errors():
                name = str(problem["loc"][0])
                if problem["type"] == "missing":
                    self._problems.add(place, f"{operator.name}: the argument {name!r} is missing")
                    continue
                variable = only_variable(written[name].plain())
                shown = repr(values[name]) if variable is None else f"{variable}={values[name]}"
                why = problem["ctx"]["error"] if problem["type"] == "value_error" else _lower(problem["msg"])
                needs = getattr(why, "needs", ())  # nothing is written wrong, and this machine lacks something
                self._problems.add(written[name].place, f"{operator.name}: {name}: {shown}: {why}", needs)
            return None

    def _reads(
        self, operator: AnyOperator, place: Place, given: dict[str, Marked], kind: Kind | None
    ) -> dict[str, str]:
        """The streams that arguments name, by argument. Frames must be as long as those of `kind`, which flows in."""
        reads = {}
        for argument, wanted in operator.streams.items():
            read = given.get(argument)
            if read is not None:
                self._check_read(operator, argument, read, wanted, kind)
                reads[argument] = str(read.value)
            elif argument in INPUTS:
                reads[argument] = argument  # the port of that name, unless the graph names another stream
            else:
                text = f"{operator.name}: the argument {argument!r} is missing; it names a stream of {wanted}"
                self._problems.add(place, text)
        return reads

    def _check_read(self, operator: AnyOperator, argument: str, read: Marked, wanted: Kind, kind: Kind | None) -> None:
        found = self._kind_of(read)
        what = f"{operator.name}: {argument}: {read.value!r} carries {found}"
        if found and found.name != wanted.name:
            self._problems.add(read.place, f"{what}, {wanted} is needed")
        elif found and found.ms and kind and kind.ms and found.ms != kind.ms:
            self._problems.add(
                read.place, f"{what}, what flows in is {kind}: frames meet only frames of the same length"
            )

    def _check_only_one(self, operator: AnyOperator, place: Place, gives: str) -> None:
        """Turns are counted from 0 by the operator that makes them, and each has one reply: two would clash."""
        if first := self._first(gives, operator, place):
            other, at = first
            self._problems.add(
                place,
                f"{operator.name}: {other} in line {at.line} makes {gives} already, and both would use the same "
                f"trace_ids: {ONLY_ONE[gives]}",
            )

    def _first(self, of: str, operator: AnyOperator, place: Place) -> tuple[str, Place] | None:
        """The operator that came before this one, of those of which there can be one; None where this is the first."""
        first = self._makers.setdefault(of, (operator.name, place))
        return first if first[1] != place else None


def _for_constructors(operator: AnyOperator) -> list[str]:
    """The arguments of an operator that hold those of a constructor."""
    fields = operator.arguments.model_fields.items()
    return [name for name, each in fields if GivenArguments in (each.annotation, *get_args(each.annotation))]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
