"""Finds secrets that are written into a graph file, where `${VARIABLE}` belongs."""

from __future__ import annotations

import re

from webapi.voice_node.graph.variable_names import IN_YAML
from webapi.voice_node.graph.yaml_parser import Marked

LAST_WORDS = {  # of the name of a key that holds a secret: api_key, accessToken, Authorization, …
    "apikey", "auth", "authorization", "credential", "credentials", "key", "passphrase", "passwd", "password", "pwd",
    "secret", "token",
}  # fmt: skip
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def names_a_secret(key: object) -> bool:
    """Whether a key of this name looks as if a secret stands under it: by its last word that is no number."""
    words = [word.lower() for word in WORD.findall(str(key)) if not word.isdigit()]
    return bool(words) and words[-1] in LAST_WORDS


def is_literal(value: Marked) -> bool:
    """Whether the value could be a secret that is written out: text without a variable in it, or a number."""
    if isinstance(value.value, str):
        return bool(value.value) and not IN_YAML.search(value.value)
    return isinstance(value.value, (int, float)) and not isinstance(value.value, bool)
