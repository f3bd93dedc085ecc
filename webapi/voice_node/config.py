"""The settings of the node, validated: command line > environment > `.env` > default.

Each field of `Settings` is an environment variable, whose name is that of the field in upper case.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.allowed_values import (
    LOG_LEVELS,
    MAX_TONE_S,
    LogLevel,
    MockReply,
    Name,
    OutFile,
    Url,
    one_of,
)
from webapi.voice_node.errors.bad_settings import bad_values, is_secret, misspelled
from webapi.voice_node.errors.loopback import is_loopback
from webapi.voice_node.errors.setting_fields import host as _host
from webapi.voice_node.errors.setting_fields import port as _port
from webapi.voice_node.errors.setting_fields import var as _var
from webapi.voice_node.errors.setting_fields import whole as _whole

DEV_KEY = "devkey"
DEV_SECRET = "secret"  # noqa: S105 - the published key pair of `livekit-server --dev`, refused off loopback
OUR_PREFIXES = ("AUDIO_", "LK_", "MOCK_", "VAD_")  # in a `.env`, only the node's variables begin with these


# ---------------------------------------------------------------- the settings


@dataclass(frozen=True)
class _EnvFile:
    """Where variables are read from, besides the environment. It makes no settings unlike others."""

    path: str | Path | None = field(default=".env", compare=False)


class Settings(BaseSettings):
    """All settings of the node, immutable. Made by `load_settings`, whose errors are for users."""

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8",
        env_ignore_empty=True,  # a blank variable counts as not set
        extra="ignore",  # the environment has other programs' variables too
        frozen=True,
        hide_input_in_errors=True,  # an input may be a secret
        str_strip_whitespace=True,
    )
    _origin: _EnvFile = PrivateAttr(_EnvFile())

    livekit_url: Url = _var(
        "ws://localhost:7880", "a ws://, wss://, http:// or https:// URL with a host", "The LiveKit server."
    )
    livekit_api_key: Name = _var(DEV_KEY, "1 to 256 characters", "The server's API key.")
    livekit_api_secret: SecretStr = _var(
        DEV_SECRET,
        "at least 1 character",
        "The secret of that key. The development pair devkey/secret works on loopback only.",
        min_length=1,
    )
    lk_room: Name = _var("demo", "1 to 256 characters", "The room that the node joins.")
    lk_rooms: Name = _var(
        "off",
        "a pattern such as support-*, * for every room, or off",
        "With `run`: serve each room whose name matches, instead of LK_ROOM alone; off for LK_ROOM.",
    )
    lk_bot_identity: Name = _var("ingobot", "1 to 256 characters", "The participant's identity that it joins as.")
    lk_user_publish_audio: bool = _var(
        True, "true or false", "Whether the tokens made for callers let them publish their microphone."
    )

    audio_target_rate: Annotated[int, one_of(8000, 16000)] = _var(
        8000, "8000 or 16000", "Rate in Hz at which the caller is analysed and handed to the orchestrator."
    )
    audio_frame_ms: Annotated[int, one_of(10, 20, 30)] = _var(
        20, "10, 20 or 30", "Length of one analysis frame in ms (20 ms at 8 kHz: 160 samples, 320 bytes)."
    )
    audio_channels: Annotated[int, one_of(1)] = _var(1, "1", "Channels of that audio; only mono.")

    echo_cancel: Annotated[str, one_of("needed", "always", "never")] = _var(
        "needed",
        "needed, always or never",
        "Take the bot's own voice out of the caller's audio: needed is where the caller's client does not do it.",
    )
    vad_backend: str = _var(
        "sierra",
        "the name of a VAD backend: letters, digits, - and _",
        "The voice activity detector; for sierra, where it is not installed, confirm or else webrtc takes over.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
    )
    vad_speech_start_frames: int = _whole(6, 1, 100, "Voiced frames in a row that start speech.")
    vad_speech_end_frames: int = _whole(10, 1, 100, "Unvoiced frames in a row that end speech.")
    vad_preroll_ms: int = _whole(
        240, 0, 2000, "Audio in ms from before the start of speech that the utterance carries too."
    )

    publish_track_name: Name = _var("bot_out", "1 to 256 characters", "Name of the audio track that the bot publishes.")
    voice_graph: str = _var(
        "default",
        "the name of a graph or the path of a .yaml file",
        "The graph: a name (see `voice-node graphs list`) or a file's path.",
        min_length=1,
        max_length=4096,
    )
    orchestrator: str = _var(
        "mock",
        "mock, echo, the name of an installed one, or package.module:Class",
        "Who answers the caller: mock, echo, one that a package adds by name, or your class as package.module:Class.",
        pattern=r"^([A-Za-z][A-Za-z0-9_-]{0,63}|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)$",
    )
    mock_reply: MockReply = _var(
        "beep",
        f"beep, echo, tone:SECONDS (up to {MAX_TONE_S}) or the path of a WAV file",
        "What the mock answers: beep, echo (the caller's own words), tone:SECONDS, or the path of a WAV.",
    )
    mock_think_ms: int = _whole(120, 0, 600_000, "How long the mock thinks before it answers, in ms.")
    reply_timeout_ms: int = _whole(
        10_000, 1, 600_000, "How long an orchestrator may keep silent, in ms, before its turn is given up."
    )

    node_name: Name = _var("auto", "1 to 256 characters", "Its name in its files; auto: by host and process.")
    log_file: OutFile = _var("voice_node.log", "a file's path, or off", "The log, a JSON object a line; off for none.")
    log_level: LogLevel = _var("INFO", ", ".join(LOG_LEVELS), "The least level that is logged.")
    log_transcripts: bool = _var(
        False, "true or false", "Whether the log and the metrics have the words that caller and bot said."
    )
    metrics_file: OutFile = _var(
        "metrics.jsonl", "a file's path, or off", "Numbers of every turn, a JSON object a line; off for none."
    )

    record_dir: OutFile = _var(
        "off", "a folder, or off", "Where each call is recorded, in a folder of its own; off for not at all."
    )
    record_max_mb: int = _whole(
        2000,
        10,
        1_000_000,
        "How many MB of recordings are kept: the oldest go first, and a call that grows larger alone is cut off.",
    )
    record_max_days: int = _whole(30, 1, 3650, "How many days a recording is kept.")

    web_host: str = _host(
        "127.0.0.1", "Address on which the client page is served; it hands out tokens on loopback only."
    )
    web_port: int = _port(8080, "Its port; 0 takes any free one.")

    lk_agent_name: Name = _var(
        "voice-node",
        "1 to 256 characters, or * for every new room",
        "With `worker`: the agent name by which LiveKit dispatches calls to it; * takes every new room.",
    )
    max_calls: int = _whole(10, 1, 1000, "How many calls one process of `worker` or `run --rooms` serves at a time.")
    job_executor: Annotated[str, one_of("loop", "thread", "process")] = _var(
        "loop", "loop, thread or process", "Where `worker` runs calls: all on one loop, or each in a thread or process."
    )
    drain_timeout_s: int = _whole(
        600, 0, 86_400, "How long, in seconds, calls in progress may go on after SIGTERM, with many calls in a process."
    )
    monitor_host: str = _host("127.0.0.1", "Address of /metrics, /healthz and /readyz.")
    monitor_port: int = _port(9090, "Its port; 0 takes any free one. `run` serves it only where one of the two is set.")

    @model_validator(mode="after")
    def _dev_key_stays_home(self) -> Settings:
        if not is_loopback(self.livekit_url):
            why = f"the development default is refused for a server not on loopback ({self.livekit_url})"
            lines = []
            if self.livekit_api_key == DEV_KEY:
                lines.append(f"LIVEKIT_API_KEY={DEV_KEY}: {why}; allowed: the key of that server")
            if self.livekit_api_secret.get_secret_value() == DEV_SECRET:
                lines.append(f"LIVEKIT_API_SECRET (not shown): {why}; allowed: the secret of that server's key")
            if lines:
                raise ValueError("\n".join(lines))
        return self


SECRETS = tuple(name for name in Settings.model_fields if is_secret(Settings, name))


# ---------------------------------------------------------------- loading


def load_settings(env_file: str | Path | None = ".env", /, **overrides: object) -> Settings:
    """Settings from `overrides` (the command line; None: not given), the environment, `env_file` and defaults.

    Raises UserError with a line for each bad value and for each misspelled variable in `env_file`.
    """
    wrong_names = misspelled(_read_env_file(env_file), env_file, Settings, OUR_PREFIXES)
    return _load(Settings, overrides, "command line", env_file, wrong_names)


def checked_values(where: str, given: Mapping[str, object]) -> dict[str, object]:
    """Values of some settings, by attribute, each checked and of its type. UserError, which names `where`."""
    checked = _load(_Pinned, given, where)
    return {name: getattr(checked, name) for name in given}


def pinned_settings(**overrides: object) -> Settings:
    """Settings from `overrides` and defaults alone: for tests, whose result must not depend on the environment."""
    return _load(_Pinned, overrides, "keyword")


class _Pinned(Settings):
    """Settings that read no environment and no `.env`."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the keyword arguments."""
        return (init_settings,)


