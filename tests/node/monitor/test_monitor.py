"""The metrics: what is told is counted, once; and no text of a caller or an orchestrator becomes a label."""

from __future__ import annotations

import asyncio
import logging
import re
import threading

import pytest
from loguru import logger

from tests.node.conftest import Logging
from tests.node.monitor.stories import line, shown, value
from webapi.voice_node.events import (
    BargeIn,
    FramesDropped,
    HookFailed,
    PlaybackDucked,
    PlaybackRestored,
    ReplyEnded,
    SpeechStarted,
    Turn,
)
from webapi.voice_node.node.loop_watch import Blocked, log_blocked
from webapi.voice_node.node.monitor import labels
from webapi.voice_node.node.monitor.loop_lag import EVERY_S, LoopLag
from webapi.voice_node.node.monitor.monitor import Monitor
from webapi.voice_node.orchestrator import Orchestrator

A, B = Turn("s-0000", 0), Turn("s-0001", 1)


def test_calls_are_counted() -> None:
    monitor = Monitor(max_calls=7)
    for kind in ("sip", "standard", "standard"):
        monitor.call_started(kind)
    monitor.call_ended("left", seconds=61.0)
    assert value(monitor, "active_calls") == monitor.calls() == 2
    assert value(monitor, "calls_started_total", kind="standard") == 2
    assert value(monitor, "calls_started_total", kind="sip") == 1
    assert value(monitor, "calls_ended_total", reason="left") == 1
    assert value(monitor, "call_seconds_sum") == 61
    assert value(monitor, "max_calls") == 7


def test_a_turn_is_counted_with_its_wait_and_what_that_went_into() -> None:
    monitor = Monitor()
    monitor.on_turn(line())
    monitor.on_turn(line(outcome="barged_in", barge_in_stop_ms=140.0, caller_wait_ms=None, parts=None))
    monitor.on_turn(line(outcome="completed", prompt="hello.wav", caller_wait_ms=None, parts=None, vad_speech_ms=None))
    assert value(monitor, "turns_total", outcome="completed", begun_by="caller") == 1
    assert value(monitor, "turns_total", outcome="barged_in", begun_by="caller") == 1
    assert value(monitor, "turns_total", outcome="completed", begun_by="bot") == 1
    assert value(monitor, "caller_wait_seconds_count") == 1
    assert value(monitor, "caller_wait_seconds_sum") == pytest.approx(0.905)
    assert value(monitor, "barge_in_stop_seconds_bucket", le="0.12") == 0
    assert value(monitor, "barge_in_stop_seconds_bucket", le="0.14") == 1
    assert value(monitor, "utterance_seconds_count") == 2
    assert value(monitor, "wait_part_seconds_count", part="node") == 1  # both of its pieces are one
    assert value(monitor, "wait_part_seconds_sum", part="node") == pytest.approx(0.005)
    assert value(monitor, "wait_part_seconds_sum", part="orchestrator") == pytest.approx(0.7)


def test_ducks_are_counted_with_what_became_of_them() -> None:
    monitor = Monitor()
    monitor.on_event(PlaybackDucked(1, A, 0, 0, 0))
    monitor.on_event(PlaybackRestored(2, A, 0, 0))
    monitor.on_event(PlaybackDucked(3, A, 0, 0, 0))
    monitor.on_turn(line(outcome="barged_in", duck_ms=60.0, ducked=2, duck_restored=1, duck_stopped=1))
    counts = {act: value(monitor, "ducks_total", act=act) for act in ("ducked", "restored", "stopped")}
    assert counts == {"ducked": 2, "restored": 1, "stopped": 1}
    assert value(monitor, "duck_seconds_sum") == pytest.approx(0.06)


def test_events_of_a_session_are_counted() -> None:
    monitor = Monitor()
    for event in (
        SpeechStarted(0, A, 0),
        BargeIn(1, A, B, 0),
        ReplyEnded(2, A, "completed"),
        ReplyEnded(2, B, "timeout"),
        HookFailed(3, A, "stop_playback", "ValueError: Ada"),
        FramesDropped(4, A, 3, "their reply was already over"),
    ):
        monitor.on_event(event)
    assert value(monitor, "barge_ins_total") == 1
    assert value(monitor, "reply_failures_total", outcome="timeout") == 1
    assert value(monitor, "reply_failures_total", outcome="failed") == 0
    assert value(monitor, "hook_failures_total", hook="stop_playback") == 1
    assert value(monitor, "dropped_frames_total", where="reply_over") == 3


