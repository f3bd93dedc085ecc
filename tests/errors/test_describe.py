"""An error as text: no memory address in it, so that a replay writes the same bytes in every process."""

from __future__ import annotations

import re
from collections.abc import Callable
from unittest.mock import Mock

import pytest

from webapi.voice_node.errors import describe


async def _reply() -> None:
    """What an error may quote."""


class Thing:
    """An object without a repr of its own."""

    def speak(self) -> None:
        """A method, whose repr has the object's."""


@pytest.mark.parametrize(
    "made", [Thing, Mock, object, lambda: Thing().speak, lambda: (x for x in "ab"), lambda: _reply]
)
def test_no_object_has_its_address_in_it(made: Callable[[], object]) -> None:
    kept = [made() for _ in range(2)]
    texts = {describe(TypeError(f"{thing!r} is no audio")) for thing in kept}
    assert len(texts) == 1
    assert not re.search(r"0x[0-9a-f]{6}|\d{9}", texts.pop())


def test_what_is_no_address_stays() -> None:
    assert describe(ValueError("code 0x1F of 0xFFFF, 1234567890 bytes")) == (
        "ValueError: code 0x1F of 0xFFFF, 1234567890 bytes"
    )
