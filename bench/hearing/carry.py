"""Are utterances handed over whole? Callers who pause, and an orchestrator that thinks for a while.

    python -m bench.hearing.carry [--voices en es] [--seed 1] [--count 10] [--patience 1000]

An utterance here is two to four prompts of one language with pauses between them. It is handed over *in part* where the
caller's last word did not come with all the words before: no speech_ended that was not superseded has the audio from
its first sound to its last, to WITHIN_S. Where the caller goes on before any of the reply is heard, the node can, and
must, hand it over whole; where they go on later, they talk over the bot, and what they then say is another turn: that
depends on the orchestrator's time to think, and is told apart. The node's own reducer decides, over the detectors'
answers; the reply begins THINK_MS after the end of speech, and lasts REPLY_S.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.hearing.features import FRAME_S, listen
from bench.hearing.rules import FRAME_US, Flags, Probabilities
from bench.hearing.scenes import ROOM_DB, SPEECH_DB, Scene
from bench.hearing.voices import RATE_HZ, prompts
from bench.options import whole_number
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import PlaybackEnded, PlaybackStarted, Turn
from webapi.voice_node.hearing import turn_reducer
from webapi.voice_node.hearing.decisions import Ended, Interrupted
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.turn_state import TurnState
from webapi.voice_node.hearing.utterance import Utterance
from webapi.voice_node.replay.sweep.scoring import SpeechSpan

PAUSES_MS = ((200, 500), (500, 1000), (1000, 1500))
THINK_MS = (120, 300, 600, 1000, 1500)
UTTERANCES = 10  # in a scene
REPLY_S = 1.5
QUIET_S = 5.0  # after each utterance: for the longest thought and the reply
WITHIN_S = 0.2


class Handed(NamedTuple):
    """What the orchestrator got: seconds of its first and its last voiced frame, and when it was handed over."""

    first_s: float  # with the pre-roll
    last_s: float
    end_s: float
    superseded: bool  # the reply to it was dropped before any of it was heard


class Outcome(NamedTuple):
    """What came of a scene."""

    handed: list[Handed]
    over_s: list[float]  # when the caller talked over a reply that was heard


class Told(NamedTuple):
    """Of many utterances: how many, in how many of them the caller talked over the bot, and how many came in part."""

    utterances: int
    talked_over: int
    part: int  # of all
    part_unheard: int  # of those in which nothing of a reply was heard: what the node alone answers for
    superseded: int  # replies that were dropped before they were heard
    ends_ms: list[float]  # from an utterance's last sound to speech_ended


def scene(language: str, seed: int, number: int, pauses_ms: tuple[int, int]) -> Scene:
    """UTTERANCES of prompts with pauses, in a quiet room. The same bytes from the same arguments."""
    random = np.random.default_rng([seed, number, *pauses_ms])
    parts, spans, at = [np.zeros(2 * RATE_HZ)], [], 2 * RATE_HZ
    for _ in range(UTTERANCES):
        start = at
        for word in range(int(random.integers(2, 5))):
            if word:
                parts.append(np.zeros(round(random.uniform(*pauses_ms) * RATE_HZ / 1000)))
                at += len(parts[-1])
            prompt = prompts(language)[int(random.integers(len(prompts(language))))]
            parts.append(prompt.samples * 10 ** (SPEECH_DB / 20) / prompt.rms)
            at += len(parts[-1])
        spans.append(SpeechSpan(start / RATE_HZ, at / RATE_HZ))
        parts.append(np.zeros(round(QUIET_S * RATE_HZ)))
        at += len(parts[-1])
    talk = np.concatenate(parts)
    pcm = np.clip(talk + 10 ** (ROOM_DB / 20) * random.standard_normal(len(talk)), -1, 1)
    return Scene(f"pauses of {pauses_ms} ms", np.round(pcm * 32767).astype("<i2").tobytes(), tuple(spans))


def hand_over(flags: Flags, likely: Probabilities, think_ms: int, patience_ms: int = 0) -> Outcome:
    """What the node's reducer hands to an orchestrator that thinks for so long."""
    patience_frames = patience_ms * 1000 // FRAME_US
    rule = TurnRule(6, 10, preroll_frames=12, max_frames=6000, patience_frames=patience_frames)
    state, out, due = TurnState(), Outcome([], []), dict[int, Utterance | None]()
    think, plays = round(think_ms * 1000 / FRAME_US), round(REPLY_S / FRAME_S)
    playing: int | None = None
    for at, flag in enumerate(flags):
        speech = due.pop(at, None)
        if speech and state.reply and state.reply.to == speech:
            state = turn_reducer.playback(state, PlaybackStarted(0, Turn("", speech.turn)))
            playing = at + plays
        if playing == at and state.reply:
            state = turn_reducer.playback(state, PlaybackEnded(0, Turn("", state.reply.to.turn), 0, True))
        state, decisions = turn_reducer.frame(state, flag, at, (at + 1) * FRAME_US, rule, likely[at])
        for decision in decisions:
            if isinstance(decision, Ended):
                said = decision.utterance
                heard = said.first_frame * FRAME_S, said.last_voiced_us / 1e6, (at + 1) * FRAME_S
                out.handed.append(Handed(*heard, superseded=False))
                due[at + 1 + think] = said
            elif isinstance(decision, Interrupted) and decision.playing:
                out.over_s.append(at * FRAME_S)
            elif isinstance(decision, Interrupted):
                out.handed[-1] = out.handed[-1]._replace(superseded=True)
    return out


