"""The folder of recorded calls: makes a folder for each call, and removes old calls."""

from __future__ import annotations

import platform
import shutil
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from webapi.voice_node.config import Settings, public
from webapi.voice_node.errors import PrintLine, UserError
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.recording.call_file import CALL
from webapi.voice_node.recording.call_recorder import CallRecorder

DAY_S = 86_400
PACKAGES = ("voice-node", "livekit", "reactivex", "numpy", "webrtcvad-wheels")


def check_recordings(settings: Settings) -> None:
    """Make RECORD_DIR, where recording is on. Raises UserError where it can't be written."""
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
    on_problem: PrintLine,
) -> CallRecorder:
    """Return a recorder for one call, whose folder is named by the time of its start and the session.

    Old calls are removed first. Raises OSError where the folder can't be made.
    """
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
    """Remove calls older than `max_days`, then the oldest until all together are at most `max_mb`; return the removed.

    A folder that is no recorded call is not touched.
    """
    calls = sorted((p for p in folder.iterdir() if (p / CALL).is_file()), key=lambda p: p.name)
    sizes = {call: sum(f.stat().st_size for f in call.iterdir() if f.is_file()) for call in calls}
    gone = []
    for call in calls:
        old = time.time() - (call / CALL).stat().st_mtime > max_days * DAY_S
        if old or sum(sizes.values()) > max_mb * 1_000_000:
            shutil.rmtree(call)
            del sizes[call]
            gone.append(call)
    return gone
