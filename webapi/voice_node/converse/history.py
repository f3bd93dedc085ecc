"""What was said in a conversation, as the language model gets it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from webapi.voice_node.converse.parts import Message, Speaker

INTERRUPTED = "… [interrupted]"
MOST_TURNS = 100  # that are remembered


@dataclass
class Spoken:
    """A sentence of the bot, and how long its speech is, as far as it has been made."""

    text: str
    ms: float = 0.0


@dataclass
class _Said:
    """One turn: what the caller said, if it was the caller's, and what the bot said."""

    trace_id: str
    caller: str
    bot: list[Spoken] = field(default_factory=list)
    heard: str | None = None  # of the bot's words; None: not known yet
    withdrawn: bool = False


class History:
    """The turns of a call, of which the oldest are forgotten. `prompt` is the model's instruction."""

    def __init__(self, prompt: str, most_turns: int = MOST_TURNS) -> None:
        self._prompt = prompt
        self._turns: deque[_Said] = deque(maxlen=most_turns)

    @property
    def is_empty(self) -> bool:
        """No turn has begun."""
        return not self._turns

    def messages(self) -> list[Message]:
        """All that was said. Messages in a row of one role are joined: many models insist that roles alternate."""
        found = [Message("system", self._prompt)] if self._prompt else []
        for turn in self._turns:
            if not turn.withdrawn:
                _append(found, "user", turn.caller)
                _append(found, "assistant", _full(turn.bot) if turn.heard is None else turn.heard)
        return found

    def begin(self, trace_id: str, caller: str = "") -> None:
        """A turn begins, with the words of the caller where it is the caller's."""
        self._turns.append(_Said(trace_id, caller))

    def speak(self, trace_id: str, text: str) -> Spoken:
        """The bot begins a sentence. The caller of this counts the length of the speech in what is returned."""
        spoken = Spoken(text)
        if turn := self._turn(trace_id):
            turn.bot.append(spoken)
        return spoken

    def withdraw(self, trace_id: str) -> None:
        """The turn never was: nothing of its reply was heard, and the caller's words come again with the next turn."""
        if (turn := self._turn(trace_id)) and not turn.heard:
            turn.withdrawn = True

    def heard(self, trace_id: str, heard_ms: float, completed: bool, heard_text: str | None) -> None:
        """The reply of a turn is over: only what was heard of it stays.

        Where `heard_text` is not known, it is estimated from `heard_ms` and the lengths of the sentences' speech.
        """
        turn = self._turn(trace_id)
        if turn is None:
            return
        if heard_ms > 0 or completed:
            turn.withdrawn = False
        text = heard_text if heard_text is not None else words_heard(turn.bot, heard_ms, completed)
        is_cut = not completed and text and text != _full(turn.bot)
        turn.heard = f"{text} {INTERRUPTED}" if is_cut else text

    def _turn(self, trace_id: str) -> _Said | None:
        return next((each for each in reversed(self._turns) if each.trace_id == trace_id), None)


def words_heard(spoken: list[Spoken], heard_ms: float, completed: bool) -> str:
    """The words in the first `heard_ms` of the speech, as if all letters of a sentence took the same time."""
    if completed:
        return _full(spoken)
    found = []
    for each in spoken:
        part = min(1.0, heard_ms / each.ms) if each.ms else float(heard_ms > 0)
        if part <= 0:
            break
        heard = each.text[: round(part * len(each.text))]
        is_whole = len(heard) == len(each.text) or each.text[len(heard)].isspace()
        found.append(heard if is_whole else heard.rpartition(" ")[0])
        heard_ms -= each.ms
    return " ".join(filter(None, found))


def _full(spoken: list[Spoken]) -> str:
    return " ".join(each.text for each in spoken)


def _append(messages: list[Message], role: Speaker, text: str) -> None:
    if not text:
        return
    if messages and messages[-1].role == role:
        text = f"{messages.pop().text}\n{text}"
    messages.append(Message(role, text))
