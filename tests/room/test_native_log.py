"""Whether the log of the SDK's native side goes through Python."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TypeAlias

import pytest
from livekit.rtc._ffi_client import FfiClient

from webapi.voice_node.room.native_log import FILTER, keep_native_log_out

Told: TypeAlias = tuple[bool, "str | None"]


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Told]]:
    """What the native side was told, in order: whether to hand its log over, and what it finds of what to write."""
    told: list[Told] = []
    library = SimpleNamespace(
        livekit_ffi_initialize=lambda _, capture, *__: told.append((capture, os.environ.get(FILTER)))
    )
    monkeypatch.setattr(FfiClient, "_instance", SimpleNamespace(_ffi_lib=library))
    monkeypatch.setenv(FILTER, "")  # so that it is put back afterwards
    monkeypatch.delenv(FILTER)
    monkeypatch.delenv("LIVEKIT_RTC_DEBUG", raising=False)
    keep_native_log_out.cache_clear()
    yield told
    keep_native_log_out.cache_clear()


def test_it_is_kept_out_once_and_nothing_goes_to_stderr_in_its_place(captures: list[Told]) -> None:
    keep_native_log_out()
    keep_native_log_out()
    assert captures == [(False, "off")]
    assert FILTER not in os.environ


def test_who_asks_for_it_on_stderr_gets_it_there(captures: list[Told], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILTER, "warn")
    keep_native_log_out()
    assert captures == [(False, "warn")]
    assert os.environ[FILTER] == "warn"


def test_who_debugs_gets_it_in_the_log(captures: list[Told], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_RTC_DEBUG", "1")
    keep_native_log_out()
    assert captures == []


@pytest.mark.parametrize("value", ["0", "false", "False", "", "no"])
def test_who_has_switched_debugging_off_does_not_debug(
    captures: list[Told], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("LIVEKIT_RTC_DEBUG", value)
    keep_native_log_out()
    assert captures == [(False, "off")]


def test_a_log_that_passes_its_records_on_gets_it(captures: list[Told]) -> None:
    livekit = logging.getLogger("livekit")
    before = livekit.level
    livekit.setLevel(logging.INFO)
    try:
        keep_native_log_out()
    finally:
        livekit.setLevel(before)
    assert captures == []
