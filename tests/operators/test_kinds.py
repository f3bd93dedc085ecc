"""What an operator declares in its signature, and what the graph passes to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import pytest
from reactivex import Observable, Subject

from webapi.voice_node import pipeline
from webapi.voice_node.context import Context
from webapi.voice_node.graph.spec import GraphSpec, StepSpec, StreamSpec
from webapi.voice_node.graph.yaml_parser import Place
from webapi.voice_node.operators.kinds import AUDIO, VOICED, BuildInfo, Kind, Operator, Stage, operator

passed: list[BuildInfo] = []


@operator(takes=AUDIO)
def noting(*, db: float = 1.5, other: Annotated[Observable[Any], VOICED], info: BuildInfo) -> Stage[Any]:
    """Note what it is built with."""
    passed.append(info)
    return lambda source: source


@operator(takes=AUDIO)
def plain(*, info: str = "") -> Stage[Any]:
    """Take an argument of that name which is another."""
    return lambda source: source


def test_only_what_the_graph_writes_is_an_argument() -> None:
    assert noting.wants_info
    assert set(noting.arguments.model_fields) == {"db"}
    assert noting.streams == {"other": VOICED}
    assert not plain.wants_info
    assert set(plain.arguments.model_fields) == {"info"}


def test_it_is_told_of_the_session_of_what_it_gives_and_of_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    table: dict[str, Operator[Any, Any]] = {"noting": noting, "plain": plain}
    monkeypatch.setattr(pipeline, "TABLE", table)
    passed.clear()
    first, middle, last = Kind("audio", 48_000), Kind("audio", 16_000), Kind("frames", 8000, 20)
    steps = tuple(
        StepSpec(name, {}, {"other": "caller"} if name == "noting" else {}, gives, Place("g.yaml", 1, 1))
        for name, gives in (("noting", first), ("plain", middle), ("noting", last))
    )
    graph = GraphSpec("g", Path("g.yaml"), (StreamSpec("s", ("caller",), steps, last),), {"events": ("s",)}, "", Path())
    context = cast(Context, object())
    pipeline.build_streams(graph, {"caller": Subject()}, context)
    assert passed == [BuildInfo(context, first, middle), BuildInfo(context, last, last)]


def test_an_argument_named_like_a_keyword_has_an_underscore_in_python_alone() -> None:
    given = []

    @operator(takes=AUDIO)
    def odd(*, with_: int, in_: Annotated[Observable[Any], VOICED], rate: int = 1) -> Stage[Any]:
        """Odd."""
        given.append((with_, in_, rate))
        return lambda source: source

    assert list(odd.arguments.model_fields) == ["with", "rate"]
    assert odd.streams == {"in": VOICED}
    other: Observable[Any] = Subject()
    odd.made_with({"with": 2, "in": other})
    assert given == [(2, other, 1)]
