"""The folder of recorded calls: a new one for each call, the oldest removed where they are too many or too old."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from webapi.voice_node.config import Settings, public
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.recording.call_file import CallRecorder, is_call

DAY_S = 86_400
PACKAGES = ("voice-node", "livekit", "reactivex", "numpy", "webrtcvad-wheels")


def check_recordings(settings: Settings) -> None:
    """UserError where RECORD_DIR can't be had."""
    if settings.record_dir is None:
        return
    try:
        settings.record_dir.mkdir(parents=True, exist_ok=True)
        probe = settings.record_dir / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise UserError(f"RECORD_DIR={settings.record_dir}: {error.strerror}; allowed: a folder, or off") from None


def new_recording(
    settings: Settings,
    graph: GraphSpec,
    *,
    session_id: str,
    room: str,
    origin_us: int,
    on_problem: Callable[[str], None],
) -> CallRecorder:
    """A recorder for one call, in a folder named by when it began and the session. Raises OSError."""
    assert settings.record_dir is not None  # noqa: S101 - for the type checker: recording is on
    prune(settings.record_dir, settings.record_max_mb, settings.record_max_days)
    began = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    header: dict[str, Any] = {
        "session_id": session_id,
        "room": room,
        "began": began,
        "origin_us": origin_us,
        "graph": graph.name,
        "settings": public(settings),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    folder = settings.record_dir / f"{began}-{session_id}"
    return CallRecorder(folder, header, graph.text, on_problem, max_bytes=settings.record_max_mb * 1_000_000)


def prune(folder: Path, max_mb: int, max_days: int) -> list[Path]:
    """Remove recorded calls that are too old, and the oldest until all are small enough. Nothing else is touched."""
    calls = sorted((p for p in folder.iterdir() if is_call(p)), key=lambda p: p.name)
    sizes = {call: sum(f.stat().st_size for f in call.iterdir() if f.is_file()) for call in calls}
    gone = []
    for call in calls:
        old = time.time() - (call / "call.json").stat().st_mtime > max_days * DAY_S
        if old or sum(sizes.values()) > max_mb * 1_000_000:
            shutil.rmtree(call)
            del sizes[call]
            gone.append(call)
    return gone
