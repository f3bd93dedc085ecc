"""What the bot does when two people really talk at once: `stop`, `pause` and `duck`, beside what the people did.

    python -m bench.overlap FOLDER [--gains -18 0 18] [--rules stop pause duck] [--only NAME …] [--json FILE]

FOLDER has clips: NAME.wav of two channels (0 takes the caller's part, 1 holds the floor and takes the bot's), and
NAME.json beside it with `caller_onset_s` (when the caller begins), `floor_take` (true: the other yielded; false: it was
a backchannel, as "mm-hm", and the other went on) and `caller_segments_s` (a list of [start, end], each an event where
the clip is one of backchannels). The `corpus/real` of the project hotato has such clips, cut from the AMI corpus.

Each clip runs through the real graph in virtual time: the bot says channel 1, and hears channel 0 at each gain (dB).
Exit code 1 where a goal is missed: all as the people did, takes within 500 ms of the caller's onset, the bot soft
within 200 ms.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from webapi.voice_node.audio.wav import iter_wav, wav_info, write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.replay.wav_replay import replay

RULES = {
    "stop": "barge_in: stop",
    "pause": "barge_in: pause, cough_ms: 500",  # the graph `cough`
    "pause 300": "barge_in: pause, cough_ms: 300",
    "duck": "barge_in: duck",
}
GAINS_DB = (-18, 0, 18)
EARLY_S = 0.25  # an onset may have been labelled so late: what comes sooner is not about this event
AFTER_S = 1.0  # so long after its end a backchannel still counts
FALLS = ("playback_ducked", "playback_paused", "barge_in")
RISES = ("playback_restored", "playback_resumed", "playback_ended")
TAKE_MS, DUCK_MS = 500, 200  # goals
GRAPH = """
version: 1
streams:
  frames:
    from: caller
    through:
      - resample: {{rate: "${{AUDIO_TARGET_RATE}}"}}
      - window: {{ms: "${{AUDIO_FRAME_MS}}"}}
  turns:
    from: frames
    through:
      - vad: {{backend: "${{VAD_BACKEND}}"}}
      - turn_events: {{{rule}, greeting: {bot}}}
  voice:
    from: turns
    through:
      - reply: {{orchestrator: mock}}
      - resample: {{rate: 48000}}
