"""The systemd unit: it drains before it is killed, and systemd reads it without a complaint."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from webapi.voice_node.config import Settings, pinned_settings

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "voice-node-worker@.service"
WORST = 2.0  # exposure, of 10; a service without any protection has 9.6


def directives() -> dict[str, list[str]]:
    """The values of each directive."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text("utf-8").splitlines():
        if not line.startswith(("#", "[")) and "=" in line:
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_calls_have_time_to_end_before_it_is_killed() -> None:
    found = directives()
    assert found["KillSignal"] == ["SIGTERM"]
    assert found["KillMode"] == ["mixed"]  # to the worker alone, which tells its processes itself
    assert int(found["TimeoutStopSec"][0]) >= pinned_settings().drain_timeout_s + 30


def test_it_starts_a_worker_with_settings_that_there_are() -> None:
    (command,) = directives()["ExecStart"]
    assert command.endswith("/voice-node worker")
    named = set(re.findall(r"\b([A-Z][A-Z_]+)=", command))
    named |= set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", UNIT.read_text("utf-8"))) - {"AF_INET", "AF_UNIX", "AF_NETLINK"}
    assert {"MONITOR_PORT", "LIVEKIT_API_SECRET"} <= named
    assert {name.lower() for name in named} <= Settings.model_fields.keys()


def test_no_secret_is_in_the_unit() -> None:
    found = directives()
    assert found["EnvironmentFile"] == ["/etc/voice-node/worker.env"]
    assert "Environment" not in found or not re.search(r"KEY|SECRET", "".join(found["Environment"]))
    assert found["User"] == ["voice-node"]


def test_it_starts_again_through_an_outage_of_livekit_but_not_for_ever() -> None:
    found = directives()
    assert found["Restart"] == ["on-failure"]
    tried_s = int(found["StartLimitBurst"][0]) * int(found["RestartSec"][0])
    assert 1800 <= tried_s < int(found["StartLimitIntervalSec"][0])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_reads_it_without_a_complaint(tmp_path: Path) -> None:
    shutil.copy(UNIT, tmp_path)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name.replace("@", "@9090"))]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    (tmp_path / UNIT.name).write_text(UNIT.read_text("utf-8").replace("KillMode=", "KillMod="), "utf-8")
    wrong = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "KillMod" in wrong.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_little_exposed() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", ran.stdout)
    if exposure is None and "offline" in ran.stderr:
        pytest.skip("this systemd-analyze is older than --offline")
    assert exposure, ran.stderr
    assert float(exposure[1]) <= WORST
