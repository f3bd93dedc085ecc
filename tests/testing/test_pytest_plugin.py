"""The fixture `assert_marbles` and the function of that name, as a team uses them in a project of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.speech import silence, vowel
from tests.stage import play
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.replay.marbles import render
from webapi.voice_node.replay.wav_replay import replay
from webapi.voice_node.testing import assert_marbles

ROOT = Path(__file__).parents[2]
TALK = silence(0.3) + vowel(0.6) + silence(2.0)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    write_wav(path, TALK, 48_000)
    return path


def marbles(path: Path, **settings: object) -> str:
    """What the default graph makes of it."""
    made = pinned_settings(**settings)
    return render(replay(path, load_graph("default", made), made))


# ---------------------------------------------------------------- the function


def test_what_is_as_expected_passes(talk: Path, tmp_path: Path) -> None:
    text = marbles(talk, mock_reply="tone:1")
    (tmp_path / "talk.txt").write_text(text, encoding="utf-8")
    graph = load_graph("default", pinned_settings())
    assert_marbles("default", talk, tmp_path / "talk.txt", mock_reply="tone:1")
    assert_marbles(graph, str(talk), str(tmp_path / "talk.txt"), mock_reply="tone:1")
    assert_marbles(ROOT / "graphs" / "default.yaml", talk, text, mock_reply="tone:1")
    indented = "".join(f"        {line}\n" for line in text.splitlines())
    assert_marbles("default", talk, f"\n{indented}    ", mock_reply="tone:1")


def test_what_is_not_fails_with_both_pictures(talk: Path, tmp_path: Path) -> None:
    heard = marbles(talk, mock_reply="tone:1", vad_backend="webrtc")
    (tmp_path / "talk.txt").write_text(heard, encoding="utf-8")
    with pytest.raises(AssertionError) as failed:
        assert_marbles("default", talk, tmp_path / "talk.txt", mock_reply="tone:0.5", vad_backend="webrtc")
    said = str(failed.value).splitlines()
    assert said[0].endswith("talk.wav through the graph default: not as " + str(tmp_path / "talk.txt") + " says")
    assert said[1] == "- expected, + got; the first difference is at 1.9 s"
    assert [line[:6] for line in said if "bot " in line] == ["- bot ", "+ bot "]
    assert "update=True" in said[-1]
    with pytest.raises(AssertionError, match="not as the test says"):
        assert_marbles("default", talk, "some\ntext\n")


def test_update_writes_and_a_missing_file_says_what_writes_it(talk: Path, tmp_path: Path) -> None:
    expected = tmp_path / "new" / "talk.txt"
    with pytest.raises(AssertionError, match=r"there is no .*talk\.txt yet\n.*update=True\), once, writes it"):
        assert_marbles("default", talk, expected)
    assert_marbles("default", talk, expected, update=True)
    assert expected.read_text(encoding="utf-8") == marbles(talk)
    assert_marbles("default", talk, expected)


def test_neither_the_environment_nor_a_dotenv_has_a_say(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = marbles(talk)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAD_SPEECH_START_FRAMES", "12")
    monkeypatch.setenv("MOCK_REPLY", "no such file")
    (tmp_path / ".env").write_text("VAD_SPEECH_END_FRAMES=40\nVAD_PREROL_MS=1\n")
    assert_marbles("default", talk, text)


def test_a_wrong_setting_is_named(talk: Path) -> None:
    with pytest.raises(UserError, match=r"MOCK_REPLY=tone:0 \(keyword\): a tone is more than 0"):
        assert_marbles("default", talk, "a\nb", mock_reply="tone:0")
    with pytest.raises(TypeError, match="no such settings: mock_replay"):
        assert_marbles("default", talk, "a\nb", mock_replay="tone:1")


def test_a_path_may_be_a_setting(talk: Path) -> None:
    assert_marbles("default", talk, marbles(talk, mock_reply=str(talk)), mock_reply=talk)


def test_a_recorded_call(tmp_path: Path) -> None:
    call = tmp_path / "call"
    play([("quiet", 0.3), ("speech", 0.5), ("quiet", 2.0)], record=call, mock_reply="tone:1")
    assert_marbles("default", call, tmp_path / "call.txt", update=True)
    assert "playback_ended  heard 1000 ms" in (tmp_path / "call.txt").read_text(encoding="utf-8")
    assert_marbles("default", call, tmp_path / "call.txt")
    with pytest.raises(UserError, match=r"its own graph, 'default'\. For others, .*caller\.wav"):
        assert_marbles("echo", call, tmp_path / "call.txt")
    with pytest.raises(UserError, match="its own settings"):
        assert_marbles("default", call, tmp_path / "call.txt", mock_reply="tone:2")


# ---------------------------------------------------------------- the fixture

TEST = """
from pathlib import Path

HERE = Path(__file__).parent

def test_it(assert_marbles):
    assert_marbles("default", HERE / "talk.wav", HERE / "talk.txt", mock_reply="tone:0.5")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of someone else's with a recording, and the plug-in whether or not it is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    write_wav(pytester.path / "talk.wav", TALK, 48_000)
    pytester.makepyfile(TEST)
    return pytester


