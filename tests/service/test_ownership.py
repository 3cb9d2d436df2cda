"""What one key made is not there for another."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from service.app import create_app
from service.keys import KeyStore
from service.settings import ServiceSettings
from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker, eventually
from tests.service.requests import problem, send
from tests.service.serving import bearer
from tests.service.teaching import NO_WAIT, ask, form, post, teach
from workers.blobs import clip_name

CONTENT = hashlib.sha256(CLIP).hexdigest()
NOBODY = "0" * 32


@dataclass(frozen=True)
class Two:
    """One service, and the keys of two who use it."""

    client: TestClient
    anna: dict[str, str]
    ben: dict[str, str]


def two(client: TestClient, worker: PlayedWorker) -> Two:
    keys = KeyStore(worker.store.redis)
    anna, ben = (bearer(keys.create(name)[0]) for name in ("anna", "ben"))
    return Two(client=client, anna=anna, ben=ben)


@pytest.fixture
def both(client: TestClient, worker: PlayedWorker) -> Two:
    return two(client, worker)


@pytest.fixture
def sharing(settings: ServiceSettings, worker: PlayedWorker) -> Iterator[Two]:
    """The same where the operator shares the cache."""
    shared = settings.model_copy(update={"share_cache": True})
    with TestClient(create_app(shared, queue=worker)) as client:
        yield two(client, worker)


def same_as_of_nobody(both: Two, method: str, path: str, id: str) -> bool:
    """Whether Ben is told of it what he is told of what was never there."""

    def told(path: str) -> tuple[int, str]:
        answer = both.client.request(method, path, headers=both.ben)
        document = problem(answer)
        del document["request_id"]
        return answer.status_code, str(document)

    found = told(path.replace("ID", id))
    status, text = told(path.replace("ID", NOBODY))
    return found == (404, text.replace(NOBODY, id)) and status == 404


JOB_PATHS = [
    ("GET", "/jobs/ID"),
    ("DELETE", "/jobs/ID"),
    ("GET", "/jobs/ID/events"),
    ("GET", "/jobs/ID/attention"),
    ("GET", "/jobs/ID/tracks"),
    ("GET", "/jobs/ID/overlay"),
    ("GET", "/jobs/ID/overlay?format=png"),
    ("GET", "/jobs/ID/clip"),
    ("GET", "/jobs/ID/segments"),
]


@pytest.mark.parametrize(("method", "path"), JOB_PATHS)
def test_a_job_is_not_there_for_another_key(both: Two, method: str, path: str) -> None:
    job = send(both.client, headers=both.anna).json()["job"]
    both.client.get(f"/jobs/{job}/overlay", headers=both.anna)
    assert same_as_of_nobody(both, method, path, job)
    assert both.client.get(f"/jobs/{job}", headers=both.anna).status_code == 200


def test_nor_is_one_for_who_has_no_key(both: Two) -> None:
    job = send(both.client, headers=both.anna).json()["job"]
    assert both.client.get(f"/jobs/{job}").status_code == 404
    nobodys = send(both.client).json()["job"]
    assert both.client.get(f"/jobs/{nobodys}").status_code == 200
    assert both.client.get(f"/jobs/{nobodys}", headers=both.anna).status_code == 404


def test_a_drawing_s_job_is_its_owner_s(both: Two, worker: PlayedWorker) -> None:
    job = send(both.client, headers=both.anna).json()["job"]
    worker.gate.clear()
    later = both.client.get(f"/jobs/{job}/overlay", headers=both.anna | NO_WAIT)
    where = later.headers["location"]
    assert both.client.get(where, headers=both.anna).status_code == 200
    assert both.client.get(where, headers=both.ben).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/episodes/ID"),
        ("DELETE", "/episodes/ID"),
        ("PATCH", "/episodes/ID"),
        ("POST", "/episodes/ID/support"),
        ("POST", "/episodes/ID/classify"),
        ("DELETE", f"/episodes/ID/support/{NOBODY}"),
    ],
)
def test_an_episode_is_not_there_for_another_key(both: Two, method: str, path: str) -> None:
    episode = teach(both.client, headers=both.anna).json()["id"]
    assert same_as_of_nobody(both, method, path, episode)
    listed = [
        [each["id"] for each in both.client.get("/episodes", headers=key).json()]
        for key in (both.anna, both.ben)
    ]
    assert listed == [[episode], []]


def test_the_jobs_of_an_episode_are_its_owner_s(both: Two) -> None:
    found = teach(both.client, headers=both.anna).json()
    (first, *_) = (example["job"] for each in found["classes"] for example in each["examples"])
    assert both.client.get(f"/jobs/{first}", headers=both.anna).status_code == 200
    assert both.client.get(f"/jobs/{first}", headers=both.ben).status_code == 404


def test_another_key_s_jobs_are_no_examples(both: Two) -> None:
    theirs = send(both.client, headers=both.anna).json()["job"]
    mine = send(both.client, clip=CLIP + b"n", headers=both.ben).json()["job"]
    parts = form(("jobs", theirs), ("jobs", mine), ("labels", "wave"), ("labels", "nod"))

    def tried(headers: dict[str, str]) -> Response:
        return both.client.post("/episodes", files=parts, headers=headers)

    assert [problem(tried(key))["value"] for key in (both.ben, both.anna)] == [theirs, mine]
    episode = teach(both.client, headers=both.ben).json()["id"]
    added = both.client.post(
        f"/episodes/{episode}/support",
        files=form(("jobs", theirs), ("labels", "wave")),
        headers=both.ben,
    )
    assert problem(added)["kind"] == "not-found"


def test_who_sends_what_another_has_sent_cannot_tell(both: Two, worker: PlayedWorker) -> None:
    first = send(both.client, headers=both.anna).json()
    second = send(both.client, headers=both.ben).json()
    again = send(both.client, headers=both.ben).json()
    assert [each["cached"] for each in (first, second, again)] == [False, False, True]
    assert worker.submitted == [first["job"], second["job"]]  # so it took as long, too
    assert second["timings_ms"] == first["timings_ms"]
    jobs = [
        both.client.get(f"/jobs/{each['job']}", headers=key).json()
        for each, key in ((first, both.anna), (second, both.ben))
    ]
    assert [(job["state"], job["attempts"]) for job in jobs] == [("succeeded", 1)] * 2


def test_without_a_key_the_cache_is_that_of_all_without_one(both: Two) -> None:
    assert send(both.client, headers=both.anna).json()["cached"] is False
    assert [send(both.client).json()["cached"] for _ in range(2)] == [False, True]


def test_what_one_deletes_another_keeps(both: Two, worker: PlayedWorker) -> None:
    of_anna = send(both.client, headers=both.anna).json()["job"]
    of_ben = send(both.client, headers=both.ben).json()["job"]
    assert both.client.delete(f"/jobs/{of_anna}", headers=both.anna).status_code == 204
    for path in ("attention", "tracks", "overlay"):
        answer = both.client.get(f"/jobs/{of_ben}/{path}", headers=both.ben)
        assert answer.status_code == 200
    assert send(both.client, headers=both.anna).json()["cached"] is False  # hers is gone
    assert worker.blobs.exists(clip_name(CONTENT))


def test_nothing_is_left_when_the_last_has_deleted(both: Two, worker: PlayedWorker) -> None:
    jobs = [(send(both.client, headers=key).json()["job"], key) for key in (both.anna, both.ben)]
    for job, key in jobs:
        assert both.client.get(f"/jobs/{job}/overlay", headers=key).status_code == 200
    for job, key in jobs:
        assert worker.blobs.exists(clip_name(CONTENT))
        assert both.client.delete(f"/jobs/{job}", headers=key).status_code == 204
    assert worker.blobs.fs.find(worker.blobs.root) == []
    assert worker.results.redis.keys() == []
    assert worker.store.redis.keys("content:*") == []
    assert worker.store.redis.keys("pending:*") == []


def test_a_shared_cache_answers_everybody(sharing: Two, worker: PlayedWorker) -> None:
    first = send(sharing.client, headers=sharing.anna).json()
    second = send(sharing.client, headers=sharing.ben).json()
    assert [first["cached"], second["cached"]] == [False, True]
    assert worker.submitted == [first["job"]]
    assert sharing.client.get(f"/jobs/{first['job']}", headers=sharing.ben).status_code == 404


def test_a_drawing_of_shared_results_can_be_followed_by_each(
    sharing: Two, worker: PlayedWorker
) -> None:
    jobs = {key: send(sharing.client, headers=of).json()["job"] for key, of in _named(sharing)}
    worker.gate.clear()
    for key, of in _named(sharing):
        later = sharing.client.get(f"/jobs/{jobs[key]}/overlay", headers=of | NO_WAIT)
        assert later.status_code == 202
        assert sharing.client.get(later.headers["location"], headers=of).status_code == 200
    worker.gate.set()
    for key, of in _named(sharing):
        assert sharing.client.get(f"/jobs/{jobs[key]}/overlay", headers=of).status_code == 200


def _named(both: Two) -> list[tuple[str, dict[str, str]]]:
    return [("anna", both.anna), ("ben", both.ben)]


@pytest.mark.parametrize("path", ["/classify", "/episodes"])
def test_an_idempotency_key_is_its_owner_s(both: Two, path: str) -> None:
    def sent(key: dict[str, str]) -> str:
        headers = key | {"Idempotency-Key": "1"}
        if path == "/episodes":
            return str(teach(both.client, headers=headers).json()["id"])
        return str(send(both.client, headers=headers).json()["job"])

    ids = [sent(key) for key in (both.anna, both.ben, both.anna, both.ben)]
    assert ids[:2] == ids[2:]
    assert ids[0] != ids[1]


def test_the_same_question_to_two_episodes_is_answered_for_each(both: Two) -> None:
    for key, right in ((both.anna, "wave"), (both.ben, "nod")):
        other = {"wave": "nod", "nod": "wave"}[right]
        examples = [(right, "1w"), (other, "2n")]
        episode = post(both.client, "/episodes", examples, headers=key).json()["id"]

        def progress(id: str = episode, key: dict[str, str] = key) -> float:
            return float(both.client.get(f"/episodes/{id}", headers=key).json()["progress"])

        assert eventually(lambda: progress() == 1)
        answer = ask(both.client, episode, "3w", headers=key).json()
        assert answer["predictions"][0]["label"] == right
