"""The bot's own voice comes back from a loudspeaker: it must not interrupt the bot, and the caller still must."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.echo_room import Room, call
from tests.operators.build import info
from tests.speech import chatter, silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import load_settings, public
from webapi.voice_node.events import BOT, AudioChunk, AudioGap, Event, PlaybackEnded, ReplyAudio, Turn, record
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.operators.cancel_echo import cancel_echo
from webapi.voice_node.operators.kinds import Kind
from webapi.voice_node.operators.resample import resample
from webapi.voice_node.operators.window import window
from webapi.voice_node.playback.far_end import PIECE_BYTES
from webapi.voice_node.recording.call_recorder import CallRecorder

CHUNK = 960  # bytes of 10 ms at 48 kHz
ASK = silence(0.3) + vowel(0.6)
REPLY = (vowel(0.4) + silence(0.2)) * 10
REPLY_S = 6.0


def talk(
    said: bytes,
    room: Room,
    folder: Path,
    *,
    echo: bool = True,
    record_to: Path | None = None,
    replied: bytes = REPLY,
    **settings: Any,
) -> list[Event]:
    """A call from such a room; what happened. The bot answers with a voice, for six seconds unless `replied` is it."""
    reply = folder / "reply.wav"
    write_wav(reply, replied, 48_000)
    made = load_settings(None, vad_backend="webrtc", mock_reply=str(reply), **settings)
    graph = load_graph("default", made)
    recorder = None
    if record_to:
        header: dict[str, Any] = {"session_id": "s", "room": "r", "graph": "default", "origin_us": 0}
        header["settings"] = public(made)
        recorder = CallRecorder(record_to, header, graph.path.read_text(), pytest.fail)
    events = call(said, room, graph, made, echo=echo, recorder=recorder, fail=lambda error: pytest.fail(str(error)))
    if recorder:
        recorder.close()
    return events


def barge_ins(events: list[Event]) -> list[float]:
    return [event.t_us / 1e6 for event in events if event.name == "barge_in"]


LOUD = -10.0  # dB


def test_without_it_the_bot_interrupts_itself(tmp_path: Path) -> None:
    """Else the tests below would show nothing."""
    said = ASK + silence(6.0)
    assert barge_ins(talk(said, Room(120, LOUD), tmp_path, echo_cancel="never"))
    assert barge_ins(talk(said, Room(120, LOUD), tmp_path, echo=False))  # the client says that it cancels


@pytest.mark.parametrize("late_ms", [60, 120, 250])
@pytest.mark.parametrize("gain_db", [-10, -20])
def test_the_bot_does_not_interrupt_itself(tmp_path: Path, late_ms: int, gain_db: int) -> None:
    events = talk(ASK + silence(7.5), Room(late_ms, gain_db), tmp_path)
    assert barge_ins(events) == []
    (ended,) = (event for event in events if isinstance(event, PlaybackEnded))
    assert (ended.heard_ms, ended.completed) == (REPLY_S * 1000, True)


def test_the_caller_still_does(tmp_path: Path) -> None:
    said = ASK + silence(4.0) + vowel(1.0) + silence(1.0)
    (at,) = barge_ins(talk(said, Room(120, LOUD), tmp_path))
    spoke = 0.9 + 4.0
    assert spoke < at < spoke + 0.3


@pytest.mark.parametrize("after_s", [0.1, 0.3, 1.0, 4.0])
def test_a_caller_without_a_loudspeaker_is_heard_at_once(tmp_path: Path, after_s: float) -> None:
    """Where there is no echo, a canceller holds down whoever talks over the bot: so it is not believed then."""
    begins = next(e.t_us for e in talk(ASK + silence(1.0), Room(120, -300), tmp_path) if e.name == "playback_started")
    said = ASK + silence(begins / 1e6 + after_s - 0.9) + chatter(1.0) + silence(1.0)  # another voice than the bot's
    (at,) = barge_ins(talk(said, Room(120, -300), tmp_path))
    assert at - begins / 1e6 - after_s < 0.3


def test_a_recorded_call_decides_the_same_again(tmp_path: Path) -> None:
    from webapi.voice_node.replay.call_replay import replay_call

    said = ASK + silence(2.0) + vowel(1.0) + silence(3.0)
    events = talk(said, Room(120, LOUD), tmp_path, record_to=tmp_path / "call")
    assert replay_call(tmp_path / "call").events == [record(event, 0) for event in events]


FIRST_WORDS = chatter(2.0)
BACKWARDS = np.frombuffer(FIRST_WORDS, "<i2")[::-1]  # another voice of the same sound
BEGINS_S = 1.32  # when the reply begins


def first_words(room: Room, folder: Path, caller: bytes = b"", **more: Any) -> list[float]:
    """When the bot is interrupted, in seconds after its first words began."""
    events = talk(ASK + silence(BEGINS_S - 0.9) + caller + silence(2.6), room, folder, replied=FIRST_WORDS, **more)
    begins, *_ = (event.t_us / 1e6 for event in events if event.name == "playback_started")
    assert not caller or begins == pytest.approx(BEGINS_S)
    return [at - begins for at in barge_ins(events)]


@pytest.mark.parametrize("db", [-6, 0])
@pytest.mark.parametrize("late_ms", [20, 120, 300, 500])
def test_the_first_words_that_come_back_do_not_interrupt(tmp_path: Path, late_ms: int, db: int) -> None:
    assert first_words(Room(late_ms, db, ring_ms=40), tmp_path) == []
    assert first_words(Room(late_ms, db, ring_ms=40), tmp_path, echo_cancel="never")


@pytest.mark.parametrize("late_ms", [20, 120, 300])
def test_a_caller_over_the_first_words_that_come_back_does(tmp_path: Path, late_ms: int) -> None:
    caller = silence(0.5) + BACKWARDS.tobytes()
    at, *_ = first_words(Room(late_ms, -6, ring_ms=40), tmp_path, caller)
    assert 0.5 < at < 1.0


@pytest.mark.parametrize("loud", [1.0, 0.25, 0.1])
@pytest.mark.parametrize("after_s", [0.1, 0.4])
def test_a_soft_caller_without_a_loudspeaker_interrupts_the_first_words(
    tmp_path: Path, after_s: float, loud: float
) -> None:
    caller = silence(after_s) + (BACKWARDS * loud).astype("<i2").tobytes()
    at, *_ = first_words(Room(120, -300), tmp_path, caller)
    assert after_s < at < after_s + 0.5


@pytest.mark.parametrize("db", [-35, -40])
def test_a_weak_and_late_echo_interrupts_nothing(tmp_path: Path, db: int) -> None:
    assert first_words(Room(300, db, ring_ms=40), tmp_path) == []


def test_who_was_found_over_the_first_words_is_found_again_in_a_replay(tmp_path: Path) -> None:
    from webapi.voice_node.replay.call_replay import replay_call

    said = ASK + silence(0.8) + BACKWARDS.tobytes() + silence(1.0)
    events = talk(said, Room(120, -6, ring_ms=40), tmp_path, replied=FIRST_WORDS, record_to=tmp_path / "call")
    assert barge_ins(events)
    assert replay_call(tmp_path / "call").events == [record(event, 0) for event in events]


# ---------------------------------------------------------------- the operator alone

TURN = Turn("t", 0)


def through(script: Callable[[Any, Any], None], when: str = "needed") -> list[Any]:
    """What comes out for what the script puts into the two streams."""
    from reactivex import Subject

    caller: Subject[Any] = Subject()
    played: Subject[Any] = Subject()
    out: list[Any] = []
    cancel_echo(when=when, played=played)(caller).subscribe(out.append, pytest.fail)  # type: ignore[arg-type]
    script(caller, played)
    return out


def piece(index: int, echo: bool = True) -> AudioChunk:
    return AudioChunk((index + 1) * 10_000, vowel(0.5)[index * CHUNK : (index + 1) * CHUNK], 48_000, echo)


def test_an_endless_reply_to_a_caller_who_is_muted_fills_no_memory() -> None:
    def script(caller: Any, played: Any) -> None:
        caller.on_next(piece(0))
        caller.on_next(AudioGap(10_000, "muted"))
        tracemalloc.start()
        try:
            for index in range(60 * 50):
                played.on_next(ReplyAudio(index * 20_000, TURN, bytes(2 * CHUNK), 48_000))
            assert tracemalloc.get_traced_memory()[0] < 2_000_000  # of 5.8 MB
        finally:
            tracemalloc.stop()

    through(script)


def test_audio_from_before_the_client_cancelled_by_itself_does_not_come_after_it() -> None:
    def script(caller: Any, played: Any) -> None:
        caller.on_next(piece(0))
        played.on_next(ReplyAudio(10_000, TURN, bytes(2 * CHUNK), 48_000))
        for t_us, echo in ((15_000, True), (20_000, False), (25_000, True), (30_000, True)):
            caller.on_next(AudioChunk(t_us, bytes(CHUNK // 2), 48_000, echo))

    assert [(value.t_us, len(value.pcm)) for value in through(script)] == [
        (10_000, CHUNK),
        (20_000, CHUNK // 2),  # as it came
        (30_000, CHUNK),  # of the two chunks after that
    ]


def test_until_the_bot_has_spoken_audio_passes_as_it_came() -> None:
    given = [piece(i) for i in range(20)] + [AudioGap(200_000, "muted")]

    def script(caller: Any, _: Any) -> None:
        for each in given:
            caller.on_next(each)

    assert through(script) == given


def test_a_client_that_cancels_is_left_alone() -> None:
    given = [piece(i, echo=False) for i in range(20)]

    def script(caller: Any, played: Any) -> None:
        for each in given:
            caller.on_next(each)
            played.on_next(ReplyAudio(each.t_us, TURN, each.pcm, 48_000))

    assert through(script) == given
    assert through(script, "always") != given


@pytest.mark.parametrize("gap_ms", [200, 2000])
def test_after_a_gap_what_was_played_is_in_step_at_once(gap_ms: int, monkeypatch: pytest.MonkeyPatch) -> None:
    far_end: list[int] = []

    class Notes:
        def process(self, heard: bytes, played: bytes) -> bytes:
            far_end.append(int(np.frombuffer(played, "<i2")[-1]))
            return heard

    def script(caller: Any, played: Any) -> None:
        caller.on_next(AudioChunk(0, b"", 48_000, True))
        numbers = np.repeat(np.arange(1, 1001, dtype="<i2"), 480).tobytes()
        played.on_next(ReplyAudio(0, TURN, numbers, 48_000))
        begins = 150 + gap_ms // 10
        for at in [*range(1, 151), *range(begins + 1, begins + 21)]:
            if at == begins + 1:
                caller.on_next(AudioGap(150 * 10_000, "muted"))
            caller.on_next(AudioChunk(at * 10_000, bytes(CHUNK), 48_000, True))
        assert far_end == [*range(1, 151), *range(begins + 1, begins + 21)]

    monkeypatch.setattr("webapi.voice_node.hearing.echo_canceller.EchoCanceller", Notes)
    through(script)


def test_how_much_of_the_echo_may_be_left_reaches_the_frames() -> None:
    from reactivex import Subject

    caller: Subject[Any] = Subject()
    played: Subject[Any] = Subject()
    out: list[Any] = []
    frames = cancel_echo(when="needed", played=played)(caller)
    window(ms=20)(resample(rate=8000, info=info(Kind("audio", 8000)))(frames)).subscribe(out.append)
    for index in range(60):
        if index == 20:
            played.on_next(ReplyAudio(200_000, TURN, vowel(0.5), 48_000))
        weaker = (np.frombuffer(piece(index % 30).pcm, "<i2") // 4).tobytes()
        heard = weaker if index >= 45 else bytes(CHUNK)
        caller.on_next(AudioChunk((index + 1) * 10_000, heard, 48_000, True))
    left = [frame.echo_left for frame in out]
    assert left[:9] == [None] * 9  # the bot has not spoken
    assert 0.5 < left[20] < left[15] < 1
    assert left[-1] == BOT  # what comes back is what it says


def test_the_same_bits_however_the_audio_is_cut(tmp_path: Path) -> None:
    def script(size: int) -> Callable[[Any, Any], None]:
        def run(caller: Any, played: Any) -> None:
            caller.on_next(AudioChunk(0, b"", 48_000, True))
            played.on_next(ReplyAudio(0, TURN, vowel(0.5), 48_000))
            pcm = vowel(0.3)
            for at in range(0, len(pcm), size * CHUNK):
                caller.on_next(AudioChunk((at // CHUNK + size) * 10_000, pcm[at : at + size * CHUNK], 48_000, True))

        return run

    cut = [b"".join(chunk.pcm for chunk in through(script(size))) for size in (1, 2, 10)]
    assert PIECE_BYTES == CHUNK
    assert len(cut[0]) == len(vowel(0.3))
    assert cut[0] == cut[1] == cut[2]


def test_chunks_that_come_unevenly_keep_step() -> None:
    """A chunk is up to 30 ms late now and then: what was played stays in step with the samples, not the arrivals."""

    def script(late_us: list[int]) -> Callable[[Any, Any], None]:
        def run(caller: Any, played: Any) -> None:
            caller.on_next(AudioChunk(0, b"", 48_000, True))
            played.on_next(ReplyAudio(0, TURN, vowel(0.5), 48_000))
            for index, late in enumerate(late_us):
                even = piece(index)
                caller.on_next(AudioChunk(even.t_us + late, even.pcm, 48_000, True))

        return run

    even = [0] * 45
    uneven = [0, *(30_000 * (index % 7 == 3) for index in range(44))]
    assert [chunk.pcm for chunk in through(script(uneven))] == [chunk.pcm for chunk in through(script(even))]


def test_the_canceller_rests_while_it_is_plain_that_there_is_no_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where there is one again, it is given the last two seconds that it was spared, a few at a time."""
    processed: list[tuple[int, int]] = []
    at_a_time: list[int] = []

    class Notes:
        def process(self, heard: bytes, played: bytes) -> bytes:
            processed.append((numbered(heard), numbered(played)))
            return heard

    def numbered(pcm: bytes) -> int:
        return abs(int(np.frombuffer(pcm, "<i2")[0]))

    def sound(loud: bool, number: int) -> bytes:
        """10 ms whose first sample is the piece's number: loud, or as quiet as a room."""
        samples = np.full(480, 3000 if loud else 12, "<i2")
        samples[0] = number
        return samples.tobytes()

    speaks = [*[True] * 400, *[False] * 100, *[True] * 50]  # the bot, of each piece of 10 ms
    echoes = [*[False] * 300, *[True] * 100, *[False] * 150]  # its echo comes only after 3 s: no loudspeaker before

    def script(caller: Any, played: Any) -> None:
        caller.on_next(AudioChunk(0, b"", 48_000, True))
        played.on_next(ReplyAudio(0, TURN, b"".join(sound(loud, n) for n, loud in enumerate(speaks)), 48_000))
        for n, loud in enumerate(echoes):
            before = len(processed)
            caller.on_next(AudioChunk((n + 1) * 10_000, sound(loud, n), 48_000, True))
            at_a_time.append(len(processed) - before)

    monkeypatch.setattr("webapi.voice_node.hearing.echo_canceller.EchoCanceller", Notes)
    out = through(script)
    numbers = [heard for heard, _ in processed]
    rests = next(n for n, (a, b) in enumerate(pairwise(numbers)) if b != a + 1)
    assert numbers[: rests + 1] == [*range(rests + 1)]
    assert 50 < rests < 70  # 0.6 s of the bot's first words
    sees = 300 + 28  # 0.3 s later most of what was heard lately is what was played
    assert numbers[rests + 1 :] == [*range(sees - 198, 550)]
    assert max(at_a_time) == 16
    assert at_a_time[-1] == 1  # it has caught up
    assert all(heard == played for heard, played in processed)  # in step
    assert b"".join(chunk.pcm for chunk in out[1:]) == b"".join(sound(loud, n) for n, loud in enumerate(echoes))


