"""The replies of a recorded call, in the place of the orchestrator when the call is replayed without changes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator

from webapi.voice_node.events import Prompted, Reply, SpeechEnded, Turn
from webapi.voice_node.inputs import EndOfTurnAnswered, Input, SpeakerActed

AHEAD = 64  # inputs that are read before the first of them is given: what belongs to one stands a few behind it


class RecordedReplies:
    """A `ReplyScript` for the same decisions: what the orchestrator gave comes at the times at which it came.

    The replay reads it from the recording, and passes each value to `tell`.
    """

    asks_again = False

    def __init__(self) -> None:
        self.tell: Callable[[Reply], None] | None = None
        self._acts: dict[int, deque[int]] = defaultdict(deque)  # when the speaker acted, by the stamp of the cause
        self._answers: dict[tuple[str, int], deque[float]] = {}  # at pauses, by backend and frame

    def connect(self, tell: Callable[[Reply], None]) -> None:
        """Set the function that the graph's reply stream listens with."""
        self.tell = tell

    def begin(self, turn: Turn) -> None:
        """Do nothing: what is understood of this utterance follows in the recording."""

    def answer(self, ended: SpeechEnded) -> None:
        """Do nothing: the reply to this utterance follows in the recording."""

    def prompt(self, prompted: Prompted) -> None:
        """Do nothing: the audio of this prompt follows in the recording."""

    def cut(self, turn: Turn) -> None:
        """Do nothing: the recording has nothing more of a reply that was cut."""

    def acted_us(self, cause_us: int) -> int | None:
        """Return when the speaker acted in the call; None where the recording does not say so, as older ones do not."""
        acts = self._acts.get(cause_us)
        return acts.popleft() if acts else None

    def end_of_turn(self, backend: str, frame: int) -> float | None:
        """Return what that backend answered, where the answer came into the graph with that frame; else None."""
        answers = self._answers.get((backend, frame))
        return answers.popleft() if answers else None

    def learn_act(self, act: SpeakerActed) -> None:
        """Take in what the recording says of the speaker."""
        self._acts[act.cause_us].append(act.t_us)

    def learn_acts(self, inputs: Iterator[Input]) -> Iterator[Input]:
        """Yield the inputs without the speaker's acts and the answers at pauses, each when what follows is known."""
        held: deque[Input] = deque()
        for given in inputs:
            if isinstance(given, SpeakerActed):
                self.learn_act(given)
            elif isinstance(given, EndOfTurnAnswered):
                self._answers.setdefault((given.backend, given.frame), deque()).append(given.done)
            else:
                held.append(given)
            if len(held) > AHEAD:
                yield held.popleft()
        yield from held
