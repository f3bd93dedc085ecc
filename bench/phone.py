"""Phone calls through livekit-sip: `python -m bench.phone`. The exit code is 1 where something is not as it must be.

A telephone of our own (`sip_phone.py`) and the node, with Redis, LiveKit and livekit-sip between them, all on this
machine. Three calls: the phone calls, speaks, presses keys, talks over the bot, and the bot hangs up; the phone calls
and hangs up; the bot's side calls a phone that rings for two seconds.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from loguru import logger
from rich.console import Console

from bench.phone_lines import TRUNK_NUMBER, PhoneLines, call_out, phone_lines
from bench.sip_phone import RATE_HZ, WAIT_S, Heard, Phone
from tests.e2e.node import Node
from tests.speech import vowel
from webapi.voice_node.audio_io import resample_48k_to_8k
from webapi.voice_node.errors import UserError
from webapi.voice_node.orchestrator import Call
from webapi.voice_node.orchestrator_mock import tone

ROOM, NUMBER = "phone", "+493012345678"
KEYS = "1234567890*#"
TONE_HZ, TONE_S = 440, 8.0
CHUNK = 320  # bytes: 20 ms
RINGS_S = 2.0
LOUD, QUIET = 500.0, 50.0  # RMS of int16


class PhoneBot:
    """Answers with a long tone. When the caller presses #, it ends that and hangs up."""

    last: PhoneBot

    def __init__(self) -> None:
        self.keys = ""
        self.reason = ""
        self.call: Call | None = None

    def on_call_started(self, call: Call) -> None:
        """Keep the call, and greet."""
        self.call = call
        PhoneBot.last = self
        call.say(tone(0.5, RATE_HZ, TONE_HZ * 2))

    def on_dtmf(self, digit: str) -> None:
        """Note the key."""
        self.keys += digit
        if digit == "#" and self.call is not None:
            self.call.hang_up("the caller pressed #")

    def on_call_ended(self, reason: str) -> None:
        """Keep the reason."""
        self.reason = reason

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        """A tone."""
        whole = tone(TONE_S, RATE_HZ, TONE_HZ)
        for at in range(0, len(whole), CHUNK):
            if "#" in self.keys:
                return
            yield whole[at : at + CHUNK]


class Checks:
    """What was looked at, and how it was."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.failed: list[str] = []

    def check(self, what: str, good: bool, seen: object) -> None:
        """Note and print one."""
        self._console.print(f"{'  ok  ' if good else 'FAILED'}  {what}: {seen}", highlight=False, markup=False)
        if not good:
            self.failed.append(what)


def rms(pcm: bytes) -> float:
    """The loudness of int16 samples."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.sqrt(np.mean(samples * samples))) if len(samples) else 0.0