# ---------------------------------------------------------------- the bot's first words


def left_of(said: bytes, played: bytes, size: int = 1) -> list[Any]:
    """What comes out, in chunks of `size` times 10 ms, where the bot speaks from the first sample on."""

    def script(caller: Any, speaker: Any) -> None:
        caller.on_next(AudioChunk(0, b"", 48_000, True))
        speaker.on_next(ReplyAudio(0, TURN, played, 48_000))
        for at in range(0, len(said), size * CHUNK):
            caller.on_next(AudioChunk((at // CHUNK + size) * 10_000, said[at : at + size * CHUNK], 48_000, True))

    return through(script)[1:]


def comes_back(played: bytes, room: Room, said: bytes | None = None) -> bytes:
    """What a microphone takes up in that room."""
    said = said or bytes(len(played))
    cuts = range(0, len(played), CHUNK)
    return b"".join(room.mixed(said[at : at + CHUNK], played[at : at + CHUNK]) for at in cuts)


@pytest.mark.parametrize("db", [0, -6, -20, -35])
@pytest.mark.parametrize("late_ms", [20, 120, 300, 500])
def test_the_first_words_that_come_back_are_known_for_the_bots(late_ms: int, db: int) -> None:
    bot = chatter(1.5)
    out = left_of(comes_back(bot, Room(late_ms, db, ring_ms=40)), bot)
    heard = out[late_ms // 10 + 15 :]
    assert [chunk.echo_left for chunk in heard if chunk.echo_left is None or chunk.echo_left <= 1] == []


@pytest.mark.parametrize("loud", [1.0, 0.1])
def test_a_caller_without_a_loudspeaker_is_passed_on_as_they_are(loud: float) -> None:
    bot, caller = chatter(1.5), np.frombuffer(chatter(3.0), "<i2")[::-1][:72_000] * loud
    said = comes_back(bot, Room(0, -300), caller.astype("<i2").tobytes())
    out = left_of(said, bot)
    assert [chunk.echo_left for chunk in out[25:60]] == [None] * 35
    assert b"".join(chunk.pcm for chunk in out[25:60]) == said[25 * CHUNK : 60 * CHUNK]


def test_what_frames_are_told_does_not_depend_on_the_length_of_chunks() -> None:
    bot = chatter(1.5)
    said = comes_back(bot, Room(120, -6, ring_ms=40), silence(0.8) + vowel(0.7))
    told = []
    for size in (1, 2, 10):
        chunks = left_of(said, bot, size)
        pieces = [(chunk, at) for chunk in chunks for at in range(0, len(chunk.pcm), CHUNK)]
        told.append([(chunk.echo_left, chunk.pcm[at : at + CHUNK]) for chunk, at in pieces])
    assert len(told[0]) == 150
    assert told[0] == told[1] == told[2]
