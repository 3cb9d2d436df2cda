from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.pointaction.models.stores import know_downloads, pretend, small_store
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
    presence.beat(worker.store.redis, "w", ttl_s=10)
    answer = client.get("/health/ready").json()
    assert answer["status"] == "ready"
    assert set(answer["checks"].values()) == {"ok"}


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


def readiness(settings: ServiceSettings, worker: PlayedWorker, **chosen: object) -> Response:
    presence.beat(worker.store.redis, "w", ttl_s=10)
    with TestClient(create_app(settings.model_copy(update=chosen))) as client:
        return client.get("/health/ready")


def test_a_default_model_that_was_damaged_is_not_ready(
    settings: ServiceSettings, worker: PlayedWorker, own_store: Path
) -> None:
    chosen = {"model_store": own_store, "default_model": "small"}
    assert readiness(settings, worker, **chosen).json()["checks"]["models"] == "ok"
    weights = own_store / "small.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    document = problem(readiness(settings, worker, **chosen))
    assert (document["status"], document["value"]) == (503, ["models"])
    assert document["checks"]["models"] == (
        "small is missing or damaged; see `pointaction models verify`"
    )
    weights.write_bytes(content)
    assert readiness(settings, worker, **chosen).status_code == 200


def test_a_default_that_the_store_lacks_is_not_ready(
    settings: ServiceSettings, worker: PlayedWorker, own_store: Path
) -> None:
    answer = readiness(settings, worker, model_store=own_store, default_model="oracle")
    assert "oracle is not in the store" in problem(answer)["checks"]["models"]
    know_downloads(own_store)
    chosen = {"model_store": own_store, "default_model": "small", "tracker": "cotracker3"}
    answer = readiness(settings, worker, **chosen)
    assert "cotracker3 is not in the store" in problem(answer)["checks"]["models"]
    pretend(own_store, "cotracker3")  # a receipt without weights
    answer = readiness(settings, worker, **chosen)
    assert "cotracker3 is missing or damaged" in problem(answer)["checks"]["models"]
