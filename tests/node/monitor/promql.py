"""Reads a PromQL expression as far as names go: which metrics it asks for, by which labels, and which it groups by."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

KEYWORDS = {"and", "or", "unless", "bool", "offset"}
LISTS = {"by", "on", "without", "ignoring", "group_left", "group_right"}
TOKEN = re.compile(
    r'\s+|(?P<string>"(?:[^"\\]|\\.)*")|(?P<range>\[[^\]]*\])|(?P<number>\d[\d.]*(?:e\d+)?)|(?P<name>[A-Za-z_:][\w:]*)'
    r"|(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},])"
)


@dataclass
class Asked:
    """What an expression asks for."""

    metrics: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # name → (label, value) of its matchers
    grouped_by: set[str] = field(default_factory=set)


def asked(expression: str) -> Asked:
    """What the expression asks for. ValueError where it is not PromQL, as far as is seen here."""
    tokens = list(_tokens(expression))
    found, at, depth = Asked(), 0, 0
    while at < len(tokens):
        kind, text = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 1
        if text in "()" and kind == "sign":
            depth += 1 if text == "(" else -1
            if depth < 0:
                raise ValueError(f"a ) without ( in {expression}")
        elif kind == "name" and text in LISTS:
            end = next(i for i in range(at, len(tokens)) if tokens[i][1] == ")")
            found.grouped_by |= {name for which, name in tokens[at:end] if which == "name"}
            at = end + 1
        elif kind == "name" and text not in KEYWORDS and following not in LISTS | {"("}:
            matchers = found.metrics.setdefault(text, [])
            if following == "{":
                end = next(i for i in range(at, len(tokens)) if tokens[i][1] == "}")
                inside = [token for token in tokens[at + 1 : end] if token[1] != ","]
                matchers += [(inside[i][1], inside[i + 2][1].strip('"')) for i in range(0, len(inside), 3)]
                at = end + 1
    if depth:
        raise ValueError(f"a ( without ) in {expression}")
    return found


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(expression):
        match = TOKEN.match(expression, at)
        if match is None:
            raise ValueError(f"{expression[at:]!r} of {expression}")
        at = match.end()
        if match.lastgroup:
            found.append((match.lastgroup, match[0]))
    return found
