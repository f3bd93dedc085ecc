"""Finds secrets that are written into a graph file, where `${VARIABLE}` belongs."""

from __future__ import annotations

import re

from webapi.voice_node.graph.variable_names import IN_YAML
from webapi.voice_node.graph.yaml_parser import Marked

LAST_WORDS = {  # of the name of a key that holds a secret: api_key, accessToken, Authorization, …
    "apikey", "auth", "authorization", "credential", "credentials", "key", "passphrase", "passwd", "password", "pwd",
    "secret", "token",
}  # fmt: skip
DOUBTFUL = {"key", "token"}  # as last words they also name what is no secret: max_token, stop_token, sort_key
LEAST = 8  # characters of a secret under a doubtful key
PASSWORD_IN_URL = re.compile(r"[A-Za-z][\w+.-]*://[^\s/?#@]*:[^\s/?#@⦃]+@")
API_KEY = re.compile(r"(?:[Bb]earer\s+[\w.~+/=-]{8,}|sk-(?!SK-)[\w-]{8,})\s*")  # sk-SK-… are voices that speak Slovak
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def names_a_secret(key: object) -> bool:
    """Whether a key of this name looks as if a secret stands under it: by its last word that is no number."""
    return _last_word(key) in LAST_WORDS


def looks_like_a_secret(value: object) -> bool:
    """Whether this is a text with a password in a URL, or one as API keys and access tokens are."""
    return isinstance(value, str) and bool(PASSWORD_IN_URL.search(value) or API_KEY.fullmatch(value.strip()))


def is_written_out(value: Marked, key: object) -> bool:
    """Whether a secret is written out here: by its looks, or by the key under which the value stands."""
    if looks_like_a_secret(value.value):
        return True
    if not names_a_secret(key) or not is_literal(value):
        return False
    return _last_word(key) not in DOUBTFUL or (isinstance(value.value, str) and len(value.value) >= LEAST)


def is_literal(value: Marked) -> bool:
    """Whether the value could be a secret that is written out: text without a variable in it, or a number."""
    if isinstance(value.value, str):
        return bool(value.value) and not IN_YAML.search(value.value)
    return isinstance(value.value, (int, float)) and not isinstance(value.value, bool)


def _last_word(key: object) -> str:
    """The last word of a key's name that is no number, "" where it has none."""
    words = [word.lower() for word in WORD.findall(str(key)) if not word.isdigit()]
    return words[-1] if words else ""
