"""Checks of this machine: Python and its packages."""

from __future__ import annotations

import importlib
import platform
import sys
from importlib.metadata import version

from webapi.voice_node.cli.doctor.result import CheckResult
from webapi.voice_node.config import Settings
from webapi.voice_node.errors.advice import install

PYTHONS = ((3, 10), (3, 13))
PACKAGES = {  # the core: packages by the module that is imported
    "livekit.rtc": "livekit",
    "livekit.api": "livekit-api",
    "loguru": "loguru",
    "numpy": "numpy",
    "pydantic_settings": "pydantic-settings",
    "reactivex": "reactivex",
    "rich": "rich",
    "soxr": "soxr",
    "typer": "typer",
    "webrtcvad": "webrtcvad-wheels",
    "yaml": "pyyaml",
}
EXTRAS = {"aiohttp": "web", "matplotlib": "report"}


def check_python(_: Settings) -> CheckResult:
    """Python has a version that is supported."""
    found = f"{platform.python_version()} ({sys.executable})"
    low, high = PYTHONS
    if low <= sys.version_info[:2] <= high:
        return CheckResult("Python", "ok", found)
    return CheckResult("Python", "fail", found, "Use Python 3.10 to 3.13; in a clone: make setup PYTHON=python3.12")


def check_packages(_: Settings) -> CheckResult:
    """Every package of the core can be imported."""
    broken = [f"{name}: {why}" for module, name in PACKAGES.items() if (why := _not_importable(module))]
    if broken:
        advice = "Install voice-node again: make setup in a clone, pip install --force-reinstall with a wheel"
        return CheckResult("packages", "fail", "\n".join(broken), advice)
    return CheckResult("packages", "ok", ", ".join(f"{name} {version(name)}" for name in PACKAGES.values()))


def check_extras(_: Settings) -> CheckResult:
    """The packages of the extras can be imported."""
    missing = [name for name in EXTRAS if _not_importable(name)]
    if missing:
        wanted = install(*(EXTRAS[name] for name in missing))
        what = "no " + ", no ".join(missing)
        return CheckResult("extras", "warn", what, f"For the page and for pictures: {wanted}")
    return CheckResult("extras", "ok", ", ".join(f"{name} {version(name)}" for name in EXTRAS))


def _not_importable(module: str) -> str:
    """Why the module can't be imported; "" where it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken native library may raise anything
        return f"{type(error).__name__}: {error}"
    return ""