def pytest_in(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """`pytest …` in the project."""
    return project.runpytest_subprocess("-p", "webapi.voice_node.testing.pytest_plugin", *arguments)


def test_the_life_of_a_test(project: pytest.Pytester) -> None:
    missing = pytest_in(project)
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(["*there is no *talk.txt yet", "pytest --update-marbles *::test_it* writes it"])
    blessed = pytest_in(project, "--update-marbles")
    blessed.assert_outcomes(passed=1)
    blessed.stdout.fnmatch_lines(["voice-node: expected marbles are written, not compared"])
    pytest_in(project).assert_outcomes(passed=1)
    path = next(project.path.glob("test_*.py"))
    path.write_text(path.read_text().replace("tone:0.5", "tone:1"))
    changed = pytest_in(project)
    changed.assert_outcomes(failed=1)
    changed.stdout.fnmatch_lines(["- bot *", "+ bot *", "*^", "-*playback_ended*heard 500 ms", "+*heard 1000 ms"])
    assert "Traceback" not in changed.stdout.str()
    assert "pytest_plugin.py" not in changed.stdout.str()  # no line of code: the pictures are what one needs
    assert "assert_marbles(" not in changed.stdout.str()


def test_a_text_is_shown_and_not_written(project: pytest.Pytester) -> None:
    path = next(project.path.glob("test_*.py"))
    path.write_text(path.read_text().replace('HERE / "talk.txt"', '"some\\ntext"'))
    result = pytest_in(project, "--update-marbles")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a text in a test is not written by itself:", "talk.wav  2.900 s  graph default*"])


def test_a_wrong_graph_or_recording_fails_without_code(project: pytest.Pytester) -> None:
    path = next(project.path.glob("test_*.py"))
    path.write_text(path.read_text().replace('"default"', '"defualt"') + "\n\n" + TEST.replace("talk.wav", "no.wav"))
    path.write_text(path.read_text().replace("def test_it", "def test_other", 1))
    result = pytest_in(project)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["graph 'defualt': * Did you mean 'default'?*", "*no.wav: can't be read: No such file*"]
    )
    assert "Traceback" not in result.stdout.str()


def test_the_example_of_the_documents(project: pytest.Pytester) -> None:
    said = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    example = said[said.index("```python\n") + len("```python\n") :]
    next(project.path.glob("test_*.py")).write_text(example[: example.index("```")])
    pytest_in(project, "--update-marbles").assert_outcomes(passed=1)
    pytest_in(project).assert_outcomes(passed=1)


def installed(folder: Path) -> Path:
    """A folder with the plug-in as the wheel installs it: a module of its own, with an entry point."""
    said = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"webapi/voice_node/testing/pytest_plugin.py" = "voice_node_pytest.py"' in said
    assert '[project.entry-points.pytest11]\nvoice_node = "voice_node_pytest"\n' in said
    information = folder / "voice_node-9.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: voice-node\nVersion: 9\n")
    (information / "entry_points.txt").write_text("[pytest11]\nvoice_node = voice_node_pytest\n")
    shutil.copy(ROOT / "webapi" / "voice_node" / "testing" / "pytest_plugin.py", folder / "voice_node_pytest.py")
    return folder


def test_the_plugin_costs_a_pytest_next_to_nothing(tmp_path: Path) -> None:
    heavy = "{'numpy', 'livekit', 'pydantic', 'reactivex', 'soxr', 'asyncio', 'webapi'}"
    code = f"import pytest, sys; before = {heavy} & set(sys.modules); import voice_node_pytest\n"
    code += f"print(voice_node_pytest.__file__, sorted(({heavy} & set(sys.modules)) - before))"
    site = installed(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == f"{site / 'voice_node_pytest.py'} []\n"


@pytest.fixture
def loaded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.Pytester:
    """A project in whose pytest the plug-in is loaded by its entry point. It has a recording."""
    site = installed(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (pytester.path, site, ROOT))))
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    write_wav(pytester.path / "talk.wav", TALK, 48_000)
    return pytester


def test_it_is_loaded_by_its_entry_point_and_naming_it_too_changes_nothing(loaded: pytest.Pytester) -> None:
    loaded.makepyfile(TEST)
    loaded.runpytest_subprocess("--update-marbles").assert_outcomes(passed=1)
    loaded.runpytest_subprocess("-p", "webapi.voice_node.testing.pytest_plugin").assert_outcomes(passed=1)


@pytest.mark.parametrize("ours_first", [False, True])
def test_a_project_with_a_package_webapi_of_its_own_runs_its_tests(
    loaded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ours_first: bool
) -> None:
    package = loaded.mkpydir("webapi")
    (package / "app.py").write_text("def answer():\n    return 42\n")
    loaded.makepyfile(
        "from webapi.app import answer\n\ndef test_theirs():\n    assert answer() == 42\n"
        + TEST.replace("it(", "ours(")
    )
    if ours_first:  # as with the command `pytest`: the project comes to sys.path with its first test file
        monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"].partition(os.pathsep)[2])
        monkeypatch.setenv("PYTHONSAFEPATH", "1")  # of Python 3.11 and later; else the folder is the first place
    result = loaded.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["assert_marbles is not available, because another package 'webapi' (*) hides *"])
    if not ours_first:
        result.stdout.fnmatch_lines(["voice-node: assert_marbles is not available, because another package 'webapi' *"])
