"""The manifests: against the schemas of Kubernetes, and as one whole."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.access import OPEN_PATHS
from service.settings import ServiceSettings
from tests.deploy.words import understood
from workers.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
FOLDER = DEPLOY / "kubernetes"
_NOT_OF_KUBERNETES = {"Kustomization", "ScaledObject"}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


BASE = [each for path in sorted(FOLDER.glob("*.yaml")) for each in documents(path)]
EXTRACT = [
    each for name in ("worker", "command") for each in documents(DEPLOY / f"extract/{name}.yaml")
]
ALL = BASE + EXTRACT + documents(DEPLOY / "webhooks" / "webhooks.yaml")


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = [d for d in ALL if d["kind"] == kind and d["metadata"]["name"] == name]
    return found


def pods() -> dict[str, dict[str, Any]]:
    """The pods of every workload."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in ALL
        if each["kind"] in {"Deployment", "StatefulSet", "Job"}
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
    names = {"api", "worker", "worker-extract", "extract", "webhooks", "broker", "cache"}
    assert pods().keys() == names
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", name
        assert not pod["automountServiceAccountToken"], name
        for container in pod["containers"]:
            assert not container["securityContext"]["allowPrivilegeEscalation"], name
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name


@pytest.mark.parametrize("name", ["worker", "worker-extract"])
def test_a_worker_may_end_its_work_before_it_is_killed(name: str) -> None:
    assert pods()[name]["terminationGracePeriodSeconds"] > Settings().hard_time_limit_s


def test_workers_for_data_sets_wait_until_somebody_says_how_many() -> None:
    assert one("Deployment", "worker-extract")["spec"]["replicas"] == 0
    (worker,) = pods()["worker-extract"]["containers"]
    assert understood(worker["args"]) == {"takes": "extract"}
    (jobs,) = pods()["worker"]["containers"]
    told, told_too = ({each["name"] for each in c["env"]} for c in (jobs, worker))
    assert told - told_too == {"POINTACTION_THREADS"}  # every clip is followed by one
    assert worker["livenessProbe"] == jobs["livenessProbe"]


def test_the_command_that_hands_clips_out_is_one_and_goes_on_where_it_was() -> None:
    job, pod = one("Job", "extract")["spec"], pods()["extract"]
    (container,) = pod["containers"]
    told = understood(container["args"])
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert told["queue"]
    assert told["output"].startswith("s3://")
    assert (mounts[str(told["source"])], mounts[str(told["spool"])]) == ("clips", "spool")
    (kept,) = [each for each in pod["volumes"] if each["name"] == "spool"]
    assert one("PersistentVolumeClaim", kept["persistentVolumeClaim"]["claimName"])
    (rule,) = [each for each in job["podFailurePolicy"]["rules"] if "onExitCodes" in each]
    assert rule["action"] == "FailJob"  # clips that failed would fail again
    assert rule["onExitCodes"]["containerName"] == container["name"]


@pytest.mark.parametrize("name", ["worker-extract", "extract"])
def test_clips_lie_at_one_path_for_all_and_nobody_writes_there(name: str) -> None:
    (container,) = pods()[name]["containers"]
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    assert mounts["/clips"]["readOnly"]
    (volume,) = [each for each in pods()[name]["volumes"] if each["name"] == "clips"]
    assert volume["persistentVolumeClaim"] == {"claimName": "clips", "readOnly": True}


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


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Deployment", "worker"), ("Deployment", "worker-extract"), ("Job", "extract")],
)
def test_workers_reach_redis_the_store_and_names_and_take_no_calls(kind: str, name: str) -> None:
    policies = [each["spec"] for each in ALL if each["kind"] == "NetworkPolicy"]
    labels = one(kind, name)["spec"]["template"]["metadata"]["labels"]
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
@pytest.mark.parametrize(
    "parts",
    [[], ["gpu", "webhooks"], ["extract"], ["extract", "gpu", "webhooks"]],
    ids=lambda parts: "-".join(parts) or "plain",
)
def test_kustomize_puts_them_together(parts: list[str], tmp_path: Path) -> None:
    for folder in ("deploy", "docker"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    own = tmp_path / "deploy" / "kubernetes" / "kustomization.yaml"
    named = yaml.safe_dump({"components": [f"../{part}" for part in parts]})
    own.write_text(own.read_text() + named)
    done = subprocess.run(["kubectl", "kustomize", own.parent], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    settings = [each for each in made if "redis.conf" in each.get("data", {})]
    assert len(settings) == 2
    workers = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]
        for each in made
        if each["kind"] == "Deployment" and each["metadata"]["name"].startswith("worker")
    }
    assert workers.keys() == {"worker", *(["worker-extract"] if "extract" in parts else [])}
    for worker in workers.values():
        assert ("nvidia.com/gpu" in worker["resources"]["limits"]) == ("gpu" in parts)
        assert worker["image"] == f"pointaction-worker{'-cuda' if 'gpu' in parts else ''}:0.1.0"
    assert any(each["metadata"]["name"] == "webhooks" for each in made) == ("webhooks" in parts)
    kept = [each for each in made if each["kind"] == "PersistentVolumeClaim"]
    assert [each["metadata"]["namespace"] for each in kept] == ["pointaction"] * (
        "extract" in parts
    )
    assert all(each["kind"] != "Job" for each in made)  # which is begun by hand
