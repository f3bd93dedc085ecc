"""What an orchestrator may do of its own accord in a call, from any thread."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, get_args

from webapi.voice_node.context import Context
from webapi.voice_node.errors import nearest
from webapi.voice_node.errors.contained import contained
from webapi.voice_node.events import (
    Expected,
    ExpectsAsked,
    HangUpAsked,
    HookFailed,
    Mark,
    MessageSent,
    Reply,
    SayAsked,
    Side,
    Transcript,
    Turn,
)
from webapi.voice_node.orchestrator import Speech
from webapi.voice_node.reactive.async_iterator import close
from webapi.voice_node.reply.prompts import single_chunk

PHONE_NUMBER = "sip.phoneNumber"  # the attribute in which livekit-sip gives it
LONGEST_TEXT = 10_000  # bytes of one transcript, as UTF-8: some ten minutes of speech
MOST_TO_SAY = 100  # turns that wait to be said
LONGEST_NAME = 100  # characters of a mark's name
LONGEST_REASON = 500
LARGEST_MESSAGE = 15_000  # bytes: LiveKit's limit for one data packet is 15 KiB


class OrchestratorCall:
    """One call as `on_call_started` gets it (the Protocol `Call`). Every method returns at once.

    What it does happens in the loop's next round, in the order of the calls: `tell` gets what is told of a turn. A
    mistake in an argument raises TypeError or ValueError where it is made. What names a turn that is not there becomes
    a HookFailed.
    """

    def __init__(
        self, context: Context, rate: int, tell: Callable[[Reply], None], made_ms: Callable[[str], int]
    ) -> None:
        """`rate`: Hz of the caller's PCM. `made_ms`: how much audio of the reply with that trace_id has come."""
        self.session_id = context.session_id
        self.room = context.room
        self.identity = context.caller.identity
        self.name = context.caller.name
        self.kind = context.caller.kind
        self.metadata = context.caller.metadata
        self.attributes: Mapping[str, str] = MappingProxyType(dict(context.caller.attributes))
        self.number = self.attributes.get(PHONE_NUMBER, "") if self.kind == "sip" else ""
        self.rate = rate
        self._context = context
        self._tell = tell
        self._made_ms = made_ms
        self._ids = itertools.count()
        self._to_say: dict[str, tuple[Speech, bool]] = {}  # what waits for its turn
        self._said: dict[str, Turn] = {}  # the turns that `say` has begun
        self._left_in: Turn | None = None  # the turn in which the bot hung up last
        self._held: dict[str, list[Callable[[Turn], Reply]]] = {}  # what is told of turns that have not begun
        self.present = context.turn(0)  # the latest
        self._own_id = re.compile(re.escape(self.session_id) + r"-(\d{4,9})\Z")

    def transcript(self, trace_id: str, text: str, speaker: Side = "caller", final: bool = True) -> None:
        """Tell what was said: by the caller in that turn's utterance, or by the bot in its reply."""
        if not isinstance(text, str) or len(text.encode()) > LONGEST_TEXT:
            raise ValueError(f"text is {_shown(text)}; a text of at most {LONGEST_TEXT} bytes is needed")
        if speaker not in ("caller", "bot"):
            raise ValueError(f"speaker is {_shown(speaker)}; 'caller' or 'bot' is needed")
        at_ms = self._made_ms(trace_id) if speaker == "bot" else None
        clock, final = self._context.clock, bool(final)
        self._of_turn("transcript", trace_id, lambda turn: Transcript(clock(), turn, text, speaker, final, at_ms))

    def mark(self, trace_id: str, name: str) -> None:
        """Put a stamp on the turn, with the time of now."""
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            raise ValueError(f"name is {_shown(name)}; a text of 1 to {LONGEST_NAME} characters is needed")
        t_us = self._context.clock()  # now, and not in the next round: the reply's first audio may come before that
        self._of_turn("mark", trace_id, lambda turn: Mark(t_us, turn, name))

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a JSON message to the room's clients: they get the event `message_sent` with it."""
        if not isinstance(message, Mapping):
            raise TypeError(f"message is {type(message).__name__}; a mapping is needed")
        text = json.dumps(dict(message), allow_nan=False, ensure_ascii=False)
        if len(text.encode()) > LARGEST_MESSAGE:
            raise ValueError(f"the message has {len(text.encode())} bytes; at most {LARGEST_MESSAGE} can be sent")
        copy = json.loads(text)
        self._soon(lambda: self._tell(MessageSent(self._context.clock(), self.present, copy)))

    def say(self, chunks: Speech, interruptible: bool = True) -> str:
        """Begin a turn of the bot's own, as soon as the caller is silent and no reply is pending. Returns its trace_id.

        `chunks`: PCM as of `get_audio_reply`: an async iterator, an iterable, or bytes.
        """
        if not isinstance(chunks, (AsyncIterable, Iterable)) or isinstance(chunks, (str, Mapping)):
            raise TypeError(f"chunks is {type(chunks).__name__}; bytes, an iterable or an async iterator is needed")
        if len(self._to_say) >= MOST_TO_SAY:
            raise ValueError(f"{MOST_TO_SAY} turns wait to be said already")
        trace_id = f"{self.session_id}-say-{next(self._ids):04d}"
        self._to_say[trace_id] = chunks, bool(interruptible)
        self._soon(lambda: self._context.ask(SayAsked(self._context.clock(), trace_id)))
        return trace_id

    def expects(self, what: Expected = "") -> None:
        """Give the caller time for digits, or for an e-mail address. It holds until it is called again."""
        if what not in get_args(Expected):
            hint = nearest(what, filter(None, get_args(Expected))) if isinstance(what, str) else ""
            allowed = ", ".join(map(repr, get_args(Expected)))
            raise ValueError(f"expects({_shown(what)}): there is no such value.{hint} Allowed: {allowed}")
        self._soon(lambda: self._context.ask(ExpectsAsked(self._context.clock(), what)))

    def hang_up(self, reason: str = "") -> None:
        """End the call, after what plays was heard. Asked again in the same turn, it changes nothing."""
        if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
            raise ValueError(f"reason is {_shown(reason)}; a text of at most {LONGEST_REASON} characters is needed")
        self._soon(partial(self._hang_up, reason))

    # ------------------------------------------------------------ for the adapter

    def begin(self, turn: Turn) -> None:
        """A turn begins."""
        if turn.number >= self.present.number:
            self.present = turn
        if turn.trace_id in self._to_say:
            self._said[turn.trace_id] = turn
            self._soon(partial(self._tell_held, turn))

    def take_speech(self, trace_id: str) -> tuple[Speech, bool]:
        """Return what `say` got for that turn, and whether it may be interrupted."""
        return self._to_say.pop(trace_id)

    def drop_speeches(self) -> list[Speech]:
        """Forget what has not been said, and return it, to be closed."""
        left = [chunks for chunks, _ in self._to_say.values()]
        self._to_say.clear()
        return left

    # ------------------------------------------------------------

    def _tell_held(self, turn: Turn) -> None:
        for make in self._held.pop(turn.trace_id, ()):
            self._tell(make(turn))

    def _hang_up(self, reason: str) -> None:
        if self._left_in != self.present:
            self._left_in = self.present
            self._context.ask(HangUpAsked(self._context.clock(), reason))

    def _of_turn(self, hook: str, trace_id: str, make: Callable[[Turn], Reply]) -> None:
        if not isinstance(trace_id, str):
            raise TypeError(f"trace_id is {_shown(trace_id)}; a text is needed")

        def tell() -> None:
            turn = self._turn(trace_id)
            if turn is not None:
                self._tell(make(turn))
            elif trace_id in self._to_say:
                self._held.setdefault(trace_id, []).append(make)
            else:
                detail = f"this call has no turn with the trace_id {_shown(trace_id)}"
                self._tell(HookFailed(self._context.clock(), self.present, f"call.{hook}", detail))

        self._soon(tell)

    def _turn(self, trace_id: str) -> Turn | None:
        """The turn of that id, if it has begun."""
        if trace_id in self._said:
            return self._said[trace_id]
        found = self._own_id.match(trace_id)
        number = int(found[1]) if found else -1
        is_said = any(turn.number == number for turn in self._said.values())
        return self._context.turn(number) if 0 <= number <= self.present.number and not is_said else None

    def _soon(self, act: Callable[[], object]) -> None:
        if not self._context.loop.is_closed():
            self._context.loop.call_soon_threadsafe(act)


def chunks_of(speech: Speech) -> AsyncIterator[bytes]:
    """Return the chunks of what was given to `say`. Raises what its iterator raises."""
    if isinstance(speech, AsyncIterable):
        return aiter(speech)
    if isinstance(speech, (bytes, bytearray, memoryview)):
        return single_chunk(bytes(speech))
    return _one_by_one(speech)


async def _one_by_one(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def close_quietly(speech: Speech) -> None:
    """Close what was not said, if it can be closed. What that raises is ignored."""
    with contained():
        await close(speech)


def _shown(value: object) -> str:
    """A wrong argument for an error, which is logged: what may be words that somebody said is not shown."""
    if isinstance(value, str):
        return repr(value) if re.fullmatch(r"[!-~]{0,60}", value) else f"{len(value)} characters"
    return repr(value) if value is None or isinstance(value, (bool, int, float)) else type(value).__name__
