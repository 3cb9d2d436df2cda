import hashlib
import threading
from dataclasses import replace
from typing import Any
from unittest.mock import ANY

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.events import JobEvents, connect_async
from service.settings import ServiceSettings
from tests.service.conftest import CLIP
from tests.service.doubles import BrokenQueue, PlayedWorker
from tests.service.requests import problem, send
from workers.blobs import clip_name
from workers.jobs import Problem, State


def test_a_clip_comes_back_as_labels(client: TestClient) -> None:
    answer = send(client, top_k="2")
    assert answer.status_code == 200
    result = answer.json()
    assert result["predictions"] == [
        {"label": "moving left", "score": 0.7},
        {"label": "moving right", "score": 0.2},
    ]
    assert result["clip"]["sha256"] == hashlib.sha256(CLIP).hexdigest()
    assert result["attention"] == {
        "heads": 2,
        "tracks": 3,
        "maps": None,
        "href": f"/jobs/{result['job']}/attention",
    }
    assert result["cached"] is False


def test_only_a_calibrated_model_says_whether_it_is_none_of_its_labels(
    client: TestClient,
) -> None:
    assert send(client, model="tiny").json()["none_of_these"] is None
    unsure = send(client, model="planned").json()
    assert unsure["none_of_these"] is True
    assert send(client, model="planned").json() == unsure | {
        "job": ANY,
        "attention": ANY,
        "cached": True,
    }
    assert client.get(f"/jobs/{unsure['job']}").json()["result"] == unsure


def test_the_same_clip_again_is_answered_from_the_cache(
    client: TestClient, worker: PlayedWorker
) -> None:
    first, second = send(client).json(), send(client, top_k="1", attention="false").json()
    assert second["cached"] is True
    assert second["job"] != first["job"]
    assert second["predictions"] == first["predictions"][:1]
    assert second["attention"] is None
    assert worker.submitted == [first["job"]]
    assert client.get(f"/jobs/{second['job']}").json()["state"] == "succeeded"


def test_tracks_are_taken_instead_of_a_clip(client: TestClient, tracks_file: bytes) -> None:
    answer = client.post("/classify", files={"tracks": ("a.tracks.npz", tracks_file)})
    assert answer.status_code == 200
    assert answer.json()["clip"]["sha256"] == hashlib.sha256(tracks_file).hexdigest()


