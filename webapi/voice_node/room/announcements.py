"""Tells the log and the room's clients who is heard and who is not, once for each change."""

from __future__ import annotations

from collections.abc import Mapping

from loguru import logger

from webapi.voice_node.room.data_messages import RoomMessages
from webapi.voice_node.room.who_is_heard import WHY


class Announcements:
    """What was told last: who is heard and why, and of whom else there is audio."""

    def __init__(self, room: str, messages: RoomMessages) -> None:
        self._messages = messages
        self._log = logger.bind(room=room)
        self._heard: tuple[str | None, str] = (None, "nobody")  # identity, and why: a key of WHY
        self._not_heard: dict[str, str] = {}

    def heard(self, identity: str | None, why: str) -> None:
        """This participant is heard from now on; None: nobody is."""
        told_identity, told_why = self._heard
        if identity == told_identity and (why == told_why or (identity is None and why == "nobody")):
            return  # that nobody else is there is no news
        self._heard = identity, why
        if identity is None:
            bound = self._log.bind(event="listening_to", identity=None, reason=why)
            bound.info(f"listening to nobody: {WHY[why]}")
        self.repeat_heard()

    def repeat_heard(self, only: str | None = None) -> None:
        """Send who is heard to all clients, or to the client with the identity `only`."""
        identity, why = self._heard
        self._messages.send({"event": "listening_to", "identity": identity, "reason": why}, only=only)

    def not_heard(self, reasons: Mapping[str, str]) -> None:
        """These participants publish audio and are not heard, by identity; see who_is_heard.not_heard."""
        for identity, reason in reasons.items():
            if self._not_heard.get(identity) == reason:
                continue
            if reason == "encrypted":
                bound = self._log.bind(event="not_heard", identity=identity, reason=reason)
                bound.warning(
                    f"{identity} can't be heard: the audio is encrypted end to end, and the node has no key."
                    " Switch end-to-end encryption off in their client."
                )
                self._messages.send({"event": "not_heard", "identity": identity, "reason": reason})
            else:
                bound = self._log.bind(event="ignored", identity=identity, reason=reason)
                bound.info(f"not listening to {identity}: {reason}")
        self._not_heard = dict(reasons)

    def entered(self) -> None:
        """The node is in the room. After a lost connection its clients may still believe what was told before."""
        if self._heard[1] == "connection_lost":
            self.repeat_heard()

    def reset(self) -> None:
        """The room is another one, or was lost: its clients know nothing of what was told."""
        self._heard = (None, "connection_lost")
        self._not_heard = {}
