"""Passes the keys that the caller presses on their phone to the caller's session."""

from __future__ import annotations

from livekit import rtc

from webapi.voice_node.events import as_digit
from webapi.voice_node.room.caller import Caller


def press(caller: Caller | None, key: rtc.SipDTMF) -> None:
    """A participant has pressed a key. It counts where they are the caller, whatever they call with.

    A text that names no key of a phone is left out.
    """
    digit = as_digit(key.digit)
    if caller is not None and key.participant is not None and key.participant.identity == caller.identity and digit:
        caller.press(digit)
