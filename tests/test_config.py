"""The settings: where they come from, what is refused and how that is said, and that secrets stay secret."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.voice_node.config import (
    Settings,
    load_settings,
    public,
)
from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.loopback import is_loopback, is_loopback_host

EXAMPLE = Path(__file__).parents[1] / ".env.example"
VARIABLES = {name.upper(): field for name, field in Settings.model_fields.items()}
# What the outside world relies on: variables and defaults, written out once more on purpose.
CONTRACT = """\
LIVEKIT_URL=ws://localhost:7880 LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
LK_ROOM=demo LK_ROOMS=off LK_BOT_IDENTITY=ingobot LK_USER_PUBLISH_AUDIO=true
AUDIO_TARGET_RATE=8000 AUDIO_FRAME_MS=20 AUDIO_CHANNELS=1 ECHO_CANCEL=needed
VAD_BACKEND=sierra VAD_SPEECH_START_FRAMES=6 VAD_SPEECH_END_FRAMES=10 VAD_PREROLL_MS=240
PUBLISH_TRACK_NAME=bot_out VOICE_GRAPH=default ORCHESTRATOR=mock
MOCK_REPLY=beep MOCK_THINK_MS=120 REPLY_TIMEOUT_MS=10000
NODE_NAME=auto LOG_FILE=voice_node.log LOG_LEVEL=INFO LOG_TRANSCRIPTS=false METRICS_FILE=metrics.jsonl
RECORD_DIR=off RECORD_MAX_MB=2000 RECORD_MAX_DAYS=30
WEB_HOST=127.0.0.1 WEB_PORT=8080 LK_AGENT_NAME=voice-node MAX_CALLS=10 JOB_EXECUTOR=loop DRAIN_TIMEOUT_S=600
MONITOR_HOST=127.0.0.1 MONITOR_PORT=9090
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty directory and none of our variables, so that only what a test sets is there."""
    for key in list(os.environ):
        if key.upper() in VARIABLES:
            monkeypatch.delenv(key)
    monkeypatch.chdir(tmp_path)


def refused(**overrides: object) -> list[str]:
    with pytest.raises(UserError) as caught:
        load_settings(**overrides)
    return str(caught.value).splitlines()


def shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---------------------------------------------------------------- variables and defaults


def test_variables_and_defaults_are_the_promised_ones() -> None:
    assert [f"{name}={shown(field.default)}" for name, field in VARIABLES.items()] == re.split(r"\s+", CONTRACT.strip())


def test_env_example_has_every_variable_with_its_default_and_one_line() -> None:
    pairs = re.findall(r"^# (.+)\n([A-Z_]+)=(.*)$", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert pairs == [(f.description, name, shown(f.default)) for name, f in VARIABLES.items()]


def test_the_documentation_has_every_variable_with_its_default() -> None:
    text = (EXAMPLE.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| `(.+?)` \|", text, flags=re.MULTILINE)
    assert [f"{name}={default}" for name, default in rows] == re.split(r"\s+", CONTRACT.strip())


def test_env_example_loads_as_it_is() -> None:
    assert load_settings(EXAMPLE) == load_settings()


def test_command_line_beats_environment_beats_file_beats_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().lk_room == "demo"
    Path(".env").write_text("LK_ROOM=from-file\n")
    assert load_settings().lk_room == "from-file"
    monkeypatch.setenv("LK_ROOM", "from-env")
    assert load_settings().lk_room == "from-env"
    assert load_settings(lk_room="from-cli").lk_room == "from-cli"
    assert load_settings(lk_room=None).lk_room == "from-env"


def test_every_variable_can_be_set_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = load_settings()
    values = {
        "LIVEKIT_URL": "ws://127.0.0.1:7999",
        "LIVEKIT_API_KEY": "k",
        "LIVEKIT_API_SECRET": "s",
        "LK_ROOM": "r",
        "LK_BOT_IDENTITY": "b",
        "LK_USER_PUBLISH_AUDIO": "false",
        "AUDIO_TARGET_RATE": "16000",
        "AUDIO_FRAME_MS": "30",
        "ECHO_CANCEL": "always",
        "VAD_BACKEND": "webrtc",
        "VAD_SPEECH_START_FRAMES": "1",
        "VAD_SPEECH_END_FRAMES": "100",
        "VAD_PREROLL_MS": "0",
        "PUBLISH_TRACK_NAME": "t",
        "VOICE_GRAPH": "./g.yaml",
        "ORCHESTRATOR": "a.b_c:D",
        "MOCK_REPLY": "echo",
        "MOCK_THINK_MS": "0",
        "REPLY_TIMEOUT_MS": "500",
        "NODE_NAME": "n",
        "LOG_FILE": "off",
        "LOG_LEVEL": "debug",
        "LOG_TRANSCRIPTS": "true",
        "METRICS_FILE": "m.jsonl",
        "RECORD_DIR": "calls",
        "RECORD_MAX_MB": "10",
        "RECORD_MAX_DAYS": "1",
        "WEB_HOST": "::1",
        "WEB_PORT": "0",
        "LK_ROOMS": "support-*",
        "LK_AGENT_NAME": "*",
        "MAX_CALLS": "3",
        "JOB_EXECUTOR": "process",
        "DRAIN_TIMEOUT_S": "9",
        "MONITOR_HOST": "::",
        "MONITOR_PORT": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert values.keys() | {"AUDIO_CHANNELS"} == VARIABLES.keys()  # mono is all there is
    same = {name for name in VARIABLES if getattr(settings, name.lower()) == getattr(defaults, name.lower())}
    assert same == {"AUDIO_CHANNELS"}
    assert settings.log_file is None
    assert settings.metrics_file == Path("m.jsonl")
    assert settings.log_level == "DEBUG"
    assert settings.lk_user_publish_audio is False
    assert settings.audio_frame_ms == 30
    assert settings.livekit_api_secret.get_secret_value() == "s"


def test_blank_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    Path(".env").write_text("LK_ROOM=from-file\nWEB_PORT=\n")
    settings = load_settings()
    assert settings.lk_room == "from-file"
    assert settings.web_port == 8080


def test_unknown_override_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="lk_rom"):
        load_settings(lk_rom="x")


# ---------------------------------------------------------------- bad values


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("AUDIO_TARGET_RATE", "44100", "8000 or 16000"),
        ("AUDIO_TARGET_RATE", "x", "8000 or 16000"),
        ("AUDIO_FRAME_MS", "25", "10, 20 or 30"),
        ("AUDIO_CHANNELS", "2", "1"),
        ("ECHO_CANCEL", "auto", "needed, always or never"),
        ("VAD_BACKEND", "a b", "the name of a VAD backend"),
        ("VAD_SPEECH_START_FRAMES", "0", "1 to 100"),
        ("VAD_SPEECH_END_FRAMES", "101", "1 to 100"),
        ("VAD_SPEECH_END_FRAMES", "9.5", "1 to 100"),
        ("VAD_PREROLL_MS", "-1", "0 to 2000"),
        ("VAD_PREROLL_MS", "2001", "0 to 2000"),
        ("LK_ROOM", "x" * 257, "1 to 256"),
        ("LK_ROOM", "  ", "1 to 256"),
        ("LK_BOT_IDENTITY", "a\nb", "1 to 256"),
        ("LK_USER_PUBLISH_AUDIO", "maybe", "true or false"),
        ("PUBLISH_TRACK_NAME", "\x1b[31m", "1 to 256"),
        ("ORCHESTRATOR", "package.module", "mock, echo, the name of an installed one, or package.module:Class"),
        ("ORCHESTRATOR", "a:b:c", "mock, echo, the name of an installed one, or package.module:Class"),
        ("ORCHESTRATOR", "os; rm", "mock, echo, the name of an installed one, or package.module:Class"),
        ("MOCK_REPLY", "bleep", "beep, echo, tone:SECONDS"),
        ("MOCK_REPLY", "tone:0", "tone:SECONDS"),
        ("MOCK_REPLY", "tone:3601", "tone:SECONDS"),
        ("MOCK_REPLY", "tone:nan", "tone:SECONDS"),
        ("MOCK_REPLY", "tone:", "tone:SECONDS"),
        ("MOCK_THINK_MS", "-5", "0 to 600000"),
        ("REPLY_TIMEOUT_MS", "0", "1 to 600000"),
        ("LOG_LEVEL", "loud", "TRACE, DEBUG, INFO"),
        ("WEB_PORT", "65536", "0 to 65535"),
        ("WEB_HOST", "a host", "an IP address or host name"),
        ("LIVEKIT_URL", "localhost:7880", "ws://"),
        ("LIVEKIT_URL", "ftp://localhost", "ws://"),
        ("LIVEKIT_URL", "ws://", "ws://"),
        ("LIVEKIT_URL", "ws://localhost:x", "ws://"),
        ("LIVEKIT_URL", "ws://[::1", "ws://"),
        ("LIVEKIT_URL", "ws://localhost?a=b", "ws://"),
    ],
)
def test_a_bad_value_is_one_line_with_name_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    (line,) = refused()
    assert line.startswith(f"{name}=")
    assert "(environment)" in line
    assert allowed in line.split("allowed: ")[1]
    assert all(c.isprintable() for c in line)


def test_each_bad_value_has_its_line_and_says_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("WEB_PORT=99999\nLK_ROOM=ok\n")
    monkeypatch.setenv("AUDIO_FRAME_MS", "25")
    lines = refused(log_level="loud", log_file="")
    assert [line.split(" ")[0] for line in lines] == [
        "AUDIO_FRAME_MS=25",
        "LOG_FILE=",
        "LOG_LEVEL=loud",
        "WEB_PORT=99999",
    ]
    assert [re.findall(r"\((.*?)\)", line)[0] for line in lines] == [
        "environment",
        "command line",
        "command line",
        ".env",
    ]


def test_names_in_the_file_that_are_nearly_ours_are_refused_and_others_left_alone() -> None:
    Path(".env").write_text(
        "VAD_SPEECH_START_FRAME=4\nloglevel=DEBUG\nVAD_SENSITIVITY=2\n"
        "DATABASE_URL=x\nWEB_CONCURRENCY=3\nLIVEKIT_KEYS=a:b\n"
    )
    first, second, third = refused()
    assert first.startswith("VAD_SPEECH_START_FRAME (.env)")
    assert "VAD_SPEECH_START_FRAMES?" in first
    assert "LOG_LEVEL?" in second
    assert third.startswith("VAD_SENSITIVITY (.env)")


def test_a_file_that_is_not_text_is_refused_by_name() -> None:
    Path(".env").write_bytes(b"LK_ROOM=\xff\xfe\n")
    (line,) = refused()
    assert line.startswith(".env can't be read")


@given(st.text(max_size=30))
def test_no_text_gets_past_the_port_as_anything_but_a_number_or_a_user_error(text: str) -> None:
    try:
        port = load_settings(web_port=text).web_port
    except UserError as error:
        said = str(error)
    else:
        said = "one line"
        assert 0 <= port <= 65535
    assert len(said.splitlines()) == 1


# ---------------------------------------------------------------- secrets


def test_the_development_key_stays_on_loopback() -> None:
    lines = refused(livekit_url="wss://example.org")
    assert [re.split(r"[ =]", line)[0] for line in lines] == ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"]
    assert len(refused(livekit_url="wss://example.org", livekit_api_key="mine")) == 1
    ok = load_settings(livekit_url="wss://example.org", livekit_api_key="mine", livekit_api_secret="own")
    assert ok.livekit_url == "wss://example.org"


def test_secrets_are_in_no_repr_dump_error_or_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "hunter2-hunter2")
    settings = load_settings()
    for text in (repr(settings), str(settings), repr(public(settings)), settings.model_dump_json()):
        assert "hunter2" not in text
    assert "livekit_api_secret" not in public(settings)
    monkeypatch.setenv("LIVEKIT_URL", "ws://me:hunter2@/x")
    monkeypatch.setenv("WEB_PORT", "x")
    with pytest.raises(UserError) as caught:
        load_settings()
    text = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    assert caught.value.__context__ is None
    assert "WEB_PORT=x" in text
    assert "LIVEKIT_URL=ws://…@/x" in text
    assert "hunter2" not in text


def test_public_is_everything_else_and_json_able() -> None:
    values = public(load_settings(log_file="off"))
    assert values.keys() == Settings.model_fields.keys() - {"livekit_api_secret"}
    assert values["log_file"] is None
    assert values["metrics_file"] == "metrics.jsonl"


@pytest.mark.parametrize(
    "url",
    ["ws://localhost:7880", "http://LOCALHOST", "ws://127.0.0.1", "ws://127.9.8.7:1", "ws://[::1]:7880"],
)
def test_loopback(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "ws://localhost.example.org",
        "ws://0.0.0.0",
        "ws://128.0.0.1",
        "ws://example.org/localhost",
        "ws://127.0.0.1.nip.io",
        "ws://[fe80::1]",
        "ws://localhost@example.org",
        "ws://[",
        "",
    ],
)
def test_not_loopback(url: str) -> None:
    assert not is_loopback(url)


def test_loopback_hosts() -> None:
    assert [is_loopback_host(h) for h in ("localhost", "127.0.0.1", "::1", "[::1]")] == [True] * 4
    assert [is_loopback_host(h) for h in ("0.0.0.0", "::", "10.0.0.1", "")] == [False] * 4  # noqa: S104 - not bound
