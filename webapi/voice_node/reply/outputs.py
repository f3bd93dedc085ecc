"""What the orchestrator gives: noted for the recording of the call, then passed on to the graph."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reactivex import Observable, abc

from webapi.voice_node.context import Context
from webapi.voice_node.events import LlmRequestDone, Reply, TtsFirstChunk, Turn
from webapi.voice_node.inputs import OrchestratorOutput
from webapi.voice_node.reactive.direct import handled_by


class OrchestratorOutputs:
    """Every value that comes from the orchestrator's side goes through here, each once."""

    def __init__(
        self, context: Context, tell: Callable[[Reply], None], watch: Callable[[Reply], None] = lambda _: None
    ) -> None:
        """`watch` gets every value too, before it is passed on."""
        self._context = context
        self._watch = watch
        self._tell = tell
        self._first_chunk_of: Turn | None = None

    def tell(self, value: Reply) -> None:
        """Note a value and tell the graph."""
        if self._is_news(value):
            self._note(value)
            self._tell(value)

    def noted(self, source: Observable[Reply]) -> Observable[Reply]:
        """The values of a reply's stream, each noted before it is passed on."""

        def begin(observer: abc.ObserverBase[Reply]) -> Callable[[Reply], None]:
            def on_next(value: Reply) -> None:
                if self._is_news(value):
                    self._note(value)
                    observer.on_next(value)

            return on_next

        return handled_by(begin)(source)

    def stamp(
        self, event: type[LlmRequestDone] | type[TtsFirstChunk], answering: Callable[[], Turn | None]
    ) -> Callable[..., None]:
        """The function that the orchestrator calls as `(trace_id, ts)`, from any thread, when `event` happens.

        `ts` is ignored: the event is stamped on the session's clock when the call arrives, as other clocks may differ.
        A call for another turn than the one that `answering` gives is ignored too.
        """

        def stamp(trace_id: str, ts: float | None = None) -> None:
            if not _runs(self._context.loop):
                self._context.loop.call_soon_threadsafe(stamp, trace_id, ts)
                return
            turn = answering()
            if turn is not None and turn.trace_id == trace_id:
                self.tell(event(self._context.clock(), turn))

        return stamp

    def _is_news(self, value: Reply) -> bool:
        """False for a first chunk that the node sees after the orchestrator has already told of it."""
        if isinstance(value, TtsFirstChunk):
            known = self._first_chunk_of == value.turn
            self._first_chunk_of = value.turn
            return not known
        return True

    def _note(self, value: Reply) -> None:
        if self._context.note:
            self._context.note(OrchestratorOutput(value))
        self._watch(value)


def _runs(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this code runs in the loop, and not in another thread."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