def judge(spans: Sequence[SpeechSpan], outcome: Outcome) -> Told:
    """Which utterances came whole."""
    over = part = part_unheard = 0
    ends_ms = []
    for span in spans:
        cut = any(span.start_s <= t <= span.end_s + WITHIN_S for t in outcome.over_s)
        whole = [
            h
            for h in outcome.handed
            if not h.superseded and h.first_s <= span.start_s + WITHIN_S and h.last_s >= span.end_s - WITHIN_S
        ]
        over, part, part_unheard = over + cut, part + (not whole), part_unheard + (not whole and not cut)
        ends_ms += [(h.end_s - span.end_s) * 1000 for h in whole[:1]]
    return Told(len(spans), over, part, part_unheard, sum(h.superseded for h in outcome.handed), ends_ms)


def main() -> int:
    """Measure and print. Exit code 1 where more than 1 % of those that the node answers for came in part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", nargs="+", default=["en", "es"], metavar="LANG")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=whole_number, default=10)
    parser.add_argument("--patience", type=int, default=1000)
    given = parser.parse_args()
    console = Console(width=150)
    shown = Table(title="utterances with pauses", title_justify="left", show_edge=False, pad_edge=False)
    heads = ("pauses ms", "patience ms", "thinks ms", "utterances", "superseded", "talked over the bot %")
    for head in (*heads, "in part %", "in part, nothing heard yet %", "end ms, median", "p95"):
        shown.add_column(head, justify="right")
    worst = 0.0
    try:
        for pauses_ms in PAUSES_MS:
            made = [scene(voice, given.seed, k, pauses_ms) for voice in given.voices for k in range(given.count)]
            heard = [(tuple(answers["voiced"]), tuple(answers["confirm"])) for answers in map(listen, made)]
            for patience_ms in (0, given.patience):
                for think_ms in THINK_MS:
                    each = [
                        judge(m.spans, hand_over(voiced, likely, think_ms, patience_ms))
                        for m, (voiced, likely) in zip(made, heard, strict=True)
                    ]
                    row = _row(each)
                    worst = max(worst, row[-3])
                    cells = ["{}–{}".format(*pauses_ms), str(patience_ms), str(think_ms)]
                    shown.add_row(*cells, *(f"{v:.1f}" if isinstance(v, float) else str(v) for v in row))
    except UserError as error:
        console.print(f"[red]{error}[/red]")
        return 2
    console.print(shown)
    return 1 if worst > 1 else 0


def _row(each: Sequence[Told]) -> list[float]:
    n, over = sum(t.utterances for t in each), sum(t.talked_over for t in each)
    ends = list(_flat(t.ends_ms for t in each)) or [float("nan")]
    part, unheard = sum(t.part for t in each), sum(t.part_unheard for t in each)
    shares = 100 * over / n, 100 * part / n, 100 * unheard / max(1, n - over)
    return [n, sum(t.superseded for t in each), *shares, *(float(np.percentile(ends, q)) for q in (50, 95))]


def _flat(lists: Iterator[list[float]]) -> Iterator[float]:
    for each in lists:
        yield from each


if __name__ == "__main__":
    sys.exit(main())
