"""The manifests for Kubernetes: right by its schemas, and in agreement with each other and with the settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.kubernetes import (
    FOLDER,
    NEWEST,
    OLDEST,
    container,
    kustomization,
    manifest,
    manifests,
    mistake,
    worker,
)
from tests.deploy.test_dockerfile import arguments
from webapi.voice_node.config import DEV_KEY, DEV_SECRET, SECRETS, Settings, pinned_settings

ROOT = Path(__file__).parents[2]
MANIFESTS = manifests()


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_would_take_it(name: str, version: str) -> None:
    assert mistake(MANIFESTS[name], version) is None


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_key_that_there_is_not_is_refused(name: str) -> None:
    wrong = {**MANIFESTS[name], "sepc": {}}
    assert "'sepc' was unexpected" in (mistake(wrong, NEWEST) or "")


def test_a_wrong_key_or_value_deep_inside_is_refused() -> None:
    deployment = manifest("deployment.yaml")
    (inside,) = deployment["spec"]["template"]["spec"]["containers"]
    inside["readinessProbe"]["httpget"] = inside["readinessProbe"].pop("httpGet")
    assert "httpget" in (mistake(deployment, NEWEST) or "")
    autoscaler = manifest("hpa.yaml")
    autoscaler["spec"]["minReplicas"] = "two"
    assert "minReplicas" in (mistake(autoscaler, NEWEST) or "")


def test_every_file_is_applied_or_is_there_to_be_read() -> None:
    there = {path.name for path in FOLDER.glob("*.yaml")}
    assert there == {*MANIFESTS, "kustomization.yaml"}
    assert "secret.example.yaml" not in kustomization()["resources"]
    assert MANIFESTS["namespace.yaml"]["metadata"]["name"] == kustomization()["namespace"]


def selectors() -> dict[str, dict[str, str]]:
    """The labels by which each object finds the pods of the workers."""
    specs = {name: data["spec"] for name, data in MANIFESTS.items() if "spec" in data}
    return {
        "deployment": specs["deployment.yaml"]["selector"]["matchLabels"],
        "disruption budget": specs["pdb.yaml"]["selector"]["matchLabels"],
        "network policy": specs["networkpolicy.yaml"]["podSelector"]["matchLabels"],
        "pod monitor": manifest("optional/podmonitor.yaml")["spec"]["selector"]["matchLabels"],
        "spread": worker()["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    }


@pytest.mark.parametrize("of", selectors())
def test_the_selectors_find_the_pods(of: str) -> None:
    labels = MANIFESTS["deployment.yaml"]["spec"]["template"]["metadata"]["labels"]
    assert selectors()[of].items() <= labels.items()
    assert len(selectors()[of]) == 2


def test_names_lead_to_what_there_is() -> None:
    target = MANIFESTS["hpa.yaml"]["spec"]["scaleTargetRef"]
    deployment = MANIFESTS["deployment.yaml"]
    assert (target["kind"], target["name"]) == (deployment["kind"], deployment["metadata"]["name"])
    assert worker()["serviceAccountName"] == MANIFESTS["serviceaccount.yaml"]["metadata"]["name"]
    settings, keys = container()["envFrom"]
    assert settings["configMapRef"]["name"] == MANIFESTS["configmap.yaml"]["metadata"]["name"]
    assert keys["secretRef"]["name"] == MANIFESTS["secret.example.yaml"]["metadata"]["name"]
    assert {mount["name"] for mount in container()["volumeMounts"]} == {each["name"] for each in worker()["volumes"]}


# ---------------------------------------------------------------- settings


def given() -> dict[str, str]:
    """The settings of the workers."""
    found: dict[str, str] = MANIFESTS["configmap.yaml"]["data"]
    return found


def test_every_variable_is_a_setting_with_a_value_that_is_allowed() -> None:
    names = {name.lower() for name in [*given(), *MANIFESTS["secret.example.yaml"]["stringData"]]}
    assert names <= Settings.model_fields.keys()
    keys = {"livekit_api_key": "a key", "livekit_api_secret": "a secret"}
    pinned_settings(**{name.lower(): value for name, value in given().items()}, **keys)


def test_secrets_are_in_the_secret_alone_and_only_as_placeholders() -> None:
    assert not {name.upper() for name in SECRETS} & given().keys()
    assert set(MANIFESTS["secret.example.yaml"]["stringData"].values()) == {"REPLACE_ME"}
    assert not {DEV_KEY, DEV_SECRET} & set(given().values())
    assert "env" not in container()


def test_calls_have_time_to_end_before_a_pod_is_killed() -> None:
    assert worker()["terminationGracePeriodSeconds"] >= int(given()["DRAIN_TIMEOUT_S"]) + 30


def test_the_ports_are_the_monitors() -> None:
    (port,) = container()["ports"]
    assert str(port["containerPort"]) == given()["MONITOR_PORT"] == str(pinned_settings().monitor_port)
    assert [str(port["containerPort"])] == arguments("EXPOSE")
    annotations = MANIFESTS["deployment.yaml"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == given()["MONITOR_PORT"]
    probes = {name: container()[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert [probe["path"] for probe in probes.values()] == ["/healthz", "/healthz", "/readyz"]
    (ingress,) = MANIFESTS["networkpolicy.yaml"]["spec"]["ingress"]
    assert [each["port"] for each in ingress["ports"]] == [port["name"]]
    (endpoint,) = manifest("optional/podmonitor.yaml")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == port["name"]


def test_workers_are_added_before_they_are_full() -> None:
    (metric,) = MANIFESTS["hpa.yaml"]["spec"]["metrics"]
    target = metric["pods"]["target"]["averageValue"]
    assert 0 < int(target) < int(given()["MAX_CALLS"])
    (rule,) = manifest("optional/prometheus-adapter-values.yaml")["rules"]["custom"]
    assert rule["name"]["as"] == metric["pods"]["metric"]["name"]
    assert rule["seriesQuery"].startswith(metric["pods"]["metric"]["name"] + "{")
    monitoring = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    assert f"| `{metric['pods']['metric']['name']}` |" in monitoring


def test_files_are_written_only_to_volumes() -> None:
    mounted = [mount["mountPath"] for mount in container()["volumeMounts"]]
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    for name in ("LOG_FILE", "METRICS_FILE"):
        assert any(given()[name].startswith(f"{path}/") for path in mounted), name
    assert arguments("WORKDIR")[-1] in mounted


# ---------------------------------------------------------------- security


def test_a_pod_has_no_more_rights_than_it_needs() -> None:
    pod, inside = worker()["securityContext"], container()["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert f"{pod['runAsUser']}:{pod['runAsGroup']}" == arguments("USER")[-1]
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside["allowPrivilegeEscalation"] is False
    assert inside["capabilities"] == {"drop": ["ALL"]}
    assert worker()["automountServiceAccountToken"] is False
    assert not any(key in worker() for key in ("hostNetwork", "hostPID", "hostIPC"))


def test_the_image_has_the_version_of_the_package() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version
    image: dict[str, Any]
    (image,) = kustomization()["images"]
    assert image["name"] == container()["image"]
    assert image["newTag"] == version[1]
