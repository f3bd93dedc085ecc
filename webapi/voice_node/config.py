"""Settings, once and validated: command line > environment > `.env` > default.

Every variable of the environment is one field of `Settings`; its name in lower case is the attribute.
"""

from __future__ import annotations

import difflib
import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from webapi.voice_node.errors import UserError

DEV_KEY = "devkey"
DEV_SECRET = "secret"  # noqa: S105 - the published key pair of `livekit-server --dev`, refused off loopback
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL")
MAX_TONE_S = 3600
OURS = ("AUDIO_", "LK_", "MOCK_", "VAD_")  # no other program's variable in a `.env` begins like these


# ---------------------------------------------------------------- loopback


def is_loopback_host(host: str) -> bool:
    """True for localhost, 127.0.0.0/8 and ::1: what only this machine can reach."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """True where the URL's host is this machine's loopback, by its name (nothing is resolved)."""
    try:
        return is_loopback_host(urlsplit(url).hostname or "")
    except ValueError:  # not a URL
        return False


# ---------------------------------------------------------------- what a value may be


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - the property raises for a port that is none
    except ValueError:  # its own text could quote a piece of a password
        raise ValueError("not such a URL") from None
    if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
        raise ValueError("not such a URL")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("a URL with credentials, a query or a fragment")
    return value


def _one_of(*allowed: int) -> Callable[[int], int]:
    def check(value: int) -> int:
        if value not in allowed:
            raise ValueError
        return value

    return check


def _level(value: object) -> object:
    name = str(value).strip().upper()
    if name not in LOG_LEVELS:
        raise ValueError
    return name


def _file(value: object) -> object:
    if value is None or str(value).strip().lower() == "off":
        return None
    if not str(value).strip() or "\0" in str(value):
        raise ValueError
    return Path(str(value).strip()).expanduser()


def _mock_reply(value: str) -> str:
    if value in ("beep", "echo"):
        return value
    if value.startswith("tone:"):
        try:
            length = float(value.removeprefix("tone:"))
        except ValueError:
            length = math.nan
        if not 0 < length <= MAX_TONE_S:
            raise ValueError(f"a tone is more than 0 and up to {MAX_TONE_S} seconds long")
        return value
    path = Path(value).expanduser()
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else None
        raise ValueError(f"no word that is known, and no readable file ({reason or error})") from None
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or head[8:] != b"WAVE":
        raise ValueError("that file is not a WAV")
    return str(path)


Url: TypeAlias = Annotated[str, AfterValidator(_url)]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=256)]  # LiveKit's own limit
OutFile: TypeAlias = Annotated[Path | None, BeforeValidator(_file)]


def _var(default: object, allowed: str, description: str, **limits: Any) -> Any:
    """A field: its default, what is allowed (for error messages), what it is for (for `.env.example`)."""
    return Field(default, description=description, json_schema_extra={"allowed": allowed}, **limits)


# ---------------------------------------------------------------- the settings


class Settings(BaseSettings):
    """All settings of the node, immutable. `load_settings` makes one and says errors in people's words."""

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8",
        env_ignore_empty=True,  # a blank variable counts as not set
        extra="ignore",  # the environment is full of others' variables
        frozen=True,
        hide_input_in_errors=True,  # an input may be a secret
        str_strip_whitespace=True,
    )

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
    lk_bot_identity: Name = _var("ingobot", "1 to 256 characters", "The participant's identity that it joins as.")
    lk_user_publish_audio: bool = _var(
        True, "true or false", "Whether the tokens made for callers let them publish their microphone."
    )

    audio_target_rate: Annotated[int, AfterValidator(_one_of(8000, 16000))] = _var(
        8000, "8000 or 16000", "Rate in Hz at which the caller is analysed and handed to the orchestrator."
    )
    audio_frame_ms: Annotated[int, AfterValidator(_one_of(10, 20, 30))] = _var(
        20, "10, 20 or 30", "Length of one analysis frame in ms (20 ms at 8 kHz: 160 samples, 320 bytes)."
    )
    audio_channels: Annotated[int, AfterValidator(_one_of(1))] = _var(1, "1", "Channels of that audio; only mono.")

    echo_cancel: Annotated[str, AfterValidator(_one_of("needed", "always", "never"))] = _var(
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
    vad_speech_start_frames: int = _var(
        6, "a whole number from 1 to 100", "Voiced frames in a row that start speech.", ge=1, le=100
    )
    vad_speech_end_frames: int = _var(
        10, "a whole number from 1 to 100", "Unvoiced frames in a row that end speech.", ge=1, le=100
    )
    vad_preroll_ms: int = _var(
        240,
        "a whole number from 0 to 2000",
        "Audio in ms from before the start of speech that the utterance carries too.",
        ge=0,
        le=2000,
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
    mock_reply: Annotated[str, AfterValidator(_mock_reply)] = _var(
        "beep",
        f"beep, echo, tone:SECONDS (up to {MAX_TONE_S}) or the path of a WAV file",
        "What the mock answers: beep, echo (the caller's own words), tone:SECONDS, or the path of a WAV.",
    )
    mock_think_ms: int = _var(
        120,
        "a whole number from 0 to 600000",
        "How long the mock thinks before it answers, in ms.",
        ge=0,
        le=600_000,
    )
    reply_timeout_ms: int = _var(
        10_000,
        "a whole number from 1 to 600000",
        "How long an orchestrator may keep silent, in ms, before its turn is given up.",
        ge=1,
        le=600_000,
    )

    log_file: OutFile = _var("voice_node.log", "a file's path, or off", "The log, a JSON object a line; off for none.")
    log_level: Annotated[str, BeforeValidator(_level)] = _var(
        "INFO", ", ".join(LOG_LEVELS), "The least level that is logged."
    )
    metrics_file: OutFile = _var(
        "metrics.jsonl", "a file's path, or off", "Numbers of every turn, a JSON object a line; off for none."
    )

    record_dir: OutFile = _var(
        "off", "a folder, or off", "Where each call is recorded, in a folder of its own; off for not at all."
    )
    record_max_mb: int = _var(
        2000,
        "a whole number from 10 to 1000000",
        "How many MB of recordings are kept: the oldest go first, and a call that grows larger alone is cut off.",
        ge=10,
        le=1_000_000,
    )
    record_max_days: int = _var(
        30, "a whole number from 1 to 3650", "How many days a recording is kept.", ge=1, le=3650
    )

    web_host: str = _var(
        "127.0.0.1",
        "an IP address or host name",
        "Address on which the client page is served; it hands out tokens on loopback only.",
        pattern=r"^[A-Za-z0-9._:%\[\]-]{1,253}$",
    )
    web_port: int = _var(8080, "0 to 65535", "Its port; 0 takes any free one.", ge=0, le=65535)

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


# ---------------------------------------------------------------- loading


def load_settings(env_file: str | Path | None = ".env", /, **overrides: object) -> Settings:
    """Settings from `overrides` (the command line; None: not given), the environment, `env_file`, defaults.

    Raises UserError with a line for each bad value, and for each name in `env_file` that is nearly ours.
    """
    in_file = _read_env_file(env_file)
    return _load(Settings, overrides, "command line", env_file, _strangers(in_file, env_file))


def pinned_settings(**overrides: object) -> Settings:
    """Settings from `overrides` and defaults alone: for tests, which must say the same whoever runs them where."""
    return _load(_Pinned, overrides, "keyword")


class _Pinned(Settings):
    """Settings that look at no environment."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The keywords."""
        return (init_settings,)


def _load(
    made_of: type[Settings],
    overrides: Mapping[str, object],
    where: str,
    env_file: str | Path | None = None,
    lines: Sequence[str] = (),
) -> Settings:
    """Settings, or a UserError with `lines` and one more for each bad value. `where`: what gave the overrides."""
    given = {name: value for name, value in overrides.items() if value is not None}
    unknown = sorted(given.keys() - Settings.model_fields.keys())
    if unknown:
        raise TypeError(f"no such settings: {', '.join(unknown)}")
    wrong = list(lines)
    try:
        settings = made_of(**{"_env_file": env_file, **given})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        wrong += _lines(error, lambda name: where if name in given else _origin(name, env_file))
    if wrong:  # raised here, outside the except block: the cause's traceback could show a secret
        raise UserError("\n".join(wrong))
    return settings


def public(settings: Settings) -> dict[str, object]:
    """Every setting but the secrets, as JSON-able values: for recordings and for showing."""
    values = settings.model_dump(mode="json")
    return {name: values[name] for name in Settings.model_fields if not _is_secret(name)}


# ---------------------------------------------------------------- errors in people's words


def _is_secret(name: str) -> bool:
    return Settings.model_fields[name].annotation is SecretStr


def _lines(error: ValidationError, origin: Callable[[str], str]) -> list[str]:
    """One line for each bad value: the variable, the value, where it came from, what is allowed."""
    lines = []
    for problem in error.errors(include_url=False):
        reason = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else ""
        if not problem["loc"]:  # about several values at once: the message is made of whole lines
            lines.append(reason)
            continue
        name = str(problem["loc"][0])
        extra = Settings.model_fields[name].json_schema_extra
        allowed = extra["allowed"] if isinstance(extra, dict) else ""
        shown = " (not shown)" if _is_secret(name) else f"={_shown(problem['input'])}"
        lines.append(f"{name.upper()}{shown} ({origin(name)}): {reason + '; ' if reason else ''}allowed: {allowed}")
    return lines


def _shown(value: object) -> str:
    """A bad value for an error message: one line, not long, and without what may be a password in a URL."""
    text = re.sub(r"//.*@", "//…@", str(value))
    if "://" in text:
        text = re.sub(r"[?#].*", "?…", text, flags=re.DOTALL)
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= 80 else text[:79] + "…"


def _origin(name: str, env_file: str | Path | None) -> str:
    in_environment = any(key.lower() == name and value for key, value in os.environ.items())
    return "environment" if in_environment else str(env_file)


def _read_env_file(env_file: str | Path | None) -> Mapping[str, str | None]:
    if env_file is None or not Path(env_file).is_file():
        return {}
    try:
        return dotenv_values(env_file, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{env_file} can't be read: {error}") from None


def _strangers(in_file: Mapping[str, str | None], env_file: str | Path | None) -> list[str]:
    """A line for each name in the file that is not ours but begins or reads like it: most likely a typo."""
    names = [name.upper() for name in Settings.model_fields]
    lines = []
    for key in in_file:
        near = difflib.get_close_matches(key.upper(), names, n=1, cutoff=0.85)
        if key.upper() in names or not (near or key.upper().startswith(OURS)):
            continue
        hint = f"did you mean {near[0]}?" if near else "allowed: the names in .env.example"
        lines.append(f"{key} ({env_file}): no such variable; {hint}")
    return lines