outputs: {{speaker: voice, events: turns}}
"""


class Overlap(NamedTuple):
    """One time that the caller spoke while the other did."""

    clip: str
    start_s: float
    end_s: float
    take: bool  # the other yielded

    def about(self, t: float) -> bool:
        """Whether what happened at `t` is about this."""
        return self.start_s - EARLY_S <= t <= self.end_s + AFTER_S


class Outcome(NamedTuple):
    """What the bot did."""

    overlap: Overlap
    rule: str
    gain_db: float
    stop_ms: float | None  # from the onset to the barge-in; None: the bot went on
    soft_ms: float | None  # from the onset until the reply was soft or halted; None: it was not
    gone: bool  # the bot had been silenced before

    @property
    def right(self) -> bool:
        """Whether the bot did as the people did."""
        return not self.gone and (self.stop_ms is not None) == self.overlap.take


def overlaps(path: Path) -> list[Overlap]:
    """The labels of a clip. Raises UserError where they are not as they must be."""
    try:
        label = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        segments = [(float(start), float(end)) for start, end in label["caller_segments_s"]]
        if label["floor_take"]:
            return [Overlap(path.stem, float(label["caller_onset_s"]), max(end for _, end in segments), take=True)]
        return [Overlap(path.stem, start, end, take=False) for start, end in segments]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path.with_suffix('.json')}: not the labels of a clip: {error!r}") from None


def outcomes(path: Path, rule: str, gain_db: float, folder: Path) -> Iterator[Outcome]:
    """Run a clip through a graph with the rule. Files are made in `folder`."""
    both, rate = _channels(path)
    caller, bot = folder / f"{path.stem}-caller.wav", folder / f"{path.stem}-bot.wav"
    loud = np.clip(np.round(both[0] * 10 ** (gain_db / 20)), -32768, 32767)
    write_wav(caller, loud.astype("<i2").tobytes(), rate)
    write_wav(bot, both[1].astype("<i2").tobytes(), rate)
    settings = load_settings(mock_reply="beep")
    graph = read_graph(GRAPH.format(rule=RULES[rule], bot=bot), folder / "overlap.yaml", settings)
    events = replay(caller, graph, settings).events
    barges = [e["t"] for e in events if e["event"] == "barge_in" and e["turn_index"] == 0]
    gone_s = barges[0] if barges else float("inf")
    for each in overlaps(path):
        stop = next((t for t in barges if each.about(t)), None)
        soft = _soft_from(events, each)
        stop_ms, soft_ms = (None if t is None else round((t - each.start_s) * 1000) for t in (stop, soft))
        yield Outcome(each, rule, gain_db, stop_ms, soft_ms, gone_s < each.start_s - EARLY_S)


def _soft_from(events: Sequence[dict[str, Any]], overlap: Overlap) -> float | None:
    """From when on the bot is soft, halted or silent in an overlap: its start, where it is already. In seconds."""
    soft = False
    for event in events:
        if event["turn_index"] != 0 or event["event"] not in (*FALLS, *RISES):
            continue
        if soft and event["t"] > overlap.start_s:
            return overlap.start_s
        soft = event["event"] in FALLS
        if soft and overlap.start_s <= event["t"] <= overlap.end_s + AFTER_S:
            return float(event["t"])
    return None


def _channels(path: Path) -> tuple[Any, int]:
    """Both channels of a clip, and their rate in Hz."""
    pcm = [b"".join(iter_wav(path, channel)) for channel in (0, 1)]
    return np.array([np.frombuffer(one, "<i2") for one in pcm], np.float64), wav_info(path).rate


def table(found: Sequence[Outcome]) -> Table:
    """A line for each rule and gain."""
    out = Table(title="what the bot did", title_justify="left", show_edge=False, pad_edge=False)
    for head in (
        "rule",
        "gain",
        "as the people",
        "takes",
        "within 500 ms",
        "worst",
        "backchannels",
        "soft in 200 ms",
        "worst",
    ):
        out.add_column(head, justify="left" if head == "rule" else "right")
    for rule in dict.fromkeys(each.rule for each in found):
        for gain in dict.fromkeys(each.gain_db for each in found):
            some = [each for each in found if (each.rule, each.gain_db) == (rule, gain)]
            out.add_row(rule, f"{gain:+g} dB", *_cells(some))
    return out


def _cells(some: Sequence[Outcome]) -> Iterator[str]:
    takes = [each for each in some if each.overlap.take]
    backs = [each for each in some if not each.overlap.take]
    stops = [each.stop_ms for each in takes if each.right and each.stop_ms is not None]
    softs = [each.soft_ms for each in some if each.soft_ms is not None]
    yield f"{sum(each.right for each in some)}/{len(some)}"
    yield f"{sum(each.right for each in takes)}/{len(takes)}"
    yield f"{sum(ms <= TAKE_MS for ms in stops)}/{len(takes)}"
    yield f"{max(stops):.0f} ms" if stops else "–"
    yield f"{sum(each.right for each in backs)}/{len(backs)}"
    yield f"{sum(ms <= DUCK_MS for ms in softs)}/{len(some)}"
    yield f"{max(softs):.0f} ms" if softs else "–"


def missed(found: Sequence[Outcome]) -> list[str]:
    """What of `duck` misses a goal."""
    out = []
    for each in found:
        if each.rule != "duck":
            continue
        name = f"{each.overlap.clip} at {each.overlap.start_s:g} s, {each.gain_db:+g} dB"
        kind = "take" if each.overlap.take else "backchannel"
        if not each.right:
            out.append(
                f"{name}: a {kind}, and the bot {'had stopped before' if each.gone else 'did not do as the people'}"
            )
        elif each.overlap.take and each.stop_ms is not None and each.stop_ms > TAKE_MS:
            out.append(f"{name}: a take, stopped after {each.stop_ms:.0f} ms")
        if each.soft_ms is None or each.soft_ms > DUCK_MS:
            out.append(
                f"{name}: a {kind}, " + ("never soft" if each.soft_ms is None else f"soft after {each.soft_ms:.0f} ms")
            )
    return out


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gains", nargs="+", type=float, default=GAINS_DB, metavar="DB")
    parser.add_argument("--rules", nargs="+", choices=list(RULES), default=["stop", "pause", "duck"])
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    console = Console(width=130)
    clips = [path for path in sorted(given.folder.glob("*.wav")) if path.with_suffix(".json").exists()]
    clips = [path for path in clips if not given.only or path.stem in given.only]
    if not clips:
        console.print(f"[red]{given.folder} has no clips: NAME.wav with NAME.json beside it[/red]")
        return 2
    found: list[Outcome] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for rule in given.rules:
                for gain in given.gains:
                    for path in clips:
                        found += outcomes(path, rule, gain, Path(folder))
    except UserError as error:
        console.print(f"[red]{error}[/red]")
        return 2
    console.print(table(found))
    wrong = missed(found)
    for line in wrong:
        console.print(f"missed: {line}", highlight=False)
    if given.json:
        lines = [{**each._asdict(), "overlap": each.overlap._asdict(), "right": each.right} for each in found]
        given.json.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
