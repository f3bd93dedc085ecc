"""Tries the parts that a graph chose, before a caller needs them: made, opened, and closed again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from webapi.voice_node.converse.open_part import OpenPart
from webapi.voice_node.converse.part_names import ROLES, PartChoice, Role
from webapi.voice_node.converse.parts import Part, PartError
from webapi.voice_node.errors import UserError, describe

AUTHOR = "Ask the author of the part"


@dataclass(frozen=True)
class ChosenPart:
    """A part in a graph. `where`: file:line:column and the arguments in which it stands."""

    where: str
    choice: PartChoice[Any]


@dataclass(frozen=True)
class TriedPart:
    """What became of a part: its label, the error that keeps it from working, or what is doubtful about it."""

    where: str
    role: Role
    label: str
    error: UserError | None = None
    doubt: str = ""


async def try_parts(parts: Iterable[ChosenPart], *, opened: bool = True) -> list[TriedPart]:
    """Make each part, and open it too where `opened` is set, all at the same time; each within its `timeout_s`."""
    return await asyncio.gather(*(_tried(part, opened) for part in parts))


async def check_parts(parts: Iterable[ChosenPart], *, opened: bool = True) -> None:
    """Try the parts. Raises UserError with a line for each one that can't work: its place, what is wrong, what to do.

    Its `needs` are those of the parts, where nothing else is wrong.
    """
    errors = [(each.where, each.error) for each in await try_parts(parts, opened=opened) if each.error]
    if errors:
        needs = [need for _, error in errors for need in error.needs] if all(e.needs for _, e in errors) else []
        raise UserError("\n".join(f"{where}: {error}" for where, error in errors), needs)


async def _tried(chosen: ChosenPart, opened: bool) -> TriedPart:
    role, name = chosen.choice.role, chosen.choice.name
    label = f"{name} {ROLES[role]}"
    where = f"{chosen.where}.{role}"
    try:
        part: OpenPart[Part] = OpenPart(chosen.choice.make(), role)
        label = str(getattr(part.part, "label", label))
        try:
            if opened:
                await part.ready()
        finally:
            await part.aclose()
    except UserError as error:
        return TriedPart(where, role, label, error)
    except Exception as error:  # of a part that others wrote
        return TriedPart(where, role, label, PartError(label, describe(error), AUTHOR))
    return TriedPart(where, role, label, doubt=str(getattr(part.part, "doubt", "")))
