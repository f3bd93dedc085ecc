"""Whether a host is this machine's loopback: what is safe there (the development key, tokens) is not safe elsewhere."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback_host(host: str) -> bool:
    """True for localhost, 127.0.0.0/8 and ::1: hosts that only this machine can reach."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """True where the URL's host is this machine's loopback. Only the name is looked at, nothing is resolved."""
    try:
        return is_loopback_host(urlsplit(url).hostname or "")
    except ValueError:  # not a URL
        return False