def test_who_does_not_wait_is_told_where_to_ask(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    answer = send(client, headers={"Prefer": "wait=0"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=0"
    assert int(answer.headers["retry-after"]) >= 1
    job = client.get(answer.headers["location"]).json()
    assert (job["state"], job["position"]) == ("queued", 0)
    assert job["id"] == answer.json()["id"]


def test_waiting_ends_when_the_job_does(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    threading.Timer(0.2, worker.gate.set).start()
    answer = send(client, headers={"Prefer": "wait=30"})
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=30"


def test_waiting_ends_when_the_patience_does(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    assert send(client, headers={"Prefer": "wait=1"}).status_code == 202


def test_a_failed_job_is_answered_with_its_problem(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.problem = Problem(kind="clip-too-long", detail="too long", limit=60.0, value=36000.0)
    document = problem(send(client))
    assert (document["kind"], document["status"]) == ("clip-too-long", 422)
    assert (document["limit"], document["value"]) == (60.0, 36000.0)
    assert client.get(f"/jobs/{document['job']}").json()["problem"]["type"] == document["type"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("no-video-stream", 415),
        ("undecodable", 415),
        ("truncated-clip", 422),
        ("too-few-frames", 422),
        ("frame-too-large", 422),
        ("frame-rate-too-high", 422),
        ("forged-duration", 422),
        ("resolution-changed", 422),
        ("decoder-failure", 422),
        ("poison", 422),
        ("internal", 500),
    ],
)
def test_what_the_worker_finds_has_a_status(
    client: TestClient, worker: PlayedWorker, kind: str, status: int
) -> None:
    worker.problem = Problem(kind=kind, detail="found by the worker", limit=2, value=1)
    document = problem(send(client))
    assert (document["kind"], document["status"]) == (kind, status)
    assert (document["limit"], document["value"]) == (2, 1)


def test_a_cancelled_job_says_so_to_who_waits(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()

    def cancel() -> None:
        worker.store.cancel(worker.submitted[0])

    threading.Timer(0.3, cancel).start()
    assert problem(send(client))["kind"] == "cancelled"


@pytest.mark.parametrize("top_k", ["0", "101", "-1", "five", "5.0", "1" * 30, ""])
def test_top_k_is_1_to_100(client: TestClient, top_k: str) -> None:
    document = problem(send(client, top_k=top_k))
    assert (document["kind"], document["status"]) == ("invalid-field", 422)
    assert (document["limit"], document["value"]) == ([1, 100], top_k)


def test_attention_is_true_or_false(client: TestClient) -> None:
    document = problem(send(client, attention="maybe"))
    assert (document["kind"], document["value"]) == ("invalid-field", "maybe")


def test_an_unknown_model_is_answered_with_those_there_are(client: TestClient) -> None:
    document = problem(send(client, model="oracle"))
    assert (document["kind"], document["status"]) == ("unknown-model", 422)
    assert document["value"] == "oracle"
    assert "tiny" in document["detail"]


def test_quarantined_content_is_refused(client: TestClient, worker: PlayedWorker) -> None:
    worker.store.redis.hset("jobs:quarantine", hashlib.sha256(CLIP).hexdigest(), "some job")
    assert problem(send(client))["kind"] == "quarantined"
    assert worker.submitted == []


def test_one_key_and_payload_make_one_job(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    headers = {"Idempotency-Key": "k1", "Prefer": "wait=0"}
    first, second = send(client, headers=headers), send(client, headers=headers)
    assert first.json()["id"] == second.json()["id"]
    assert worker.submitted == [first.json()["id"]]


@pytest.mark.parametrize("change", [{"top_k": "3"}, {"clip": CLIP + b"more"}])
def test_one_key_with_another_payload_is_refused(
    client: TestClient, change: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = send(client, headers=headers).json()
    document = problem(send(client, headers=headers, **change))
    assert (document["kind"], document["status"]) == ("idempotency-mismatch", 422)
    assert document["job"] == first["job"]


def test_many_at_once_with_one_key_get_one_job(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    headers = {"Idempotency-Key": "k1", "Prefer": "wait=0"}
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: ids.append(send(client, headers=headers).json()["id"]))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 6
    assert len(set(ids)) == 1
    assert worker.submitted == ids[:1]
    assert worker.store.waiting() == ids[:1]


def test_a_key_is_free_again_when_its_job_was_deleted(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = send(client, headers=headers).json()["job"]
    assert client.delete(f"/jobs/{first}").status_code == 204
    assert send(client, headers=headers).json()["job"] != first


def test_an_idempotency_key_has_at_most_255_characters(client: TestClient) -> None:
    document = problem(send(client, headers={"Idempotency-Key": "k" * 256}))
    assert (document["kind"], document["limit"], document["value"]) == ("invalid-request", 255, 256)


def test_a_queue_that_is_down_is_503_and_leaves_nothing(
    settings: ServiceSettings, worker: PlayedWorker
) -> None:
    with TestClient(create_app(settings, queue=BrokenQueue())) as client:
        answer = send(client, headers={"Idempotency-Key": "k1"})
    assert problem(answer)["kind"] == "queue-down"
    assert int(answer.headers["retry-after"]) >= 1
    assert worker.store.waiting() == []
    with TestClient(create_app(settings, queue=worker)) as client:
        assert send(client, headers={"Idempotency-Key": "k1"}).status_code == 200


@pytest.mark.parametrize("away", ["broker_url", "cache_url"])
def test_a_redis_that_is_away_is_503_and_never_500(settings: ServiceSettings, away: str) -> None:
    nowhere = settings.model_copy(update={away: f"unix://{settings.data_dir}/nobody.sock"})
    with TestClient(create_app(nowhere)) as client:
        for answer in (send(client), send(client, headers={"Idempotency-Key": "k1"})):
            assert problem(answer)["kind"] == "queue-down"
            assert "retry-after" in answer.headers


def test_an_accepted_job_is_not_denied_when_redis_goes_away_during_the_wait(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.gate.clear()
    app: Any = client.app
    nowhere = JobEvents(connect_async("unix:///nobody.sock"), worker.store)
    app.state.resources = replace(app.state.resources, events=nowhere)
    answer = send(client)
    assert (answer.status_code, answer.json()["id"]) == (202, worker.submitted[0])


def test_a_message_holds_the_id_of_the_job_and_nothing_else(settings: ServiceSettings) -> None:
    with TestClient(create_app(settings)) as client:
        job = send(client, headers={"Prefer": "wait=0"}).json()["id"]
        store = client.app.state.resources.store  # type: ignore[attr-defined]
        messages = store.redis.lrange(settings.queue, 0, -1)
    assert len(messages) == 1
    assert CLIP.hex() not in messages[0]
    assert job in messages[0]


def test_the_file_lies_in_the_blob_store_before_the_job_is_queued(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.gate.clear()
    send(client, headers={"Prefer": "wait=0"})
    with worker.blobs.open(clip_name(hashlib.sha256(CLIP).hexdigest())) as file:
        assert file.read() == CLIP


def test_the_job_keeps_the_id_of_its_request(client: TestClient, worker: PlayedWorker) -> None:
    answer = send(client, headers={"X-Request-ID": "mine-1"})
    job = worker.store.get(answer.json()["job"])
    assert job is not None
    assert (job.request_id, job.state) == ("mine-1", State.SUCCEEDED)
