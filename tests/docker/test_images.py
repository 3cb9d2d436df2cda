"""The Dockerfiles and the Compose file, as far as they can be judged without Docker."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.words import understood
from workers.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker" / "compose.yaml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return parsed


def tool(name: str) -> str:
    """A program of the development packages."""
    return str(shutil.which(name, path=str(Path(sys.executable).parent)))


@pytest.mark.parametrize("name", ["service", "worker"])
def test_hadolint_finds_nothing_in_a_dockerfile(name: str) -> None:
    path = ROOT / "docker" / f"{name}.Dockerfile"
    done = subprocess.run([tool("hadolint"), path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_compose_file_fits_the_official_schema() -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_container_is_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert not service.get("privileged"), name
    images = [text(name) for name in ("service", "worker")]
    assert all("\nUSER 10001:10001\n" in image for image in images)


def test_only_this_machine_reaches_the_published_ports(compose: dict[str, Any]) -> None:
    published = [port for each in compose["services"].values() for port in each.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_workers_and_redis_have_no_way_out(compose: dict[str, Any]) -> None:
    inward = [name for name, network in compose["networks"].items() if network]
    assert inward == ["back"]
    assert compose["networks"]["back"] == {"internal": True}
    names = {"worker", "worker-gpu", "worker-extract", "worker-extract-gpu", "extract"}
    for name in names | {"broker", "cache"}:
        assert compose["services"][name]["networks"] == ["back"], name


def test_every_container_is_asked_for_its_health(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        health = "healthcheck" in service or "\nHEALTHCHECK " in text(service["build"])
        assert health, name


def test_a_worker_may_end_its_work_before_it_is_killed(compose: dict[str, Any]) -> None:
    for name in ("worker", "worker-gpu", "worker-extract", "worker-extract-gpu"):
        grace = compose["services"][name]["stop_grace_period"]
        assert int(grace.removesuffix("s")) > Settings().hard_time_limit_s


def test_data_sets_are_followed_when_somebody_asks_for_it(compose: dict[str, Any]) -> None:
    worker, command = compose["services"]["worker-extract"], compose["services"]["extract"]
    assert worker["profiles"] == ["extract"]  # and so `up` alone starts none
    assert command["profiles"] == ["by-hand"]
    gpu = compose["services"]["worker-extract-gpu"]
    assert (gpu["command"], gpu["volumes"]) == (worker["command"], worker["volumes"])
    assert gpu["environment"]["POINTACTION_DEVICE"] == "cuda"
    assert understood(worker["command"]) == {"takes": "extract"}
    assert command["restart"] == "no"
    (clips,) = [each for each in worker["volumes"] if "/clips" in each]
    assert clips in command["volumes"]
    assert clips.endswith(":/clips:ro")
    assert not any("/stores" in each for each in worker["volumes"])
    program, word = command["entrypoint"]
    assert program == "pointaction"
    asked = COMPOSE.read_text().partition(" run --rm extract ")[2].splitlines()[0].split()
    told = understood([word, *asked])
    assert told["queue"]
    assert str(told["source"]) == clips.split(":")[-2]
    assert told["output"].startswith(command["volumes"][-1].split(":")[-1])
    assert "/stores\n" in text("worker")  # where its user may write, if it is a volume of Docker


def test_no_password_is_written_down(compose: dict[str, Any]) -> None:
    example = (ROOT / "docker" / "env.example").read_text()
    assigned = [line for line in example.splitlines() if line and not line.startswith("#")]
    assert assigned
    assert all(line.endswith("=") for line in assigned)
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {"/docker/.env", "/docker/pointaction.env"} <= set(ignored)
    assert "REDIS_PASSWORD:?" in compose["services"]["broker"]["environment"]["REDIS_PASSWORD"]


def test_what_is_mounted_exists(compose: dict[str, Any]) -> None:
    mounts = [
        mount.split(":")[0]
        for service in compose["services"].values()
        for mount in service.get("volumes", [])
        if isinstance(mount, str) and mount.startswith("./")
    ]
    assert len(mounts) == 6
    assert [mount for mount in mounts if not (ROOT / "docker" / mount).exists()] == []


def test_nothing_but_the_programs_gets_into_a_build() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert {"pointaction", "workers", "service", "model_store", "pyproject.toml"} <= let_in
    assert not let_in & {"data", "docker", "runs", ".git", "tests"}


def text(build: str | dict[str, str]) -> str:
    """A Dockerfile: by its short name, or as a service of the Compose file names it."""
    name = f"docker/{build}.Dockerfile" if isinstance(build, str) else build["dockerfile"]
    return (ROOT / name).read_text()