def pitch_hz(heard: list[Heard]) -> float:
    """The strongest frequency of the last second."""
    samples = np.frombuffer(b"".join(each.pcm for each in heard[-50:]), "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * RATE_HZ / len(samples)


def speech(seconds: float) -> bytes:
    """A voice as a telephone has it: 8 kHz."""
    wide = np.frombuffer(vowel(seconds), "<i2").astype(np.float32) / 32768
    return resample_48k_to_8k(wide).tobytes()


async def until(look: Callable[[], object], what: str, within_s: float = WAIT_S) -> float:
    """Wait until `look` gives something true. Returns the seconds that it took; raises UserError where it does not."""
    began_s = time.monotonic()
    while not look():
        if time.monotonic() - began_s > within_s:
            raise UserError(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(0.01)
    return time.monotonic() - began_s


def heard_since(phone: Phone, since_s: float, look: Callable[[float], bool]) -> Heard | None:
    """The first 20 ms from then on whose loudness fits."""
    return next((each for each in list(phone.heard) if each.at_s >= since_s and look(rms(each.pcm))), None)


async def silence_after(phone: Phone, since_s: float) -> float:
    """When the phone became silent, for 0.3 s at least. The silence must come within WAIT_S."""

    def found() -> Heard | None:
        later = [each for each in list(phone.heard) if each.at_s >= since_s]
        for at, each in enumerate(later):
            following = later[at : at + 15]
            if len(following) == 15 and all(rms(one.pcm) < QUIET for one in following):
                return each
        return None

    await until(found, "silence of the bot at the phone")
    silent = found()
    assert silent is not None
    return silent.at_s


@contextmanager
def phone_of(number: str) -> Iterator[Phone]:
    """A telephone, closed at the end."""
    phone = Phone(number)
    try:
        yield phone
    finally:
        phone.close()


async def inbound(lines: PhoneLines, node: Node, checks: Checks) -> None:
    """The phone calls: voice both ways, keys, a barge-in, and the bot hangs up."""
    with phone_of(NUMBER) as phone:
        phone.dial(TRUNK_NUMBER, lines.sip_port)
        took_s = await until(lambda: phone.answered.is_set() or phone.ended.is_set(), "an answer to the call")
        checks.check("the call is answered", phone.answered.is_set(), phone.refused or f"after {took_s:.2f} s")
        answered_s = time.monotonic()
        await until(lambda: heard_since(phone, answered_s, lambda level: level > LOUD), "the greeting at the phone")
        greeted = heard_since(phone, answered_s, lambda level: level > LOUD)
        assert greeted is not None
        checks.check("the phone hears the greeting", True, f"{greeted.at_s - answered_s:.2f} s after the answer")
        _check_call(checks)
        await until(lambda: node.logged("playback_stopped"), "the end of the greeting")
        phone.say(speech(1.0))
        spoke_s = time.monotonic()
        await until(lambda: node.logged("speech_ended"), "an utterance of the phone")
        voiced = node.logged("speech_ended")[0]["voiced_ms"]
        checks.check("the bot hears the phone", 500 <= voiced <= 1500, f"{voiced} ms of voice, 1000 were said")
        await until(lambda: heard_since(phone, spoke_s + 1, lambda level: level > LOUD), "the reply at the phone")
        await asyncio.sleep(1.5)
        found = pitch_hz(phone.heard)
        checks.check("the phone hears the reply", abs(found - TONE_HZ) < 10, f"{found:.0f} Hz, {TONE_HZ} were played")
        before_ms = await _talk_over(phone, node, checks, 1)
        phone.press(KEYS[:-1])
        await until(lambda: len(PhoneBot.last.keys) >= len(KEYS) - 1, "the keys")
        level = rms(phone.heard[-1].pcm)
        checks.check("the keys arrive in order", PhoneBot.last.keys == KEYS[:-1], PhoneBot.last.keys)
        checks.check("the reply goes on under them", level > LOUD, f"RMS {level:.0f}")
        await asyncio.sleep(0.5)
        after_ms = await _talk_over(phone, node, checks, 2)
        checks.check("the way of the voice to the node", True, f"{before_ms:.0f} ms, {after_ms:.0f} ms after the keys")
        phone.press("#")
        took_s = await until(phone.ended.is_set, "the bot's hang-up at the phone")
        checks.check("the bot ends its reply at #, and the phone's call", took_s < TONE_S, f"after {took_s:.1f} s")
        await _ended(node, checks, "the bot hung up: the caller pressed #", 1)


async def _talk_over(phone: Phone, node: Node, checks: Checks, turn: int) -> float:
    """Talk over the reply of that turn, and wait for the next one. Returns how long the voice was on its way, in ms."""
    spoke_s = time.monotonic()
    phone.say(speech(0.8))
    stop_ms = (await silence_after(phone, spoke_s) - spoke_s) * 1000
    await until(lambda: len(node.lines) > turn, "the line of the turn")
    line = node.lines[turn]
    seen = (
        f"silent {stop_ms:.0f} ms after the phone's voice began, of which {line['barge_in_stop_ms']:.0f} ms the node's"
    )
    checks.check("it stops when it is talked over", line["outcome"] == "barged_in", seen)
    replies = turn + 2  # the greeting is one
    await until(lambda: len(node.logged("playback_started")) > replies - 1, "the next reply")
    first_s: float = node.logged("speech_started")[turn]["t_first_voiced"] + node.calls[0].since_us / 1e6
    return (first_s - spoke_s) * 1000


def _check_call(checks: Checks) -> None:
    call = PhoneBot.last.call
    assert call is not None
    seen = {"kind": call.kind, "number": call.number, "name": call.name, "identity": call.identity}
    checks.check("the call object", (call.kind, call.number) == ("sip", NUMBER), seen)
    checks.check("its attributes", call.attributes.get("sip.callStatus") == "active", dict(call.attributes))


async def _ended(node: Node, checks: Checks, reason: str, calls: int) -> None:
    took_s = await until(lambda: len(node.logged("call_ended")) >= calls, "the end of the call at the node")
    told = PhoneBot.last.reason
    checks.check("the orchestrator is told why", told == reason, f"{told!r}, {took_s:.2f} s later")


async def caller_hangs_up(lines: PhoneLines, node: Node, checks: Checks) -> None:
    """The phone calls, and hangs up while the bot talks."""
    with phone_of(NUMBER) as phone:
        phone.dial(TRUNK_NUMBER, lines.sip_port)
        await until(phone.answered.is_set, "an answer to the second call")
        began_s = time.monotonic()
        await until(lambda: heard_since(phone, began_s, lambda level: level > LOUD), "the greeting")
        phone.hang_up()
        await _ended(node, checks, "caller left", 2)


async def outbound(lines: PhoneLines, node: Node, checks: Checks) -> None:
    """The bot's side calls a phone: nobody is greeted before it is picked up."""
    with phone_of("+4940777") as phone:
        async with lines.api() as server:
            await call_out(server, ROOM, phone.number, phone.port)
            await until(phone.ringing.is_set, "the phone's ring")
            await asyncio.sleep(RINGS_S)
            ignored = [line["message"] for line in node.logged("ignored")]
            checks.check("while it rings, nobody is served", len(node.calls) == 2, ignored or "no track yet")
            picked_s = time.monotonic()
            phone.picks_up.set()
            await until(lambda: heard_since(phone, picked_s, lambda level: level > LOUD), "the greeting")
            greeted = heard_since(phone, picked_s, lambda level: level > LOUD)
            assert greeted is not None
            first_ms = (greeted.at_s - picked_s) * 1000
            checks.check("who picks up hears the greeting", len(node.calls) == 3, f"{first_ms:.0f} ms after")
            call = PhoneBot.last.call
            assert call is not None
            checks.check("the number is the callee's", call.number == phone.number, call.number)
            phone.hang_up()
            await _ended(node, checks, "caller left", 3)


async def run(folder: Path, console: Console) -> list[str]:
    """All calls. Returns what was not as it must be."""
    checks = Checks(console)
    logger.remove()  # the node's lines would stand between those of the checks; the checks look at them
    async with phone_lines(folder, ROOM) as lines:
        bot = f"{PhoneBot.__module__}:{PhoneBot.__name__}"
        async with Node(lines.url, ROOM, orchestrator=bot, echo_cancel="needed") as node:
            for scenario in (inbound, caller_hangs_up, outbound):
                console.print(f"[bold]{(scenario.__doc__ or '').splitlines()[0]}[/bold]")
                await scenario(lines, node, checks)
            heard = node.logged("subscribe")
            checks.check("echo is cancelled for phones", all(line["echo"] for line in heard), len(heard))
    return checks.failed


def main(out: Annotated[Path | None, typer.Option(help="keep the programs' logs in this folder")] = None) -> None:
    """Run the calls, and print what was seen."""
    console = Console()
    try:
        with tempfile.TemporaryDirectory() as folder:
            failed = asyncio.run(run(out or Path(folder), console))
    except UserError as error:
        console.print(str(error), highlight=False, markup=False)
        raise typer.Exit(2) from None
    if failed:
        console.print(f"not as it must be: {', '.join(failed)}", highlight=False)
        raise typer.Exit(1)


if __name__ == "__main__":
    from bench.phone import main as run_main  # the orchestrator's class must be the one that is imported by name

    typer.run(run_main)
