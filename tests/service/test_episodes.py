import hashlib
import json
import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.service.doubles import PlayedWorker, eventually
from tests.service.requests import problem, send
from tests.service.teaching import (
    NO_WAIT,
    TWO_CLASSES,
    ask,
    clip,
    examples_of,
    form,
    post,
    read,
    teach,
)
from workers.blobs import clip_name


@pytest.fixture
def guarded(settings: ServiceSettings, worker: PlayedWorker) -> Iterator[TestClient]:
    """A service with the keys `one` and `two`."""
    keys = settings.model_copy(update={"api_keys": SecretStr("one,two"), "open": False})
    with TestClient(create_app(keys, queue=worker)) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_examples_become_an_episode_and_a_job_each(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.gate.clear()
    answer = teach(client, name="mine", head="otam")
    found = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/episodes/{found['id']}"
    assert (found["name"], found["head"], found["model"]) == ("mine", "otam", "tiny")
    assert (found["state"], found["progress"]) == ({"pending": 3, "ready": 0, "failed": 0}, 0)
    shown = [(each["label"], [e["name"] for e in each["examples"]]) for each in found["classes"]]
    assert shown == [("wave", ["1w.mp4", "2w.mp4"]), ("nod", ["1n.mp4"])]
    jobs = [each["job"] for each in examples_of(found)]
    assert worker.submitted == jobs
    assert [client.get(f"/jobs/{job}").json()["kind"] for job in jobs] == ["example"] * 3
    worker.gate.set()
    assert eventually(lambda: read(client, found["id"])["progress"] == 1)
    assert read(client, found["id"])["state"] == {"pending": 0, "ready": 3, "failed": 0}


def test_a_clip_is_told_by_the_examples(client: TestClient, episode: str) -> None:
    answer = ask(client, episode, "3w")
    assert answer.status_code == 200
    found = answer.json()
    assert found["predictions"] == [{"label": "wave", "score": 1.0}, {"label": "nod", "score": 0.0}]
    assert (found["none_of_these"], found["episode"]) == (False, episode)
    untrained = {"name": "prototype", "version": "1", "digest": None, "licence": "Apache-2.0"}
    assert found["head"] == untrained
    assert [each["name"] for each in found["nearest"]] == ["1w.mp4", "2w.mp4"]
    assert found["matches"][0]["query"] == [0]
    assert client.get(f"/jobs/{found['job']}").json()["result"] == found


def test_an_episode_stays_with_the_model_that_was_the_default(client: TestClient) -> None:
    assert teach(client, model="default").json()["model"] == "tiny"
    assert teach(client, model="tiny@1").json()["model"] == "tiny@1"


def test_a_clip_may_be_none_of_these(client: TestClient, episode: str) -> None:
    assert ask(client, episode, "3x").json()["none_of_these"] is True


def test_what_is_shown_can_be_chosen(client: TestClient, episode: str) -> None:
    found = ask(client, episode, "3w", top_k="1", attention="false").json()
    assert [each["label"] for each in found["predictions"]] == ["wave"]
    assert found["attention"] is None
    assert problem(ask(client, episode, "3w", top_k="0"))["kind"] == "invalid-field"


def test_an_example_is_a_job_with_a_result_of_its_own(client: TestClient, episode: str) -> None:
    first = examples_of(read(client, episode))[0]
    result = client.get(f"/jobs/{first['job']}").json()["result"]
    assert (result["episode"], result["example"], result["label"]) == (episode, first["id"], "wave")


@pytest.mark.parametrize("kind", ["example", "match"])
def test_what_an_episode_saw_can_be_looked_at(
    client: TestClient, worker: PlayedWorker, episode: str, kind: str
) -> None:
    job = examples_of(read(client, episode))[0]["job"]
    if kind == "match":
        job = ask(client, episode, "3w").json()["job"]
    assert client.get(f"/jobs/{job}/attention").json()["heads"] == 2
    assert client.get(f"/jobs/{job}/tracks").status_code == 200
    assert client.get(f"/jobs/{job}/overlay").content == b"mp4 of mean"
    assert client.delete(f"/jobs/{job}").status_code == 204
    assert client.get(f"/jobs/{job}/attention").status_code == 404


def test_a_classification_and_a_query_of_one_clip_have_their_own_attention(
    client: TestClient, worker: PlayedWorker, episode: str
) -> None:
    classified = send(client, clip=clip("3w")).json()["job"]
    matched = ask(client, episode, "3w").json()["job"]
    keys = sorted(worker.results.redis.keys("result:*"))
    assert client.delete(f"/jobs/{classified}").status_code == 204
    assert sorted(worker.results.redis.keys("result:*")) == keys  # the query has the same content
    assert client.get(f"/jobs/{matched}/attention").status_code == 200
    assert client.delete(f"/jobs/{matched}").status_code == 204
    assert len(worker.results.redis.keys("result:*")) == 3  # of the examples


def test_tracks_are_told_from_clips_by_their_first_bytes(
    client: TestClient, tracks_file: bytes
) -> None:
    files = [("support", ("a", tracks_file)), ("support", ("b", clip("1n")))]
    answer = client.post("/episodes", files=files, data={"labels": ["wave", "nod"]})
    assert answer.status_code == 201
    jobs = [each["job"] for each in examples_of(answer.json())]
    assert eventually(lambda: all(client.get(f"/jobs/{job}").json()["result"] for job in jobs))
    trackers = [client.get(f"/jobs/{job}").json()["result"]["tracker"] for job in jobs]
    assert (trackers[0], trackers[1]["name"]) == (None, "lucas-kanade")
    query = {"tracks": ("q", tracks_file)}
    path = f"/episodes/{answer.json()['id']}/classify"
    assert client.post(path, files=query).json()["predictions"][0]["label"] == "wave"


def test_examples_and_queries_are_seen_by_the_points_of_their_episode(client: TestClient) -> None:
    found = teach(client, points="grid").json()
    assert found["points"] == read(client, found["id"])["points"] == "grid"
    likeness = ask(client, found["id"], "3w").json()
    jobs = [each["job"] for each in examples_of(found)]
    examples = [client.get(f"/jobs/{job}").json()["result"] for job in jobs]
    assert [each["points"]["name"] for each in (likeness, *examples)] == ["grid"] * 4
    assert client.get(f"/jobs/{likeness['job']}/overlay").content == b"mp4 of mean"
    assert teach(client).json()["points"] == "random"  # as the operator says


def test_earlier_jobs_are_examples_without_their_files(client: TestClient) -> None:
    jobs = [send(client, clip=clip(word)).json()["job"] for word in ("1w", "1n")]
    files = form(*(("jobs", job) for job in jobs), ("labels", "wave"), ("labels", "nod"))
    made = client.post("/episodes", files=files)
    assert made.status_code == 201
    assert ask(client, made.json()["id"], "3n").json()["predictions"][0]["label"] == "nod"


def test_an_earlier_job_that_is_not_there_is_404(client: TestClient) -> None:
    files = form(("jobs", "nobody"), ("labels", "wave"))
    document = problem(client.post("/episodes", files=files))
    assert (document["kind"], document["status"], document["value"]) == ("not-found", 404, "nobody")


def test_an_earlier_job_whose_file_is_gone_is_410(client: TestClient, worker: PlayedWorker) -> None:
    jobs = [send(client, clip=clip(word)).json()["job"] for word in ("1w", "1n")]
    worker.blobs.delete(clip_name(hashlib.sha256(clip("1w")).hexdigest()))
    files = form(*(("jobs", job) for job in jobs), ("labels", "wave"), ("labels", "nod"))
    document = problem(client.post("/episodes", files=files))
    assert (document["kind"], document["status"]) == ("expired", 410)


def test_a_drawing_is_no_example(client: TestClient, worker: PlayedWorker) -> None:
    job = send(client).json()["job"]
    client.get(f"/jobs/{job}/overlay")
    files = form(("jobs", worker.submitted[1]), ("labels", "wave"))
    document = problem(client.post("/episodes", files=files))
    assert document["kind"] == "no-result"
    assert job in document["detail"]


def test_files_and_jobs_in_one_form_are_refused(client: TestClient, worker: PlayedWorker) -> None:
    files: list[Any] = [("support", ("a.mp4", clip("1w")))]
    document = problem(
        client.post("/episodes", files=files, data={"jobs": ["x"], "labels": ["a", "b"]})
    )
    assert document["kind"] == "invalid-field"
    assert worker.submitted == []


def test_a_query_before_the_examples_are_ready_waits_for_them(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.gate.clear()
    episode = teach(client).json()["id"]
    answer = ask(client, episode, "3w", headers=NO_WAIT)
    assert answer.status_code == 202
    assert answer.headers["retry-after"] == "1"
    job = client.get(answer.headers["location"]).json()
    assert (job["kind"], job["state"], job["stage"]) == ("match", "queued", "examples")
    assert (job["progress"], job["position"]) == (0, None)
    worker.gate.set()
    assert eventually(lambda: client.get(f"/jobs/{job['id']}").json()["state"] == "succeeded")
    assert worker.submitted[-1] == job["id"]
    assert len(worker.submitted) == 4


def test_who_waits_may_still_get_the_answer_in_time(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.gate.clear()
    episode = teach(client).json()["id"]
    threading.Timer(0.2, worker.gate.set).start()
    answer = ask(client, episode, "3n", headers={"Prefer": "wait=30"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=30")
    assert answer.json()["predictions"][0] == {"label": "nod", "score": 1.0}


def test_a_query_that_waits_can_be_cancelled(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    episode = teach(client).json()["id"]
    job = ask(client, episode, "3w", headers=NO_WAIT).json()["id"]
    assert client.delete(f"/jobs/{job}").json()["state"] == "cancelled"
    worker.gate.set()
    assert eventually(lambda: worker.episodes.held() == {})
    assert job not in worker.submitted


def test_a_query_goes_when_the_last_example_is_cancelled(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.gate.clear()
    episode = teach(client).json()
    job = ask(client, episode["id"], "3w", headers=NO_WAIT).json()["id"]
    assert job not in worker.submitted
    for each in examples_of(episode):
        client.delete(f"/jobs/{each['job']}")
    assert job in worker.submitted
    worker.gate.set()
    assert eventually(lambda: client.get(f"/jobs/{job}").json()["state"] == "failed")


def test_a_query_that_waits_is_told_when_its_episode_is_deleted(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.gate.clear()
    episode = teach(client).json()["id"]
    job = ask(client, episode, "3w", headers=NO_WAIT).json()["id"]
    assert client.delete(f"/episodes/{episode}").status_code == 204
    worker.gate.set()
    assert eventually(lambda: client.get(f"/jobs/{job}").json()["state"] == "failed")
    assert client.get(f"/jobs/{job}").json()["problem"]["status"] == 410


def test_a_clip_that_cannot_be_decoded_is_named_and_the_others_stay(client: TestClient) -> None:
    episode = teach(client, [("wave", "1w"), ("wave", "bad!"), ("nod", "1n")]).json()["id"]
    assert ask(client, episode, "3w").json()["predictions"][0]["label"] == "wave"
    found = read(client, episode)
    assert found["state"] == {"pending": 0, "ready": 2, "failed": 1}
    (bad,) = [each for each in examples_of(found) if each["state"] == "failed"]
    assert (bad["name"], bad["problem"]["status"], bad["problem"]["job"]) == (
        "bad!.mp4",
        415,
        bad["job"],
    )
    assert client.get(f"/jobs/{bad['job']}").json()["problem"]["type"] == bad["problem"]["type"]


def test_an_example_that_failed_can_be_sent_again(client: TestClient, worker: PlayedWorker) -> None:
    episode = teach(client, [*TWO_CLASSES, ("nod", "bad!")]).json()["id"]
    assert eventually(lambda: read(client, episode)["state"]["failed"] == 1)
    count = len(worker.submitted)
    answer = post(client, f"/episodes/{episode}/support", [("nod", "bad!"), ("nod", "1n")])
    assert answer.status_code == 200
    assert len(worker.submitted) == count + 1  # the one that is there already changes nothing
    assert eventually(lambda: read(client, episode)["progress"] == 1)
    assert read(client, episode)["state"] == {"pending": 0, "ready": 3, "failed": 1}


def test_examples_can_be_added(client: TestClient, episode: str) -> None:
    answer = post(client, f"/episodes/{episode}/support", [("sit", "1s"), ("nod", "2n")])
    assert answer.status_code == 200
    shown = [(each["label"], len(each["examples"])) for each in answer.json()["classes"]]
    assert shown == [("wave", 2), ("nod", 2), ("sit", 1)]
    assert ask(client, episode, "3s").json()["predictions"][0]["label"] == "sit"


def test_an_example_can_be_taken_out(
    client: TestClient, worker: PlayedWorker, episode: str
) -> None:
    first, second, last = examples_of(read(client, episode))
    kept = len(worker.blobs.fs.find(f"{worker.blobs.root}/episodes"))
    assert client.delete(f"/episodes/{episode}/support/{first['id']}").status_code == 204
    assert [each["id"] for each in examples_of(read(client, episode))] == [
        second["id"],
        last["id"],
    ]
    assert len(worker.blobs.fs.find(f"{worker.blobs.root}/episodes")) == kept - 1
    again = problem(client.delete(f"/episodes/{episode}/support/{first['id']}"))
    assert (again["kind"], again["value"]) == ("not-found", first["id"])
    document = problem(client.delete(f"/episodes/{episode}/support/{last['id']}"))
    assert (document["kind"], document["limit"], document["value"]) == ("too-few-classes", 2, 1)
    assert "'nod'" in document["detail"]


def test_a_query_goes_on_when_the_last_pending_example_is_taken_out(
    client: TestClient, worker: PlayedWorker, episode: str
) -> None:
    worker.gate.clear()
    post(client, f"/episodes/{episode}/support", [("nod", "2n")])
    job = ask(client, episode, "3w", headers=NO_WAIT).json()["id"]
    assert job not in worker.submitted
    (pending,) = [e for e in examples_of(read(client, episode)) if e["state"] == "pending"]
    client.delete(f"/episodes/{episode}/support/{pending['id']}")
    assert worker.submitted[-1] == job


def test_a_deleted_episode_leaves_nothing(
    client: TestClient, worker: PlayedWorker, episode: str
) -> None:
    jobs = [each["job"] for each in examples_of(read(client, episode))]
    assert client.delete(f"/episodes/{episode}").status_code == 204
    assert worker.blobs.fs.find(worker.blobs.root) == []
    assert worker.results.redis.keys() == []
    assert [client.get(f"/jobs/{job}").status_code for job in jobs] == [404] * 3
    assert client.get("/episodes").json() == []


CALLS = [
    ("GET", ""),
    ("DELETE", ""),
    ("POST", "/support"),
    ("POST", "/classify"),
    ("DELETE", "/support/0"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_deleted_episode_is_404(client: TestClient, episode: str, method: str, path: str) -> None:
    client.delete(f"/episodes/{episode}")
    for id in (episode, "nobody"):
        document = problem(client.request(method, f"/episodes/{id}{path}"))
        assert (document["kind"], document["status"], document["value"]) == ("not-found", 404, id)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_an_episode_of_another_key_is_404(guarded: TestClient, method: str, path: str) -> None:
    mine = teach(guarded, headers=bearer("one")).json()["id"]
    answer = guarded.request(method, f"/episodes/{mine}{path}", headers=bearer("two"))
    assert problem(answer)["kind"] == "not-found"
    assert guarded.get(f"/episodes/{mine}", headers=bearer("one")).status_code == 200


def test_everybody_is_shown_their_own_episodes_the_newest_first(guarded: TestClient) -> None:
    ids = [teach(guarded, headers=bearer("one"), name=n).json()["id"] for n in ("a", "b")]
    teach(guarded, headers=bearer("two"))
    found = guarded.get("/episodes", headers=bearer("one")).json()
    assert [each["id"] for each in found] == ids[::-1]
    assert [each["name"] for each in found] == ["b", "a"]


def test_an_episode_can_be_renamed(client: TestClient, episode: str) -> None:
    before = read(client, episode)
    answer = client.patch(f"/episodes/{episode}", json={"name": "hands & <feet>"})
    assert answer.status_code == 200
    assert answer.json() == before | {"name": "hands & <feet>"}
    assert read(client, episode) == answer.json()
    assert client.patch(f"/episodes/{episode}", json={"name": ""}).json()["name"] == ""


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": 1},
        {"name": "x" * 257},
        {"head": "otam"},
        [],
        {"name": "\ud800"},
        {"name": math.nan},
    ],
)
def test_nothing_else_of_it_changes(client: TestClient, episode: str, change: Any) -> None:
    text = json.dumps(change)
    headers = {"Content-Type": "application/json"}
    answer = client.patch(f"/episodes/{episode}", content=text, headers=headers)
    document = problem(answer)
    assert (document["kind"], document["status"]) == ("invalid-request", 422)
    assert read(client, episode)["name"] == "mine"


def test_a_name_is_no_place_for_files(client: TestClient, episode: str) -> None:
    document = problem(client.patch(f"/episodes/{episode}", json={"name": "x" * 20_000}))
    assert (document["kind"], document["limit"]) == ("body-too-large", 16 * 1024)


def test_a_deleted_episode_does_not_come_back_by_its_name(
    client: TestClient, worker: PlayedWorker, episode: str
) -> None:
    client.delete(f"/episodes/{episode}")
    assert problem(client.patch(f"/episodes/{episode}", json={"name": "x"}))["status"] == 404
    assert worker.episodes.rename(episode, "x") is None
    assert client.get("/episodes").json() == []
