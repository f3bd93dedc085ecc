"""The wheel has what an installed node needs beside its modules."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_type_information_graphs_and_pages_are_in_it(tmp_path: Path) -> None:
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    needed = {"webapi/voice_node/py.typed", "webapi/static/client.html", "webapi/static/replay/timeline.html"}
    needed |= {f"webapi/voice_node/_graphs/{path.name}" for path in (ROOT / "graphs").glob("*.yaml")}
    needed |= {"webapi/voice_node/_docker/docker-compose.livekit.yml", "webapi/voice_node/_env/.env.example"}
    assert needed - set(names) == set()
    outside = [name for name in names if not name.startswith(("webapi/", "voice_node-"))]
    assert outside == ["voice_node_pytest.py"]  # for a project with a package `webapi` of its own