def test_each_method_that_is_called_as_a_hook_has_its_series() -> None:
    named = set(re.findall(r"`(on_\w+|stop_playback|is_interruptible|play_filler)\(", Orchestrator.__doc__ or ""))
    monitor = Monitor()
    for hook in named:
        monitor.on_event(HookFailed(3, A, hook, "ValueError"))
    assert "on_dtmf" in named
    assert {hook for hook in named if value(monitor, "hook_failures_total", hook=hook) == 1} == named


def test_stalls_are_counted_by_whose_code_it_was() -> None:
    monitor = Monitor()
    monitor.on_blocked(Blocked(0.3, "mybot.py:12 in get_audio_reply", "orchestrator"))
    monitor.on_blocked(Blocked(0.2, "garbage collection", "garbage collection"))
    assert value(monitor, "stalls_total", code="orchestrator") == 1
    assert value(monitor, "stall_seconds_total", code="orchestrator") == pytest.approx(0.3)
    assert value(monitor, "stalls_total", code="garbage_collection") == 1


def test_stalls_that_the_log_tells_of_are_counted(logging_to: Logging) -> None:
    monitor = Monitor()
    with logging_to():
        stop = monitor.watch_log()
        log_blocked(Blocked(0.25, "mybot.py:12 in get_audio_reply", "orchestrator"))
        stop()
    assert value(monitor, "stalls_total", code="orchestrator") == 1
    assert value(monitor, "stall_seconds_total", code="orchestrator") == pytest.approx(0.25)


def test_it_is_not_ready_until_it_is_said() -> None:
    monitor = Monitor()
    assert (monitor.why_not_ready, value(monitor, "ready")) == ("starting", 0)
    monitor.not_ready(None)
    assert (monitor.why_not_ready, value(monitor, "ready"), value(monitor, "draining")) == (None, 1, 0)
    monitor.not_ready("draining")
    assert (monitor.why_not_ready, value(monitor, "ready"), value(monitor, "draining")) == ("draining", 0, 1)


def test_the_log_tells_of_problems_whatever_its_level_is(logging_to: Logging) -> None:
    monitor = Monitor()
    with logging_to(log_level="CRITICAL"):
        stop = monitor.watch_log()
        logger.bind(event="record_failed", room="support-ada").error("this call is not recorded: disk full")
        logger.bind(event="reconnecting").warning("connection to the server lost, trying to get it back")
        logger.bind(event="reconnecting", attempt=2).warning("could not join again: refused")
        logger.bind(event="reconnected").info("connection to the server is back")
        logging.getLogger("livekit").warning("odd")
        stop()
        logger.bind(event="record_failed").error("after the end")
    assert value(monitor, "problems_total", problem="record_failed") == 1
    assert value(monitor, "connection_losses_total") == 1
    assert value(monitor, "log_messages_total", level="warning") == 3
    assert value(monitor, "log_messages_total", level="error") == 1


@pytest.mark.parametrize("where", ["caller_audio", "bot_audio"])
def test_what_the_room_drops_is_counted_by_its_direction(where: str, logging_to: Logging) -> None:
    from webapi.voice_node.room.track_reader import TrackReader
    from webapi.voice_node.room.track_sink import TrackSink

    monitor = Monitor()
    with logging_to():
        stop = monitor.watch_log()
        if where == "bot_audio":
            TrackSink()._log_dropped(4)
        else:
            reader = TrackReader.__new__(TrackReader)
            reader._log = logger.bind(room="support-ada")
            reader._log_dropped(4)
        stop()
    assert value(monitor, "dropped_frames_total", where=where) == 4


HOSTILE = ("support-ada", "ada@example.org", 'x"} 1\nfake_metric 1', "RM_abcdef", "a" * 5000, "föö\x00\x1b[31m", "s-1")


def test_no_text_from_outside_becomes_a_label_and_the_series_are_bounded() -> None:
    monitor = Monitor()
    monitor.on_turn(line(parts=[{"name": name, "ms": 1.0} for name in labels.PARTS]))
    monitor.on_turn(line(outcome="", parts=[{"name": "", "ms": 1.0}]))
    monitor.on_turn(line(outcome="", parts=None, prompt=""))
    for act in (monitor.call_started, monitor.call_ended, lambda text: monitor.dropped(1, text)):
        act("")
    monitor.on_event(HookFailed(0, A, "", ""))
    monitor.on_blocked(Blocked(0.1, "", ""))
    with_other = len(shown(monitor.text()))
    for number in range(300):
        text = f"{HOSTILE[number % len(HOSTILE)]}{number}"
        monitor.call_started(text)
        monitor.call_ended(text)
        monitor.dropped(1, text)
        monitor.on_event(HookFailed(0, Turn(text, 0), text, text))
        monitor.on_blocked(Blocked(0.1, text, text))
        part = {"name": text, "ms": 1.0, "owner": text, "setting": text}
        names = {"session_id": text, "trace_id": text, "room": text, "graph": text, "speech_end": text}
        monitor.on_turn(
            line(outcome=text, prompt=text, parts=[part], marks={text: 1.0}, words={"caller": text}, **names)
        )
        monitor.not_ready(text)  # type: ignore[arg-type]  # what no type check has seen
    page = monitor.text()
    assert len(shown(page)) == with_other
    assert with_other < 500
    for text in HOSTILE:
        assert text.encode() not in page
    assert b"fake_metric" not in page
    assert value(monitor, "hook_failures_total", hook="other") == 301


