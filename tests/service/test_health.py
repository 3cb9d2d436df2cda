from pathlib import Path

from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
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
