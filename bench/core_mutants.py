"""The mutants of bench.mutants: one wrong line of the core each, and the tests that must notice it."""

from __future__ import annotations

from typing import NamedTuple

CORE = "webapi/voice_node"
HEARING = "tests/hearing"
PIPELINE = "tests/test_pipeline.py"
SPEAKER = "tests/playback/test_speaker.py"
VOLUME = "tests/playback"
FILLER = "tests/reply/test_filler.py"
PACING = "tests/reply/test_pacing.py"
DIRECT = "tests/reactive/test_direct.py"
METRICS = "tests/test_metrics.py"
STALLS = "tests/test_stalls.py"
ARRIVAL = "tests/room/test_arrival_clock.py"


class Mutant(NamedTuple):
    """In `file` (of CORE), `old` becomes `new`; `what` says in a few words what is wrong then."""

    file: str
    what: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    # ---------------------------------------------------------------- hearing
    Mutant("hearing/onset.py", "an onset one frame late", "s.run >= frames", "s.run > frames", (HEARING,)),
    Mutant(
        "hearing/onset.py",
        "a probability of START is too low",
        "probability >= least",
        "probability > least",
        (HEARING,),
    ),
    Mutant("hearing/endpoint.py", "an end one frame late", "if s.unvoiced >= hold", "if s.unvoiced > hold", (HEARING,)),
    Mutant(
        "hearing/endpoint.py",
        "half of the hold is no pause",
        "2 * s.unvoiced >= rule",
        "2 * s.unvoiced > rule",
        (HEARING,),
    ),
    Mutant(
        "hearing/interruption.py",
        "cough_ms of voice is still a cough",
        "evidence.voiced >= rule.min_interruption_frames",
        "evidence.voiced > rule.min_interruption_frames",
        (HEARING,),
    ),
    Mutant(
        "hearing/interruption.py",
        "a filler is not playing",
        "        return reply._replace(playing=True)\n",
        "        return reply\n",
        (HEARING, FILLER),
    ),
    Mutant(
        "hearing/duck.py",
        "soft a frame too long",
        "if quiet >= rule.hold_frames:",
        "if quiet > rule.hold_frames:",
        (HEARING,),
    ),
    Mutant(
        "hearing/duck.py",
        "what stands out makes it soft a frame late",
        "elif s.outstanding >= frames + MORE:",
        "elif s.outstanding > frames + MORE:",
        (HEARING,),
    ),
    Mutant(
        "hearing/turn_or_not.py",
        "two coughs are a turn",
        "goes_on and 2 * likely >= since",
        "goes_on",
        (HEARING,),
    ),
    Mutant(
        "hearing/turn_or_not.py",
        "what dies away is a turn",
        "fallen_db <= GOES_ON_DB",
        "fallen_db <= 2 * GOES_ON_DB",
        (HEARING,),
    ),
    Mutant(
        "playback/volume.py",
        "a volume is cut and not rounded",
        "samples * volumes + (FULL >> 1)",
        "samples * volumes",
        (VOLUME,),
    ),
    Mutant(
        "playback/volume_sink.py",
        "the next reply begins as soft as the last one was",
        "        self._volume = Volume()\n        self._recent",
        '        self._volume = getattr(self, "_volume", Volume())\n        self._recent',
        (VOLUME,),
    ),
    Mutant(
        "hearing/prompts.py",
        "an idle prompt one frame late",
        "since < rule.idle_frames",
        "since <= rule.idle_frames",
        (HEARING,),
    ),
    Mutant(
        "hearing/turn_reducer.py",
        "noise blocks the idle prompt",
        "    voice = voiced and (not s.onset.pause_needed if probability is None else probability >= END)\n",
        "    voice = voiced\n",
        (HEARING,),
    ),
    Mutant(
        "hearing/turn_reducer.py",
        "an utterance reaches back over a gap",
        "heard_from=last_frame + 1",
        "heard_from=0",
        (HEARING,),
    ),
    Mutant(
        "hearing/utterance.py", "a carried utterance is too long", "first_frame=max(", "first_frame=min(", (HEARING,)
    ),
    Mutant(
        "hearing/pause_estimator.py",
        "the deviation decays too slowly",
        "(before.deviation4 >> 2)",
        "(before.deviation4 >> 3)",
        (HEARING,),
    ),
    Mutant(
        "hearing/level_gate.py",
        "softer than the background goes on",
        "level >= GOES_ON * usual",
        "level >= usual",
        (HEARING,),
    ),
    # ---------------------------------------------------------------- operators
    Mutant(
        "operators/turn_scan.py",
        "the first frame is missing",
        "if each.frame.number >= first",
        "if each.frame.number > first",
        (PIPELINE,),
    ),
    Mutant(
        "operators/turn_scan.py",
        "audio of an open utterance is forgotten",
        "while kept[0].frame.number < oldest:",
        "while kept[0].frame.number <= oldest:",
        (PIPELINE,),
    ),
    Mutant(
        "operators/resample.py",
        "a filler that halts leaves its tail",
        "isinstance(value, HaltReply) and isinstance(self._last, FillerAudio)",
        "False",
        ("tests/operators/test_resample.py",),
    ),
    Mutant(
        "operators/cancel_echo.py",
        "a gap leaves the echo out of step",
        "            self._far_end.lose_step()\n",
        "",
        ("tests/operators/test_cancel_echo.py",),
    ),
    # ---------------------------------------------------------------- reply
    Mutant(
        "reply/orchestrator_adapter.py",
        "stop_playback after the flush",
        "        self._hooks.stop_playback(turn)\n        self._tell(ReplyCut(t_us, turn, outcome))\n",
        "        self._tell(ReplyCut(t_us, turn, outcome))\n        self._hooks.stop_playback(turn)\n",
        ("tests/reply/test_cut.py",),
    ),
    Mutant(
        "reply/pacing.py",
        "a slow chunk makes the queue deeper",
        "            self._start_us -= ahead_us\n",
        "            pass\n",
        (PACING,),
    ),
    Mutant(
        "reply/pause_gate.py",
        "the second halt forgets the first",
        "self.lost_us += t_us",
        "self.lost_us = t_us",
        (PACING,),
    ),
    Mutant("reply/pause_gate.py", "a halt leaves the filler", "        self.halts.on_next(None)\n", "", (FILLER,)),
    Mutant(
        "reply/piece_cutter.py",
        "one sample is none",
        "self._at >= BYTES_PER_SAMPLE",
        "self._at > BYTES_PER_SAMPLE",
        ("tests/reply/test_piece_cutter.py",),
    ),
    # ---------------------------------------------------------------- playback
    Mutant(
        "playback/speaker.py",
        "audio behind the end of its stream",
        "if reply is None or reply.outcome is not None:",
        "if reply is None:",
        (SPEAKER,),
    ),
    Mutant(
        "playback/speaker.py",
        "a halt over a filler is ignored",
        "if not reply.sounds or reply.held",
        "if not reply.started or reply.held",
        (FILLER,),
    ),
    Mutant(
        "playback/playout.py",
        "what was played is kept",
        "        self._queue.skip(self._next_sample(audio.t_us))\n        self._queue.push",
        "        self._queue.push",
        ("tests/playback/test_playout.py",),
    ),
    Mutant(
        "playback/sample_queue.py",
        "a piece plays before it came",
        "start = max(self.end, now)",
        "start = self.end",
        ("tests/playback/test_sample_queue.py",),
    ),
    Mutant(
        "playback/far_end.py",
        "a gap leaves the clock as it was",
        "        self._late_us.clear()\n",
        "        pass\n",
        ("tests/playback/test_far_end.py",),
    ),
    # ---------------------------------------------------------------- reactive, pipeline
    Mutant(
        "reactive/direct.py",
        "a shared source is never disposed",
        "                connection.disposable = Disposable()\n",
        "                pass\n",
        (DIRECT,),
    ),
    Mutant(
        "reactive/direct.py",
        "merged ends with the first source",
        "            if left == 0:\n",
        "            if left >= 0:\n",
        (DIRECT,),
    ),
    Mutant(
        "reactive/async_iterator.py",
        "what ignores its cancel is pulled on",
        "                    if tasks.cancelled:\n                        break\n",
        "",
        ("tests/reactive/test_async_iterator.py", "tests/reply/test_bad_orchestrators.py"),
    ),
    Mutant(
        "pipeline.py",
        "observers learn the effect before the cause",
        'listen("speaker", self._taps.on_next, self._speaker.on_next)',
        'listen("speaker", self._speaker.on_next, self._taps.on_next)',
        (PIPELINE,),
    ),
    Mutant(
        "pipeline.py",
        "a lost connection cuts what nobody heard",
        "        if self._speaker.playing:\n",
        "        if True:\n",
        (PIPELINE,),
    ),
    # ---------------------------------------------------------------- arrival
    Mutant("room/arrival_clock.py", "what is read late arrived then", "read_us - earlier_us", "read_us", (STALLS,)),
    Mutant(
        "room/arrival_clock.py", "the grid never moves up", "        elif paced:", "        elif False:", (ARRIVAL,)
    ),
    Mutant(
        "room/arrival_clock.py", "the grid moves up in a backlog", "        elif paced:", "        else:", (ARRIVAL,)
    ),
    Mutant(
        "pipeline.py", "the caller's audio goes back in time", "arrived_us > self._fed_us else", "True else", (STALLS,)
    ),
    Mutant(
        "playback/speaker.py",
        "a flush has the stamp of its cause",
        "        now_us = self._clock()\n        if self._note",
        "        now_us = cause_us\n        if self._note",
        (STALLS,),
    ),
    Mutant(
        "playback/speaker.py", "a flush is not recorded", "if self._note and now_us", "if False and now_us", (STALLS,)
    ),
    Mutant(
        "playback/speaker.py",
        "a reply goes on at the stamp of its cause",
        "now_us = self._acted_us(t_us)\n        self._playback.on_next(PlaybackResumed",
        "now_us = t_us\n        self._playback.on_next(PlaybackResumed",
        (STALLS,),
    ),
    Mutant(
        "replay/matched_replies.py",
        "what arrived before comes before",
        "came_us = max(came_us, given.value",
        "came_us = max(0, given.value",
        (STALLS,),
    ),
    # ---------------------------------------------------------------- metrics
    Mutant("metrics.py", "a turn that was cut is closed", 'turn.cut or "closed"', '"closed"', (METRICS,)),
    Mutant(
        "report/open_turns.py",
        "one turn fewer is open",
        "len(opened) > MAX_OPEN",
        "len(opened) >= MAX_OPEN",
        (METRICS,),
    ),
    Mutant(
        "report/open_turns.py",
        "the last of several times counts",
        "if self.times[i] is not None else replace",
        "if False else replace",
        (METRICS,),
    ),
    Mutant(
        "report/turn_line.py",
        "t4 must be in order",
        "if i in ORDERED else times[i]",
        "if True else times[i]",
        (METRICS,),
    ),
    Mutant(
        "report/turn_line.py", "no time at all is None", "or end_us < start_us", "or end_us <= start_us", (METRICS,)
    ),
)
