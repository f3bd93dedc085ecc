"""Types of values that users give, each with its check. The text of a check's ValueError is the reason, for users."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL")
MAX_TONE_S = 3600


def one_of(*allowed: object) -> AfterValidator:
    """The check that a value is one of these."""

    def check(value: object) -> object:
        if value not in allowed:
            raise ValueError
        return value

    return AfterValidator(check)


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - the property raises for a wrong port
    except ValueError:  # the error's own text could quote a part of a password
        raise ValueError("not such a URL") from None
    if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
        raise ValueError("not such a URL")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("a URL with credentials, a query or a fragment")
    return value


def _log_level(value: object) -> object:
    name = str(value).strip().upper()
    if name not in LOG_LEVELS:
        raise ValueError
    return name


def _out_file(value: object) -> object:
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
OutFile: TypeAlias = Annotated[Path | None, BeforeValidator(_out_file)]  # None where users write `off`
LogLevel: TypeAlias = Annotated[str, BeforeValidator(_log_level)]
MockReply: TypeAlias = Annotated[str, AfterValidator(_mock_reply)]
