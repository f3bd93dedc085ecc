"""What the SDK's native side logs while a room is joined does not reach Python."""

from __future__ import annotations

import pytest
from livekit.rtc import _ffi_client
from livekit.rtc._ffi_client import FfiClient, ffi_event_callback

from tests.e2e.rooms import caller, run
from webapi.voice_node.room.native_log import keep_native_log_out


def test_records_of_a_join_do_not_go_through_python(
    livekit_url: str, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[object] = []
    monkeypatch.setattr(_ffi_client, "to_python_level", records.append)  # called for each

    async def join(name: str) -> None:
        async with caller(livekit_url, name):
            pass

    FfiClient.instance._ffi_lib.livekit_ffi_initialize(ffi_event_callback, True, b"python", b"0")  # as the SDK does
    run(join(room))
    assert records
    keep_native_log_out.cache_clear()
    keep_native_log_out()
    records.clear()
    run(join(f"{room}-again"))
    assert records == []