def _load(
    made_of: type[Settings],
    overrides: Mapping[str, object],
    where: str,
    env_file: str | Path | None = None,
    lines: Sequence[str] = (),
) -> Settings:
    """Settings of the class `made_of`, or a UserError with `lines` and a line for each bad value.

    `where`: the place that the overrides came from.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    unknown = sorted(given.keys() - Settings.model_fields.keys())
    if unknown:
        raise TypeError(f"no such settings: {', '.join(unknown)}")
    wrong = list(lines)
    try:
        settings = made_of(**{"_env_file": env_file, **given})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        wrong += bad_values(error, Settings, lambda name: where if name in given else _origin(name, env_file))
    else:
        settings._origin = _EnvFile(env_file)
    if wrong:  # raised outside the except block, as the traceback of the cause could show a secret
        raise UserError("\n".join(wrong))
    return settings


def environment_variable(settings: Settings, name: str) -> str | None:
    """A variable that is no setting, from where the settings are read: the environment, then their `.env`.

    None where it is not set or blank. Settings that read no environment (`pinned_settings`) have none.
    """
    if isinstance(settings, _Pinned):
        return None
    return os.environ.get(name) or _read_env_file(settings._origin.path).get(name) or None


def public(settings: Settings) -> dict[str, object]:
    """Every setting except the secrets, as JSON values."""
    values = settings.model_dump(mode="json")
    return {name: values[name] for name in Settings.model_fields if not is_secret(Settings, name)}


def with_hidden_secrets(values: Mapping[str, object]) -> dict[str, object]:
    """The values of some settings, by attribute, with each secret as a SecretStr: neither str nor repr show it."""
    return {
        name: SecretStr(value.strip()) if isinstance(value, str) and name in SECRETS else value
        for name, value in values.items()
    }


def shown(value: object) -> str:
    """A setting's value for people: `***` for a secret."""
    return "***" if isinstance(value, SecretStr) else str(value)


def without_secret(pair: str) -> str:
    """What a user gave as NAME=VALUE, perhaps mistyped, for an error: `***` for what follows a secret's name."""
    for name in SECRETS:
        at = pair.lower().find(name)
        if at >= 0 and pair[at + len(name) :].strip():
            return f"{pair[: at + len(name)]}=***"
    return pair


def _origin(name: str, env_file: str | Path | None) -> str:
    """Where a setting that was not overridden has its value from."""
    in_environment = any(key.lower() == name and value for key, value in os.environ.items())
    return "environment" if in_environment else str(env_file)


def _read_env_file(env_file: str | Path | None) -> Mapping[str, str | None]:
    """The variables in the file; none where there is no file. UserError where it can't be read."""
    if env_file is None or not Path(env_file).is_file():
        return {}
    try:
        return dotenv_values(env_file, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{env_file} can't be read: {error}") from None
