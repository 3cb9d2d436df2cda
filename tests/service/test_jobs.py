import hashlib
import io
import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
from starlette.testclient import TestClient

from pointaction.tracks import Tracks
from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker, eventually, three_tracks
from tests.service.requests import problem, send
from workers.blobs import clip_name
from workers.jobs import Problem

NO_WAIT = {"Prefer": "wait=0"}


def events(text: str) -> list[dict[str, Any]]:
    """Server-sent events as id and data."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
        fields = {name: value for name, _, value in lines if name}
        if fields:
            found.append({"id": fields["id"], "data": json.loads(fields["data"])})
    return found


def test_a_finished_job_shows_what_it_did(client: TestClient) -> None:
    job = client.get(f"/jobs/{send(client).json()['job']}").json()
    assert (job["state"], job["progress"], job["attempts"]) == ("succeeded", 1.0, 1)
    assert (job["stage"], job["position"], job["problem"]) == ("decode", None, None)
    assert job["timings_ms"] == {"decode": 12.5, "track": 30.0}
    assert job["result"]["predictions"][0]["label"] == "moving left"
    assert job["started_at"] <= job["finished_at"]


def test_a_job_that_an_older_release_answered_is_still_shown(
    client: TestClient, worker: PlayedWorker
) -> None:
    job = send(client).json()["job"]
    key = f"job:{job}"
    record = cast("dict[str, str]", worker.store.redis.hgetall(key))
    result = json.loads(record["result"])
    del result["none_of_these"]
    worker.store.redis.hset(key, "result", json.dumps(result))
    assert client.get(f"/jobs/{job}").json()["result"] == result


def test_queued_jobs_know_their_place(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    ids = [send(client, clip=CLIP + bytes(n), headers=NO_WAIT).json()["id"] for n in (1, 2, 3)]
    assert [client.get(f"/jobs/{id}").json()["position"] for id in ids] == [0, 1, 2]


@pytest.mark.parametrize("path", ["", "/events", "/attention", "/tracks", "/overlay"])
def test_a_job_that_there_is_not_is_404(client: TestClient, path: str) -> None:
    document = problem(client.get(f"/jobs/nobody{path}"))
    assert (document["kind"], document["status"], document["value"]) == ("not-found", 404, "nobody")


def test_a_jobs_other_keys_are_not_jobs(client: TestClient) -> None:
    job = send(client).json()["job"]
    assert client.get(f"/jobs/{job}:events").status_code == 404


def test_a_queued_job_can_be_cancelled(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    job = send(client, headers=NO_WAIT).json()["id"]
    answer = client.delete(f"/jobs/{job}")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    worker.gate.set()
    assert client.get(f"/jobs/{job}").json()["state"] == "cancelled"
    assert client.delete(f"/jobs/{job}").status_code == 204
    assert client.get(f"/jobs/{job}").status_code == 404


def test_deleting_a_finished_job_deletes_its_data(client: TestClient, worker: PlayedWorker) -> None:
    job = send(client).json()["job"]
    client.get(f"/jobs/{job}/overlay")
    assert len(worker.blobs.fs.find(worker.blobs.root)) == 2
    assert client.delete(f"/jobs/{job}").status_code == 204
    assert client.get(f"/jobs/{job}").status_code == 404
    assert worker.blobs.fs.find(worker.blobs.root) == []
    assert worker.results.redis.keys() == []
    assert send(client).json()["cached"] is False


def test_data_stays_while_another_job_has_it(client: TestClient, worker: PlayedWorker) -> None:
    first, second = send(client).json()["job"], send(client).json()["job"]
    assert client.delete(f"/jobs/{first}").status_code == 204
    assert client.get(f"/jobs/{second}/attention").status_code == 200
    assert worker.blobs.exists(clip_name(hashlib.sha256(CLIP).hexdigest()))
    assert client.delete(f"/jobs/{second}").status_code == 204
    assert not worker.blobs.exists(clip_name(hashlib.sha256(CLIP).hexdigest()))


def test_events_of_a_finished_job_are_its_final_state(client: TestClient) -> None:
    job = send(client).json()["job"]
    answer = client.get(f"/jobs/{job}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    (event,) = events(answer.text)
    assert event["data"] == client.get(f"/jobs/{job}").json()


def once_followed(worker: PlayedWorker, act: Callable[[], object]) -> None:
    """Act as soon as somebody waits for an event."""

    def wait() -> None:
        eventually(lambda: worker.store.redis.info("clients")["blocked_clients"] > 0)
        act()

    threading.Thread(target=wait).start()


def test_events_begin_at_once_and_end_with_the_job(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.gate.clear()
    job = send(client, headers=NO_WAIT).json()["id"]
    once_followed(worker, worker.gate.set)
    seen = events(client.get(f"/jobs/{job}/events").text)
    states = [event["data"]["state"] for event in seen]
    assert (states[0], states[-1]) == ("queued", "succeeded")
    assert seen[-1]["data"]["result"]["predictions"][0]["label"] == "moving left"
    ids = [tuple(map(int, event["id"].split("-"))) for event in seen]
    assert ids == sorted(set(ids))


def test_events_go_on_after_the_last_that_was_seen(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.gate.clear()
    job = send(client, headers=NO_WAIT).json()["id"]
    first = worker.store.redis.xrange(f"job:{job}:events")[0][0]  # type: ignore[index]
    worker.gate.set()
    assert eventually(lambda: client.get(f"/jobs/{job}").json()["state"] == "succeeded")
    resumed = events(client.get(f"/jobs/{job}/events", headers={"Last-Event-ID": str(first)}).text)
    assert [event["data"]["state"] for event in resumed] == ["succeeded"]
    again = client.get(f"/jobs/{job}/events", headers={"Last-Event-ID": resumed[-1]["id"]})
    assert again.status_code == 204


def test_a_strange_last_event_id_is_ignored(client: TestClient) -> None:
    job = send(client).json()["job"]
    answer = client.get(f"/jobs/{job}/events", headers={"Last-Event-ID": "$"})
    assert len(events(answer.text)) == 1


def test_events_of_a_job_that_is_deleted_end(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    id = send(client, headers=NO_WAIT).json()["id"]
    job = worker.store.get(id)
    assert job is not None
    once_followed(worker, partial(worker.store.delete, job))
    assert [event["data"]["state"] for event in events(client.get(f"/jobs/{id}/events").text)] == [
        "queued"
    ]


def test_attention_comes_with_its_tracks(client: TestClient) -> None:
    job = send(client).json()["job"]
    answer = client.get(f"/jobs/{job}/attention")
    found = answer.json()
    assert (found["heads"], found["tracks"], found["frames"]) == (2, 3, 4)
    assert found["size"] == [16, 24]
    assert np.allclose(np.sum(found["weights"], axis=1), 1, atol=1e-2)
    assert np.array_equal(found["xy"], three_tracks().xy)
    assert found["visible"][0] == [True] * 4
    assert answer.headers["vary"] == "Accept"


def test_attention_comes_as_npz_to_who_accepts_that(client: TestClient) -> None:
    job = send(client).json()["job"]
    answer = client.get(f"/jobs/{job}/attention", headers={"Accept": "application/x-npz"})
    assert answer.headers["content-type"] == "application/x-npz"
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as file:
        assert file["weights"].shape == (2, 3)
        assert np.array_equal(file["xy"], three_tracks().xy)


def test_attention_in_another_form_is_406(client: TestClient) -> None:
    job = send(client).json()["job"]
    document = problem(client.get(f"/jobs/{job}/attention", headers={"Accept": "text/csv"}))
    assert (document["kind"], document["status"]) == ("not-acceptable", 406)
    assert document["limit"] == ["application/json", "application/x-npz"]


def test_tracks_can_be_taken_and_sent_again(client: TestClient) -> None:
    job = send(client).json()["job"]
    answer = client.get(f"/jobs/{job}/tracks")
    assert f'filename="{job}.tracks.npz"' in answer.headers["content-disposition"]
    assert np.array_equal(Tracks.load(io.BytesIO(answer.content)).xy, three_tracks().xy)
    again = client.post("/classify", files={"tracks": ("a", answer.content)})
    assert again.status_code == 200


@pytest.mark.parametrize("what", ["attention", "tracks", "overlay"])
def test_a_job_that_runs_has_nothing_to_show_yet(
    client: TestClient, worker: PlayedWorker, what: str
) -> None:
    worker.gate.clear()
    job = send(client, headers=NO_WAIT).json()["id"]
    document = problem(client.get(f"/jobs/{job}/{what}"))
    assert (document["kind"], document["status"]) == ("not-finished", 409)
    assert (document["value"], document["job"]) == ("queued", job)


@pytest.mark.parametrize("what", ["attention", "tracks", "overlay"])
def test_a_failed_job_has_nothing_to_show(
    client: TestClient, worker: PlayedWorker, what: str
) -> None:
    worker.problem = Problem(kind="undecodable", detail="no")
    job = send(client).json()["job"]
    document = problem(client.get(f"/jobs/{job}/{what}"))
    assert (document["kind"], document["value"]) == ("no-result", "failed")


@pytest.mark.parametrize("what", ["attention", "tracks"])
def test_data_that_has_expired_is_410(client: TestClient, worker: PlayedWorker, what: str) -> None:
    job = send(client).json()["job"]
    worker.results.redis.flushall()
    document = problem(client.get(f"/jobs/{job}/{what}"))
    assert (document["kind"], document["status"], document["job"]) == ("expired", 410, job)
