from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from pointaction.models.digests import digest
from service import readiness
from service.app import create_app
from service.settings import ServiceSettings
from tests.pointaction.models.stores import know_downloads, pretend, small_store, table
from tests.service.doubles import PlayedWorker
from tests.service.requests import problem
from workers import presence


def test_a_process_that_answers_is_alive(client: TestClient) -> None:
    assert client.get("/health/live").json()["status"] == "alive"


def test_without_a_worker_nothing_is_ready(client: TestClient) -> None:
    answer = client.get("/health/ready")
    document = problem(answer)
    assert (document["kind"], document["status"], document["value"]) == (
        "not-ready",
        503,
        ["workers"],
    )
    assert document["checks"]["broker"] == "ok"
    assert "retry-after" in answer.headers


def test_with_a_worker_all_is_ready(client: TestClient, worker: PlayedWorker) -> None:
    presence.beat(worker.store.redis, "w", takes="both", ttl_s=10)
    answer = client.get("/health/ready").json()
    assert answer["status"] == "ready"
    assert set(answer["checks"].values()) == {"ok"}


def test_a_worker_for_data_sets_alone_makes_nothing_ready(
    client: TestClient, worker: PlayedWorker
) -> None:
    presence.beat(worker.store.redis, "w", takes="extract", ttl_s=10)
    document = problem(client.get("/health/ready"))
    assert document["value"] == ["workers"]
    assert "none that takes jobs" in document["checks"]["workers"]


def test_what_fails_is_named_and_nothing_more(settings: ServiceSettings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    broken = settings.model_copy(
        update={
            "broker_url": f"unix://{tmp_path}/nobody.sock",
            "cache_url": f"unix://{tmp_path}/nobody.sock",
            "blob_url": str(tmp_path / "file" / "blobs"),
        }
    )
    with TestClient(create_app(broken)) as client:
        answer = client.get("/health/ready")
    assert problem(answer)["value"] == ["blobs", "broker", "cache", "workers"]
    assert str(tmp_path) not in answer.text


@pytest.fixture
def own_store(tmp_path: Path) -> Path:
    """A store with the model `small` alone."""
    return small_store(tmp_path)


def readiness_of(settings: ServiceSettings, worker: PlayedWorker, **chosen: object) -> Response:
    presence.beat(worker.store.redis, "w", ttl_s=10)
    with TestClient(create_app(settings.model_copy(update=chosen))) as client:
        return client.get("/health/ready")


def test_a_default_model_that_was_damaged_is_not_ready(
    settings: ServiceSettings, worker: PlayedWorker, own_store: Path
) -> None:
    chosen = {"model_store": own_store, "default_model": "small"}
    assert readiness_of(settings, worker, **chosen).json()["checks"]["models"] == "ok"
    weights = own_store / "small.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    document = problem(readiness_of(settings, worker, **chosen))
    assert (document["status"], document["value"]) == (503, ["models"])
    assert document["checks"]["models"] == (
        "small is missing or damaged; see `pointaction models verify`"
    )
    weights.write_bytes(content)
    assert readiness_of(settings, worker, **chosen).status_code == 200


def test_a_default_that_the_store_lacks_is_not_ready(
    settings: ServiceSettings, worker: PlayedWorker, own_store: Path
) -> None:
    answer = readiness_of(settings, worker, model_store=own_store, default_model="oracle")
    assert "oracle is not in the store" in problem(answer)["checks"]["models"]
    know_downloads(own_store)
    chosen = {"model_store": own_store, "default_model": "small", "tracker": "cotracker3"}
    answer = readiness_of(settings, worker, **chosen)
    assert "cotracker3 is not in the store" in problem(answer)["checks"]["models"]
    pretend(own_store, "cotracker3")  # a receipt without weights
    answer = readiness_of(settings, worker, **chosen)
    assert "cotracker3 is missing or damaged" in problem(answer)["checks"]["models"]


def test_a_default_that_looks_through_what_is_not_installed_is_not_ready(
    settings: ServiceSettings, worker: PlayedWorker, own_store: Path
) -> None:
    know_downloads(own_store)
    weights = own_store / "small.safetensors"
    blind = table(
        "blind",
        digest(weights),
        builder="none",
        inputs="pixels = 64",
        file=weights.name,
        more='backbone = {name = "dinov2-small", sha256 = "7", frames = 2}',
    )
    with (own_store / "catalog.toml").open("a") as catalog:
        catalog.write(blind)
    answer = readiness_of(settings, worker, model_store=own_store, default_model="blind")
    assert problem(answer)["checks"]["models"] == (
        "blind looks through dinov2-small, which is not installed; "
        "see `pointaction models pull dinov2-small`"
    )


def test_a_default_that_another_program_computes_needs_that(
    settings: ServiceSettings,
    worker: PlayedWorker,
    own_store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = {"model_store": own_store, "default_model": "small", "backend": "onnx"}
    installed = {"torch", "onnxruntime"}
    monkeypatch.setattr(readiness, "find_spec", lambda name: name in installed)
    assert readiness_of(settings, worker, **chosen).status_code == 200
    installed.remove("onnxruntime")
    answer = readiness_of(settings, worker, **chosen)
    assert "pip install 'pointaction[onnx]'" in problem(answer)["checks"]["models"]
    installed.remove(
        "torch"
    )  # an API alone: workers are elsewhere, and nobody knows what they have
    assert readiness_of(settings, worker, **chosen).status_code == 200
