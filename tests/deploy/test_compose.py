"""The compose file: right by the schema of compose, and in agreement with the files and settings that it names."""

from __future__ import annotations

import importlib.resources
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.test_dockerfile import variables
from webapi.voice_node.config import Settings, pinned_settings
from webapi.voice_node.dev_server.binary import VERSION

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS = sorted(name for name in SERVICES if name.startswith("worker-"))
NODES = sorted(name for name in SERVICES if name.startswith("livekit-"))
SECONDS = {"s": 1, "m": 60, "h": 3600}


def mistakes(data: object) -> list[str]:
    """What the schema of compose says is wrong."""
    folder = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text("utf-8"))
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)]


def with_values(text: str, **given: str) -> str:
    """The text with each ${NAME:-default} as its default, and each ${NAME:?why} as what is given."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: given[found[1]], text)


def config(name: str) -> dict[str, Any]:
    """The configuration that the LiveKit node of that name mounts."""
    (mount,) = SERVICES[name]["volumes"]
    found: dict[str, Any] = yaml.safe_load((DEPLOY / mount.split(":")[0]).read_text("utf-8"))
    return found


def published(name: str) -> list[str]:
    """Its published ports."""
    return list(SERVICES[name].get("ports", []))


def test_compose_would_take_it() -> None:
    assert mistakes(COMPOSE) == []


def test_a_wrong_key_or_value_is_refused() -> None:
    first = SERVICES[WORKERS[0]]
    wrong = {**COMPOSE, "services": {**SERVICES, "worker-1": {**first, "stop_grace": "11m"}}}
    assert "'stop_grace' was unexpected" in " ".join(mistakes(wrong))
    wrong = {**COMPOSE, "services": {**SERVICES, "worker-1": {**first, "read_only": ["perhaps"]}}}
    assert "'perhaps'" in " ".join(mistakes(wrong))


def test_there_is_what_is_promised() -> None:
    assert (len(NODES), len(WORKERS)) == (2, 3)
    assert {"redis", "prometheus", "grafana"} == SERVICES.keys() - {*NODES, *WORKERS}


@pytest.mark.parametrize("name", SERVICES)
def test_images_have_fixed_versions(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", image), image


def test_the_versions_are_the_projects() -> None:
    assert {SERVICES[name]["image"].rpartition(":")[2] for name in NODES} == {VERSION}
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version
    assert {SERVICES[name]["image"] for name in WORKERS} == {f"voice-node:{version[1]}"}
    assert (DEPLOY / SERVICES[WORKERS[0]]["build"]["context"]).resolve() == ROOT
    assert (ROOT / SERVICES[WORKERS[0]]["build"]["dockerfile"]).is_file()


def test_what_is_mounted_is_there() -> None:
    mounts = [mount for each in SERVICES.values() for mount in each.get("volumes", [])]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert len(files) > 4
    assert [path for path in files if not (DEPLOY / path).is_file()] == []
    assert {mount.split(":")[0] for mount in mounts if not mount.startswith(".")} == COMPOSE["volumes"].keys()


@pytest.mark.parametrize("name", WORKERS)
def test_every_variable_of_a_worker_is_a_setting_with_a_value_that_is_allowed(name: str) -> None:
    given = SERVICES[name]["environment"]
    assert {variable.lower() for variable in given} <= Settings.model_fields.keys()
    keys = {"LIVEKIT_API_KEY": "a key", "LIVEKIT_API_SECRET": "a secret"}
    values = {variable.lower(): with_values(str(value), **keys) for variable, value in given.items()}
    settings = pinned_settings(**values)
    grace = SERVICES[name]["stop_grace_period"]
    assert int(grace[:-1]) * SECONDS[grace[-1]] >= settings.drain_timeout_s + 30


def test_a_worker_can_write_where_it_is_told_to() -> None:
    for name in WORKERS:
        (volume,) = SERVICES[name]["volumes"]
        assert volume == f"{name}:/var/lib/voice-node"
        assert SERVICES[name]["read_only"] is True
        for variable in ("LOG_FILE", "METRICS_FILE"):
            assert SERVICES[name]["environment"][variable].startswith("/var/lib/voice-node/")


def test_the_workers_are_at_both_nodes() -> None:
    urls = {SERVICES[name]["environment"]["LIVEKIT_URL"] for name in WORKERS}
    assert urls == {f"ws://{name}:{config(name)['port']}" for name in NODES}
    for name in WORKERS:
        assert f"//{SERVICES[name]['depends_on'][0]}:" in SERVICES[name]["environment"]["LIVEKIT_URL"]


def test_no_secret_is_in_the_file() -> None:
    text = (DEPLOY / "compose.yml").read_text("utf-8")
    for line in re.findall(r"^.*(?:SECRET|PASSWORD|LIVEKIT_KEYS).*:.*$", text, re.MULTILINE):
        assert line.startswith("#") or re.search(r"\$\{\w+:\?", line), line


def test_only_livekit_is_reachable_from_outside() -> None:
    for name in SERVICES:
        if name not in NODES:
            assert all(port.startswith("127.0.0.1:") for port in published(name)), name
    assert all(published(name) == [] for name in (*WORKERS, "redis"))


@pytest.mark.parametrize("name", NODES)
def test_a_nodes_ports_are_published_as_they_are(name: str) -> None:
    found = config(name)
    wanted = {(found["port"], "tcp"), (found["rtc"]["tcp_port"], "tcp"), (found["rtc"]["udp_port"], "udp")}
    assert {(int(p.split(":")[0]), p.split("/")[1]) for p in published(name)} == wanted
    assert all(re.fullmatch(r"(\d+):\1/(tcp|udp)", port) for port in published(name))
    assert found["redis"]["address"] == "redis:6379"


def test_prometheus_asks_every_worker_and_node() -> None:
    jobs = yaml.safe_load((DEPLOY / "compose" / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    assert targets["voice-node"] == [f"{name}:{variables()['MONITOR_PORT']}" for name in WORKERS]
    assert targets["livekit"] == [f"{name}:{config(name)['prometheus']['port']}" for name in NODES]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    for path in (DEPLOY / "compose" / "prometheus.yml", DEPLOY / "monitoring" / "alerts.yml"):
        shutil.copy(path, tmp_path)
    ran = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_grafana_has_the_dashboard_and_a_source_for_it() -> None:
    folder = DEPLOY / "compose" / "grafana"
    (source,) = yaml.safe_load((folder / "datasource.yml").read_text("utf-8"))["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((folder / "dashboards.yml").read_text("utf-8"))["providers"]
    mounted = [mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]]
    assert any(path.startswith(f"{provider['options']['path']}/") for path in mounted)
