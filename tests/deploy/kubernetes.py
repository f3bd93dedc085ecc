"""The manifests of deploy/kubernetes, read as Kubernetes reads them, and checked by its schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from kubernetes_validate.utils import ValidationError, validate

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.29", "1.37"  # versions of Kubernetes


def manifest(name: str) -> dict[str, Any]:
    """The one object of that file."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return found


def kustomization() -> dict[str, Any]:
    return manifest("kustomization.yaml")


def manifests() -> dict[str, dict[str, Any]]:
    """The objects that are applied, and the example of the Secret, by file."""
    return {name: manifest(name) for name in [*kustomization()["resources"], "secret.example.yaml"]}


def mistake(data: dict[str, Any], version: str) -> str | None:
    """What Kubernetes of that version would refuse, an unknown key too; None where nothing."""
    try:
        validate(data, version, strict=True)
    except ValidationError as error:
        return f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
    return None


def worker() -> dict[str, Any]:
    """The spec of a worker's pod."""
    found: dict[str, Any] = manifest("deployment.yaml")["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    """The container of a worker's pod."""
    (found,) = worker()["containers"]
    assert isinstance(found, dict)
    return found
