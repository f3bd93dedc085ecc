"""The hearing benchmark, with a voice of the tests' own in place of the installed ones."""

from __future__ import annotations

import inspect
import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from bench.hearing import features, noises, rooms, scenes, voices
from bench.hearing.__main__ import GOALS, judged, measure, table, write
from bench.hearing.features import Corpus, Features, corpus
from bench.hearing.picture import draw
from bench.hearing.rules import RULES
from bench.hearing.score import interval, tally, total
from tests.speech import chatter, silence
from webapi.voice_node.audio.wav import read_wav, write_wav
from webapi.voice_node.audio_io import resampler
from webapi.voice_node.errors import UserError
from webapi.voice_node.hearing import endpoint, onset
from webapi.voice_node.replay.sweep.labels import read_labels
from webapi.voice_node.replay.sweep.scoring import Heard, SpeechSpan

HEAR = {rule.name: rule.hear for rule in RULES}


@pytest.fixture
def spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of voices: two languages, in which the same two things are said."""
    monkeypatch.setattr(voices, "SOUNDS", tmp_path / "sounds")
    monkeypatch.setattr(features, "cache", lambda: tmp_path / "cache")
    for language in ("aa", "bb"):
        (tmp_path / "sounds" / language).mkdir(parents=True)
        for seconds in (1.2, 2.4):
            pcm = resampler(48_000, 8_000).push(silence(0.2) + chatter(seconds) + silence(0.3))
            write_wav(tmp_path / "sounds" / language / f"{seconds}.wav", pcm, 8_000)
    voices.prompts.cache_clear()
    return tmp_path


def heard(what: str, probabilities: str | None = None, spans: tuple[SpeechSpan, ...] = ()) -> Features:
    """A digit a frame: the flag, and the probability in tenths (that of the flag, where it is not given)."""
    flags = tuple(char == "1" for char in what)
    likely = tuple(int(char) / 10 for char in probabilities or what.replace("1", "9"))
    return Features("clean", spans, len(what) / 50, flags, likely, likely, flags, (0.0,) * len(what))


def test_what_was_heard_is_forgotten_with_every_module_that_hears() -> None:
    thresholds = {onset, endpoint}  # of these only constants are read
    imported = {
        of or name
        for module in set(features.HEARD_BY) - thresholds
        for of, names in re.findall(r"from webapi\.voice_node\.hearing\.?(\w*) import (.+)", inspect.getsource(module))
        for name in names.split(", ")
    }
    assert imported <= {module.__name__.rpartition(".")[2] for module in features.HEARD_BY}


# ---------------------------------------------------------------- the corpus


def test_without_the_voices_it_is_said_which_package_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "SOUNDS", tmp_path)
    with pytest.raises(UserError, match="apt-get install asterisk-core-sounds-xx-wav"):
        voices.prompts("xx")


@pytest.mark.usefixtures("spoken")
def test_prompts_are_cut_out_of_their_silence() -> None:
    short, long = voices.prompts("aa")
    assert len(short.samples) / voices.RATE_HZ == pytest.approx(1.2, abs=0.05)
    ((start_s, end_s),) = long.spans
    assert start_s == 0
    assert end_s == pytest.approx(2.4, abs=0.05)


@pytest.mark.usefixtures("spoken")
def test_a_scene_has_the_same_talk_in_every_condition_and_the_same_bytes_every_time() -> None:
    made = {name: scenes.scene(name, 0, 1, "aa", "bb") for name in ("clean", "white 10 dB", "coughs")}
    assert made["clean"].spans == made["white 10 dB"].spans != made["coughs"].spans == ()
    assert scenes.scene("white 10 dB", 0, 1, "aa", "bb") == made["white 10 dB"]
    assert scenes.scene("white 10 dB", 0, 2, "aa", "bb").pcm != made["white 10 dB"].pcm
    assert {scene.length_s for scene in made.values()} == {60.0}


@pytest.mark.usefixtures("spoken")
def test_the_noise_is_as_loud_as_its_name_says() -> None:
    noisy, clean = (
        np.frombuffer(scenes.scene(name, 0, 1, "aa", "bb").pcm, "<i2").astype(float) for name in ("pink 10 dB", "clean")
    )
    spans = scenes.scene("clean", 0, 1, "aa", "bb").spans
    speech = np.concatenate([clean[round(s.start_s * 8000) : round(s.end_s * 8000)] for s in spans])
    snr = 10 * np.log10((speech**2).mean() / ((noisy - clean) ** 2).mean())
    assert snr == pytest.approx(10, abs=1.5)  # the speech's own level leaves its pauses out


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("name", [*noises.NOISES, *rooms.ROOMS])
def test_every_noise_has_the_same_power(name: str) -> None:
    made = {**noises.NOISES, **rooms.ROOMS}[name](16_000, np.random.default_rng(1), "bb")
    assert len(made) == 16_000
    assert (made**2).mean() == pytest.approx(1)


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("name", [*rooms.CALLERS, scenes.BREATHLESS])
def test_every_caller_says_something_when_the_labels_say_so(name: str) -> None:
    made = scenes.scene(name, 0, 1, "aa", "bb")
    pcm = np.frombuffer(made.pcm, "<i2").astype(float)
    spoken, quiet = (np.concatenate(parts) for parts in _cut(pcm - np.median(pcm), made.spans))
    assert len(pcm) == 60 * voices.RATE_HZ
    assert np.abs(spoken).mean() > 1.5 * np.abs(quiet).mean()


def _cut(pcm: voices.Samples, spans: tuple[SpeechSpan, ...]) -> tuple[list[voices.Samples], list[voices.Samples]]:
    at = [0, *(round(s * voices.RATE_HZ) for span in spans for s in span), len(pcm)]
    parts = [pcm[a:b] for a, b in itertools.pairwise(at)]
    return parts[1::2], parts[::2]


# ---------------------------------------------------------------- the rules


def test_each_rule_starts_and_ends_as_its_numbers_say() -> None:
    talk = heard("0" * 32 + "1" * 64 + "0" * 64)
    found = {name: [(round(h.start_s, 2), round(h.end_s, 2)) for h in hear(talk)] for name, hear in HEAR.items()}
    first_s, last_s = 0.64, 1.92
    assert found["webrtc"] == [(first_s + 0.12, last_s + 0.2)]
    assert found["silero"] == found["confirm"] == [(first_s + 0.08, last_s + 0.2)]
    assert found["confirm, barge-in"] == [(first_s + 0.12, last_s + 0.2)]
    ((start_s, end_s),) = found["livekit-agents VAD"]  # in windows of 32 ms
    assert start_s == pytest.approx(first_s + 0.06, abs=0.04)
    assert end_s == pytest.approx(last_s + 0.29, abs=0.05)
    ((start_s, _),) = found["livekit-agents interruption"]
    assert start_s == pytest.approx(first_s + 0.51, abs=0.05)
    ((start_s, end_s),) = found["pipecat VAD"]
    assert start_s == pytest.approx(first_s + 0.19, abs=0.04)
    assert end_s == pytest.approx(last_s + 0.19, abs=0.04)


def test_over_a_reply_less_is_a_start() -> None:
    unsure = heard("1" * 50 + "0" * 50, "8" * 50 + "0" * 50)
    assert len(HEAR["confirm"](unsure)) == 1
    assert HEAR["confirm, barge-in"](unsure) == []


def test_a_tally_counts_found_stuck_false_and_split() -> None:
    f = heard("0" * 500, spans=(SpeechSpan(2.0, 3.0), SpeechSpan(5.0, 7.0)))
    told = tally(
        f,
        [Heard(0.5, 0.4, 0.9), Heard(2.1, 2.0, 2.5), Heard(2.7, 2.6, 3.2), Heard(4.0, 3.9, 6.0), Heard(6.4, 6.3, 7.3)],
    )
    assert (told.labels, told.found, told.false, told.stuck, told.splits) == (2, 1, 2, 1, 1)
    assert told.values["delay"] == pytest.approx(100)
    assert told.values["false"] == pytest.approx(2 / (7 / 60))
    both = total([told, told])
    assert both.values == told.values
    assert interval([told] * 5, lambda t: t.values["found"]) == (50, 50)


# ---------------------------------------------------------------- the whole


@pytest.mark.usefixtures("spoken")
def test_a_corpus_is_heard_once_and_the_talker_found() -> None:
    made = corpus([Corpus("aa", "bb", 1, 1)], ["clean", "clicks"], 1)
    assert [f.condition for f in made] == ["clean", "clicks"]
    assert len(made[0].flags) == len(made[0].silero) == len(made[0].confirm) == 3000
    assert corpus([Corpus("aa", "bb", 1, 1)], ["clean", "clicks"], 1) == made  # from the cache
    told = [tally(f, HEAR["confirm"](f)) for f in made]
    assert told[0].values["found"] > 90
    assert told[1].false == 0


@pytest.mark.parametrize(("hearing", "missed"), [("1", 0), ("0", 9)])
def test_goals_are_judged_and_the_picture_is_the_same_every_time(hearing: str, missed: int, tmp_path: Path) -> None:
    talk = heard("0" * 50 + hearing * 100 + "0" * 50, spans=(SpeechSpan(1.0, 3.0),))
    noise = heard("0" * 200)
    names = scenes.conditions()
    tallies = measure([(noise if name in noises.BANGS else talk)._replace(condition=name) for name in names])
    verdict, found = judged(tallies)
    assert (verdict.row_count, found) == (len(GOALS), missed)
    assert table("10 dB", tallies).row_count == len(RULES)
    draw(tallies, tmp_path / "a.svg")
    draw(tallies, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.usefixtures("spoken")
def test_the_corpus_can_be_written_for_a_sweep(tmp_path: Path) -> None:
    write([Corpus("aa", "bb", 1, 1)], ["clean", "slams"], tmp_path / "out")
    made = scenes.scene("clean", 0, 1, "aa", "bb")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("aa-clean-00.txt", "aa-clean-00.wav", "aa-slams-00.txt", "aa-slams-00.wav"),
    ]
    assert read_wav(tmp_path / "out" / "aa-clean-00.wav") == (made.pcm, 8000)
    labels = read_labels(tmp_path / "out" / "aa-clean-00.txt", 60.0)
    assert [label.span.start_s for label in labels] == [pytest.approx(span.start_s, abs=0.001) for span in made.spans]
