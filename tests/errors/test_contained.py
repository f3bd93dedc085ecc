"""What others' code raises ends its own work only."""

from __future__ import annotations

import asyncio

import pytest

from webapi.voice_node.errors.contained import contained


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), asyncio.CancelledError(), GeneratorExit()])
def test_whatever_is_raised_is_passed_on_as_a_value(error: BaseException) -> None:
    told: list[BaseException] = []
    with contained(told.append):
        raise error
    assert told == [error]


def test_an_interrupt_of_the_program_is_raised_on_and_nothing_is_told_where_nothing_is_raised() -> None:
    told: list[BaseException] = []
    with contained(told.append):
        pass
    with pytest.raises(KeyboardInterrupt), contained(told.append):
        raise KeyboardInterrupt
    assert told == []
