"""What other packages add: found, loaded when asked for, and named where it is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.speech import silence, vowel
from webapi.voice_node import operators, orchestrator, vad
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.cli.doctor.node import check_vad
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.orchestrator import load_orchestrator
from webapi.voice_node.plugins import LazyTable, Plugins

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "shout"
GROUP = "voice_node.operators"
BUILT_IN = {name: operators.TABLE[name] for name in ("reply", "resample", "turn_events", "vad", "window")}

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes a package that an importer finds: its name, its entry points, its one module."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(package: str, points: dict[str, str], module: str = "", group: str = GROUP) -> None:
        info = tmp_path / f"{package}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        (tmp_path / f"{package}.py").write_text(module)

    return make


def table(wrong: Callable[[str, Any], str] = operators.wrong) -> Plugins[Any]:
    """A table that has not looked yet."""
    return Plugins("operator", GROUP, BUILT_IN, wrong)


GOOD = """\
from webapi.voice_node.operators.kinds import AUDIO, operator
@operator(takes=AUDIO)
def {name}(*, db: float = 0.0):
    "Louder."
    return lambda source: source
"""


def test_a_package_adds_an_operator_and_nothing_else_changes(install: Install) -> None:
    install("plugin_good", {"plugged": "plugin_good:plugged"}, GOOD.format(name="plugged"))
    found = table()
    assert set(found) >= {*BUILT_IN, "plugged"}
    assert len(found) == len(list(found))
    assert "plugged" in found
    assert found["plugged"].summary == "Louder."
    assert found["plugged"] is found["plugged"]
    assert found.get("not_there") is None


def test_nothing_is_imported_before_it_is_asked_for(install: Install) -> None:
    install("plugin_broken", {"broken": "plugin_broken:broken"}, "raise RuntimeError('no such device')")
    found = table()
    assert found["vad"] is BUILT_IN["vad"]
    assert "broken" in list(found)
    assert "plugin_broken" not in sys.modules


BROKEN = {
    "raises": ("raise RuntimeError('no such device')", "RuntimeError: no such device"),
    "nothing there": ("", "AttributeError: module 'plugin_broken' has no attribute 'broken'"),
    "no operator": ("def broken(): ...", "it is no operator but of type function"),
    "another name": (
        GOOD.format(name="gain") + "broken = gain",
        "the function is named 'gain': the two names must be the same",
    ),
    "bad signature": (GOOD.format(name="broken").replace("db: float", "db: Flaot"), "NameError: name 'Flaot'"),
}


@pytest.mark.parametrize(("module", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_entry_point_is_told_with_package_name_and_reason(install: Install, module: str, reason: str) -> None:
    sys.modules.pop("plugin_broken", None)
    install("plugin_broken", {"broken": "plugin_broken:broken"}, module)
    with pytest.raises(UserError) as caught:
        table()["broken"]
    assert "operator 'broken' of the package plugin_broken 1.2 can't be used: " in str(caught.value)
    assert reason in str(caught.value)
    assert f"(entry point plugin_broken:broken in {GROUP})" in str(caught.value)


def test_two_of_one_name_are_told_and_what_is_built_in_is_not_replaced(install: Install) -> None:
    install("plugin_one", {"vad": "plugin_one:vad", "same": "plugin_one:same"})
    install("plugin_two", {"same": "plugin_two:same"})
    found = table()
    with pytest.raises(UserError, match=r"'vad': there are 2 .* of voice-node itself and .* plugin_one 1\.2"):
        found["vad"]
    with pytest.raises(UserError, match=r"'same': .* plugin_(one|two) 1\.2 and the package plugin_(one|two)"):
        found["same"]
    assert found["window"] is BUILT_IN["window"]


def test_the_tables_know_their_groups() -> None:
    assert "webrtc" in vad.BACKENDS
    assert "mock" in orchestrator.ORCHESTRATORS
    with pytest.raises(
        UserError, match=r"ORCHESTRATOR=mok: there is none .* Did you mean 'mock'\? There are: .*; or pack"
    ):
        load_orchestrator("mok", load_settings())


BROKEN_VADS = {
    "when it is imported": (
        "raise RuntimeError('no such device')",
        "of the package plugin_vad_1 1.2 can't be used: Runtime",
    ),
    "when it is made": (
        "def broken(rate, frame_ms):\n    raise SystemExit('no licence')",
        "no detector can be made for frames of 20 ms at 8000 Hz: SystemExit: no licence",
    ),
    "as it takes other arguments": (
        "def broken(rate): ...",
        "TypeError: broken() takes 1 positional argument but 2 were",
    ),
}


@pytest.mark.parametrize("number", range(len(BROKEN_VADS)), ids=BROKEN_VADS.keys())
def test_a_broken_vad_is_found_before_the_first_caller(
    install: Install, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    module, reason = list(BROKEN_VADS.values())[number]
    package = f"plugin_vad_{number + 1}"
    install(package, {f"broken{number}": f"{package}:broken"}, module, group=vad.ENTRY_POINTS)
    monkeypatch.setattr(vad, "BACKENDS", Plugins("VAD backend", vad.ENTRY_POINTS, vad.BUILT_IN))
    with pytest.raises(UserError, match=f"default.yaml:.*: vad: VAD backend 'broken{number}'") as caught:
        load_graph("default", load_settings(vad_backend=f"broken{number}"))
    assert reason in str(caught.value)
    result = check_vad(load_settings(vad_backend=f"broken{number}"))
    assert result.state == "fail"
    assert reason in result.found
    assert f"broken{number}" not in result.advice


def test_a_vad_of_another_package_is_made_once_before_the_first_caller(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = (
        "made = []\n"
        "class Loud:\n"
        "    def __init__(self, rate, frame_ms): made.append((rate, frame_ms))\n"
        "    def is_speech(self, frame): return True\n"
    )
    install("plugin_loud", {"plugged_loud": "plugin_loud:Loud"}, module, group=vad.ENTRY_POINTS)
    monkeypatch.setattr(vad, "BACKENDS", Plugins("VAD backend", vad.ENTRY_POINTS, vad.BUILT_IN))
    for _ in range(3):
        load_graph("default", load_settings(vad_backend="plugged_loud"))
    assert sys.modules["plugin_loud"].made == [(8000, 20)]


def test_the_example_package_installs_and_all_three_are_used(tmp_path: Path) -> None:
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", target]
    subprocess.run([*map(str, pip), str(EXAMPLE)], check=True, capture_output=True, timeout=120)
    write_wav(tmp_path / "quiet.wav", silence(0.5) + quieter(vowel(1.0)) + silence(2.5), 48_000)
    (tmp_path / "again.wav").write_bytes((tmp_path / "quiet.wav").read_bytes())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(target), str(ROOT)])}

    def node(*arguments: object) -> str:
        command = [sys.executable, "-m", "webapi.voice_node.main", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def turns(db: int) -> list[dict[str, Any]]:
        graph, out = tmp_path / f"{db}.yaml", tmp_path / f"out{db}"
        graph.write_text((EXAMPLE / "shout.yaml").read_text().replace("db: 12", f"db: {db}"))
        shown = node("replay", tmp_path / "quiet.wav", "--graph", graph, "--out", out)
        both = node("replay", tmp_path / "quiet.wav", tmp_path / "again.wav", "--graph", graph, "--jobs", 2)
        assert both == shown + shown.replace("quiet.wav", "again.wav")  # other processes have the plug-ins too
        return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]

    assert "gain" in json.loads(node("graphs", "schema"))["$defs"]["operator"]["anyOf"][1]["properties"]
    assert turns(0) == []  # too quiet for `loud`…
    (turn,) = turns(12)  # … but not after `gain`
    assert (turn["outcome"], turn["heard_ms"] > 1000) == ("completed", True)
    with wave.open(str(tmp_path / "out12" / "mix.wav")) as mix:
        both = np.frombuffer(mix.readframes(mix.getnframes()), "<i2").reshape(-1, 2)
    assert np.abs(both[:, 0].astype(int)).max() < 2000  # what the caller said,
    assert np.abs(both[:, 1].astype(int)).max() > 20_000  # and what `shout` made of it


def quieter(pcm: bytes) -> bytes:
    """A tenth of it."""
    return (np.frombuffer(pcm, "<i2") // 10).astype("<i2").tobytes()


def test_a_lazy_table_imports_what_is_asked_for_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lazy_one.py").write_text("class Thing: ...\n")
    (tmp_path / "lazy_two.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    table: LazyTable[Any] = LazyTable({"one": "lazy_one:Thing", "two": "lazy_two:Thing", "three": int})
    assert list(table) == ["one", "two", "three"]
    assert "two" in table
    assert "four" not in table
    assert "lazy_one" not in sys.modules
    assert table["one"].__name__ == "Thing"
    assert table["three"] is int


@pytest.mark.parametrize("place", ["json:Nothing", "no_such_package_of_ours:Thing"])
def test_what_a_lazy_table_cannot_import_is_told(place: str) -> None:
    table: LazyTable[Any] = LazyTable({"one": place})
    with pytest.raises(UserError, match=f"'one' can't be used: .*({place})"):
        table["one"]
