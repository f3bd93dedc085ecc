"""Names for files of a replay's output, which derive from names that somebody else has chosen."""

from __future__ import annotations

import os
import re
import unicodedata

UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')  # not in a file's name, on one system or another
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # names of devices on Windows
LONGEST = 200  # bytes


def safe_name(stem: str) -> str:
    """Return a name like `stem` that is one file in its folder on every system: no dots at its ends, no separators."""
    name = UNSAFE.sub("_", stem).strip(". ")
    while len(os.fsencode(name)) > LONGEST:
        name = name[:-1]
    name = name.strip(". ") or "recording"
    return f"_{name}" if RESERVED.fullmatch(name) else name


def name_key(name: str) -> str:
    """Two names with the same key are one file on some systems."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
