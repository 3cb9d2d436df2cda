"""The manifests: against the schemas of Kubernetes, and as one whole."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.access import OPEN_PATHS
from service.settings import ServiceSettings
from workers.settings import Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FOLDER = DEPLOY / "kubernetes"
_NOT_OF_KUBERNETES = {"Kustomization", "ScaledObject"}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


BASE = [each for path in sorted(FOLDER.glob("*.yaml")) for each in documents(path)]
ALL = BASE + documents(DEPLOY / "webhooks" / "webhooks.yaml")


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = [d for d in ALL if d["kind"] == kind and d["metadata"]["name"] == name]
    return found


def pods() -> dict[str, dict[str, Any]]:
    """The pods of every workload."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in ALL
        if each["kind"] in {"Deployment", "StatefulSet"}
    }


@pytest.mark.parametrize(
    "document",
    [each for each in ALL if each["kind"] not in _NOT_OF_KUBERNETES],
    ids=lambda each: f"{each['kind']}-{each['metadata']['name']}",
)
def test_a_manifest_fits_its_schema(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.34", strict=True)


def test_every_manifest_is_applied() -> None:
    (kustomization,) = documents(FOLDER / "kustomization.yaml")
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == {name for name in kustomization["resources"] if name.endswith(".yaml")}


def test_every_pod_meets_the_restricted_standard() -> None:
    assert pods().keys() == {"api", "worker", "webhooks", "broker", "cache"}
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", name
        assert not pod["automountServiceAccountToken"], name
        for container in pod["containers"]:
            assert not container["securityContext"]["allowPrivilegeEscalation"], name
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name


def test_a_worker_may_end_its_job_before_it_is_killed() -> None:
    assert pods()["worker"]["terminationGracePeriodSeconds"] > Settings().hard_time_limit_s


def test_the_probes_of_the_api_need_no_key() -> None:
    (container,) = pods()["api"]["containers"]
    asked = {
        container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "liveness", "readiness")
    }
    assert asked == {"/health/live", "/health/ready"} <= OPEN_PATHS


def test_what_is_spoken_of_is_there() -> None:
    """Every name that one manifest has of another: labels, ports, targets, settings."""
    labels = [
        each["spec"]["template"]["metadata"]["labels"]
        for each in ALL
        if "template" in each.get("spec", {})
    ]
    for each in ALL:
        if each["kind"] in {"Service", "PodDisruptionBudget"}:
            selector = each["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)
            assert any(wanted.items() <= have.items() for have in labels), each["metadata"]
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        target = next(each for each in ALL if each["kind"] == kind)["spec"]["scaleTargetRef"][
            "name"
        ]
        assert one("Deployment", target)
    known = {f"POINTACTION_{name.upper()}" for name in ServiceSettings.model_fields}
    told = set(one("ConfigMap", "settings")["data"]) | {
        variable["name"]
        for pod in pods().values()
        for c in pod["containers"]
        for variable in c["env"]
    }
    assert {name for name in told if name.startswith("POINTACTION_")} <= known


def test_workers_reach_redis_the_store_and_names_and_take_no_calls() -> None:
    policies = [each["spec"] for each in ALL if each["kind"] == "NetworkPolicy"]
    labels = one("Deployment", "worker")["spec"]["template"]["metadata"]["labels"]
    (nobody,) = [each for each in policies if not each["podSelector"]]
    assert set(nobody["policyTypes"]) == {"Ingress", "Egress"}
    assert "egress" not in nobody
    assert "ingress" not in nobody
    theirs = [
        each
        for each in policies
        if each["podSelector"] and each["podSelector"]["matchLabels"].items() <= labels.items()
    ]
    ports = {port["port"] for each in theirs for rule in each["egress"] for port in rule["ports"]}
    assert ports == {53, 6379, 443}
    assert all("ingress" not in each for each in theirs)


def test_workers_are_scaled_by_the_age_of_the_queue() -> None:
    (trigger,) = one("ScaledObject", "worker")["spec"]["triggers"]
    assert trigger["metricType"] == "Value"
    assert trigger["metadata"]["valueLocation"] == "pointaction_queue_age_seconds"
    assert one("ScaledObject", "worker")["spec"]["minReplicaCount"] > 0


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl here")
@pytest.mark.parametrize("parts", [[], ["gpu", "webhooks"]], ids=["plain", "with-components"])
def test_kustomize_puts_them_together(parts: list[str], tmp_path: Path) -> None:
    kustomization = {
        "resources": [os.path.relpath(FOLDER, tmp_path.resolve())],
        "components": [os.path.relpath(DEPLOY / part, tmp_path.resolve()) for part in parts],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    done = subprocess.run(["kubectl", "kustomize", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    settings = [each for each in made if "redis.conf" in each.get("data", {})]
    assert len(settings) == 2
    (worker,) = [
        each["spec"]["template"]["spec"]["containers"][0]
        for each in made
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "worker"
    ]
    assert ("nvidia.com/gpu" in worker["resources"]["limits"]) == ("gpu" in parts)
    assert ("cuda" in worker["image"]) == ("gpu" in parts)
    assert any(each["metadata"]["name"] == "webhooks" for each in made) == ("webhooks" in parts)
