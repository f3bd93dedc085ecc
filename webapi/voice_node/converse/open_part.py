"""A part that is opened once, before its first use, and again where that failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from webapi.voice_node.converse.parts import TIMEOUT_S, Part, PartError
from webapi.voice_node.converse.pulled_ahead import CLOSE_S, PulledAhead

P = TypeVar("P", bound=Part)
T = TypeVar("T")

SLOW = "Look whether its server is overloaded, or give the part a longer timeout_s"


class OpenPart(Generic[P]):
    """Opens a part when it is needed, limits the waits for what it gives, and closes it. `kind`: such as "llm"."""

    def __init__(self, part: P, kind: str) -> None:
        self.part = part
        self.label = str(getattr(part, "label", f"{type(part).__name__} ({kind})"))
        self.timeout_s = float(getattr(part, "timeout_s", TIMEOUT_S))
        self._opening: asyncio.Task[None] | None = None

    async def ready(self, then: Callable[[], None] = lambda: None) -> P:
        """The part, once it is open. Raises PartError where that fails, or takes longer than its `timeout_s`.

        To wait no longer does not stop the opening: a part that loads a model may be ready for the next turn. `then` is
        called when it is open, however long that takes; never where it fails.
        """
        opening = self._opening
        if opening is None or (opening.done() and _failed(opening)):
            opening = self._opening = asyncio.get_running_loop().create_task(self.part.open())
            opening.add_done_callback(_failed)  # so that it counts as seen, even if nobody waits
        opening.add_done_callback(lambda opened: None if _failed(opened) else then())
        if not opening.done():
            await asyncio.wait({opening}, timeout=self.timeout_s)
        if not opening.done():
            raise self.late("is not ready")
        opening.result()
        return self.part

    def pull(self, values: AsyncIterator[T]) -> PulledAhead[T]:
        """What the part gives, each value limited by its `timeout_s`."""
        return PulledAhead(values, timeout_s=self.timeout_s, late=lambda: self.late("gave nothing"))

    def late(self, what: str) -> PartError:
        """The error of a part that takes too long."""
        return PartError(self.label, f"{what} for {self.timeout_s:g} s", SLOW)

    async def aclose(self) -> None:
        """Stop the opening, and close the part."""
        opening, self._opening = self._opening, None
        if opening is not None and not opening.done():
            opening.cancel()
            await asyncio.wait({opening}, timeout=CLOSE_S)
        await self.part.aclose()


def _failed(opening: asyncio.Task[None]) -> bool:
    return opening.cancelled() or opening.exception() is not None
