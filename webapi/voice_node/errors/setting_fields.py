"""The fields of settings: each with its default, what is allowed, and its line in `.env.example`."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def var(default: object, allowed: str, description: str, **limits: Any) -> Any:
    """A field: its default, what is allowed (for error messages), and its line in `.env.example`."""
    return Field(default, description=description, json_schema_extra={"allowed": allowed}, **limits)


def whole(default: int, low: int, high: int, description: str) -> Any:
    """The field of a whole number from `low` to `high`."""
    return var(default, f"a whole number from {low} to {high}", description, ge=low, le=high)


def host(default: str, description: str) -> Any:
    """The field of an address to listen on."""
    return var(default, "an IP address or host name", description, pattern=r"^[A-Za-z0-9._:%\[\]-]{1,253}$")


def port(default: int, description: str) -> Any:
    """The field of a port to listen on."""
    return var(default, "0 to 65535", description, ge=0, le=65535)