def test_threads_may_tell_at_the_same_time() -> None:
    monitor = Monitor()

    def tell() -> None:
        for _ in range(500):
            monitor.call_started("sip")
            monitor.on_turn(line())

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(monitor, "active_calls") == 2000
    assert value(monitor, "turns_total", outcome="completed", begun_by="caller") == 2000


def test_two_monitors_share_nothing_with_each_other_or_with_the_librarys_own_registry() -> None:
    one, other = Monitor(), Monitor()
    one.call_started()
    assert value(other, "active_calls") == 0
    assert b"python_gc" not in one.text()


def test_the_process_has_its_memory_and_processor_time() -> None:
    page = shown(Monitor().text())
    assert page["voice_node_cpu_seconds_total", ()] > 0
    assert page["voice_node_memory_bytes", ()] > 10_000_000
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
        assert page[name, ()] > 0


# ---------------------------------------------------------------- the lag of the loop


class SlowLoop:
    """A loop whose clock the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.timers: list[tuple[float, asyncio.TimerHandle]] = []

    def time(self) -> float:
        return self.now_s

    def call_at(self, when: float, act: object, *args: object) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, act, args, asyncio.new_event_loop())  # type: ignore[arg-type]
        handle._loop.close()  # type: ignore[attr-defined]
        self.timers.append((when, handle))
        return handle

    def move(self, to_s: float) -> None:
        """The time is `to_s`, and the loop gets its turn."""
        self.now_s = to_s
        due, self.timers = [t for t in self.timers if t[0] <= to_s], [t for t in self.timers if t[0] > to_s]
        for _, handle in due:
            if not handle.cancelled():
                handle._run()


def test_the_lag_is_how_late_a_timer_is() -> None:
    loop, seen = SlowLoop(), list[float]()
    lag = LoopLag(loop, seen.append)  # type: ignore[arg-type]
    lag.start()
    loop.move(100.0 + EVERY_S)
    loop.move(100.0 + 2 * EVERY_S + 0.03)
    assert seen == pytest.approx([0.0, 0.03])
    loop.move(102.0)  # it stood still for more than a second: one late timer
    assert len(seen) == 3
    assert seen[-1] == pytest.approx(102.0 - (100.23 + EVERY_S))
    lag.stop()
    loop.move(110.0)
    assert len(seen) == 3


def test_a_loop_is_measured_once_however_many_ask_for_it() -> None:
    monitor, loop = Monitor(), SlowLoop()
    stops = [monitor.watch_loop(loop) for _ in range(3)]  # type: ignore[arg-type]  # all that is needed of a loop
    loop.move(100.0 + EVERY_S)
    assert value(monitor, "loop_lag_seconds_count") == 1
    stops.pop()()
    stops.pop()()
    loop.move(100.0 + 2 * EVERY_S)
    assert value(monitor, "loop_lag_seconds_count") == 2
    stops.pop()()
    loop.move(110.0)
    assert value(monitor, "loop_lag_seconds_count") == 2
    monitor.watch_loop(loop)  # type: ignore[arg-type]
    loop.move(110.0 + EVERY_S)
    assert value(monitor, "loop_lag_seconds_count") == 3


def test_a_real_loop_is_measured() -> None:
    async def scenario() -> None:
        monitor = Monitor()
        observed, twice = monitor._series.loop_lag.observe, asyncio.Event()

        def observe(lag_s: float) -> None:
            observed(lag_s)
            if value(monitor, "loop_lag_seconds_count") == 2:
                twice.set()

        monitor._series.loop_lag.observe = observe  # type: ignore[assignment, method-assign]
        stop = monitor.watch_loop(asyncio.get_running_loop())
        await twice.wait()
        stop()

    asyncio.run(asyncio.wait_for(scenario(), 30))
