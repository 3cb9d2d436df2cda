import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from httpx2 import Response
from pydantic import SecretStr
from starlette.testclient import TestClient

from service.app import create_app
from service.keys import KeyStore, Limits
from service.settings import ServiceSettings
from tests.service.doubles import PlayedWorker, eventually
from tests.service.requests import problem, send
from tests.service.serving import asking_from, bearer
from tests.service.teaching import NO_WAIT, ask, clip, teach
from workers.blobs import clip_name
from workers.errors import NoRoom
from workers.jobs import PLACES, RUNNING, TOOK, ClassifyParams, Job, Problem, Room

Serve = Callable[..., TestClient]


@pytest.fixture
def serve(settings: ServiceSettings, worker: PlayedWorker) -> Iterator[Serve]:
    """A service with some settings changed."""
    running: list[TestClient] = []

    def serve(**changed: object) -> TestClient:
        client = TestClient(create_app(settings.model_copy(update=changed), queue=worker))
        running.append(client)
        return client.__enter__()

    yield serve
    worker.gate.set()
    for client in running:
        client.__exit__()


@pytest.fixture
def keys(worker: PlayedWorker) -> KeyStore:
    return KeyStore(worker.store.redis)


def key_with(keys: KeyStore, name: str = "anna", **limits: int) -> dict[str, str]:
    """The headers of a new key with these limits."""
    return bearer(keys.create(name, limits=Limits(**limits))[0])


def send_later(client: TestClient, word: str, headers: dict[str, str]) -> Response:
    return send(client, clip=clip(word), headers=headers | NO_WAIT)


# Rates


def test_of_six_submissions_a_minute_the_seventh_waits_ten_seconds(
    client: TestClient, keys: KeyStore
) -> None:
    anna, began = key_with(keys, submits_per_minute=6), time.monotonic()
    for left in (5, 4, 3, 2, 1, 0):
        answer = send(client, headers=anna)
        assert answer.headers["ratelimit-policy"] == '"submit";q=6;w=60'
        assert answer.headers["ratelimit"].startswith(f'"submit";r={left};t=')
    answer = send(client, headers=anna)
    document = problem(answer)
    assert (document["kind"], document["status"]) == ("too-many-requests", 429)
    assert document["limit"] == 6
    passed_s = time.monotonic() - began
    assert 10 - passed_s <= int(answer.headers["retry-after"]) <= 10


def test_submitting_and_reading_have_budgets_of_their_own(
    client: TestClient, keys: KeyStore
) -> None:
    anna = key_with(keys, submits_per_minute=1, reads_per_minute=2)
    assert send(client, headers=anna).status_code == 200
    assert [client.get("/models", headers=anna).status_code for _ in range(3)] == [200, 200, 429]
    assert send(client, headers=anna).status_code == 429


def test_one_key_s_budget_is_not_another_s(client: TestClient, keys: KeyStore) -> None:
    anna, ben = (key_with(keys, name, reads_per_minute=1) for name in ("anna", "ben"))
    for headers, statuses in ((anna, [200, 429]), (ben, [200, 429])):
        assert [client.get("/models", headers=headers).status_code for _ in range(2)] == statuses


def test_a_budget_fills_up_again(client: TestClient, keys: KeyStore) -> None:
    anna = key_with(keys, reads_per_minute=1)
    assert client.get("/models", headers=anna).status_code == 200
    (bucket,) = keys.redis.keys("rate:*")
    assert 59_000 < keys.redis.pttl(bucket) <= 60_000  # nothing of it stays
    keys.redis.set(bucket, time.time() + 0.5)  # as if a minute were almost over
    refused = client.get("/models", headers=anna)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    time.sleep(0.5)
    assert client.get("/models", headers=anna).status_code == 200


def test_many_at_once_get_no_more_than_there_is(client: TestClient, keys: KeyStore) -> None:
    anna = key_with(keys, reads_per_minute=5)
    statuses: list[int] = []
    callers = [
        threading.Thread(
            target=lambda: statuses.append(client.get("/models", headers=anna).status_code)
        )
        for _ in range(12)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(statuses) == [200] * 5 + [429] * 7


def test_a_key_that_says_nothing_has_what_the_operator_set(serve: Serve, keys: KeyStore) -> None:
    client = serve(reads_per_minute=1, api_keys=SecretStr("set"))
    silent, free = key_with(keys), key_with(keys, "ben", reads_per_minute=0)
    for headers, statuses in (
        (silent, [200, 429]),
        (bearer("set"), [200, 429]),
        (free, [200, 200]),
    ):
        assert [client.get("/models", headers=headers).status_code for _ in range(2)] == statuses


def test_where_it_is_open_addresses_are_counted(serve: Serve) -> None:
    client = serve(reads_per_minute=1)
    once = ["203.0.113.7", "203.0.113.8", "2001:db8::1", "::ffff:203.0.113.9"]
    for address in once:
        assert asking_from(address, client).get("/models").status_code == 200
    # The same again, the IPv6 one as another of its network.
    for address in ["203.0.113.7", "203.0.113.8", "2001:db8::2", "203.0.113.9"]:
        assert asking_from(address, client).get("/models").status_code == 429


def test_what_is_open_to_all_is_not_counted(serve: Serve) -> None:
    client = serve(reads_per_minute=1)
    for path in ("/health/live", "/", "/docs", "/openapi.json"):
        for _ in range(2):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "ratelimit" not in answer.headers


def test_a_day_has_so_many_submissions(client: TestClient, keys: KeyStore) -> None:
    anna = key_with(keys, submits_per_day=2, submits_per_minute=0)
    assert [send(client, headers=anna).status_code for _ in range(2)] == [200, 200]
    answer = send(client, headers=anna)
    document = problem(answer)
    assert (document["kind"], document["status"]) == ("quota-used-up", 429)
    assert document["limit"] == 2
    day_ends_s = 86400 - time.time() % 86400
    assert int(answer.headers["retry-after"]) == pytest.approx(day_ends_s, abs=5)
    assert client.get("/models", headers=anna).status_code == 200
    (quota,) = keys.redis.keys("quota:*")
    keys.redis.hincrby(quota, "day", -1)  # as if it had been yesterday
    assert send(client, headers=anna).status_code == 200


def test_what_the_rate_refuses_is_not_charged_to_the_day(
    client: TestClient, keys: KeyStore
) -> None:
    anna = key_with(keys, submits_per_minute=1, submits_per_day=9)
    assert [send(client, headers=anna).status_code for _ in range(3)] == [200, 429, 429]
    (quota,) = keys.redis.keys("quota:*")
    assert keys.redis.hget(quota, "used") == "1"


def test_a_body_is_not_read_when_the_budget_is_used_up(client: TestClient, keys: KeyStore) -> None:
    anna = key_with(keys, submits_per_minute=1)
    send(client, headers=anna)

    def chunks() -> Iterator[bytes]:
        yield bytes(100_000)  # what is read while it hangs up
        raise AssertionError("somebody reads on")

    assert client.post("/classify", content=chunks(), headers=anna).status_code == 429


# Jobs that have not ended


def test_a_key_has_so_many_jobs_at_a_time(
    client: TestClient, worker: PlayedWorker, keys: KeyStore
) -> None:
    anna, ben = key_with(keys, pending=2), key_with(keys, "ben", pending=2)
    worker.gate.clear()
    ids = [send_later(client, word, anna).json()["id"] for word in "ab"]
    answer = send_later(client, "c", anna)
    document = problem(answer)
    assert (document["kind"], document["status"]) == ("too-many-pending", 429)
    assert (document["limit"], document["value"], document["position"]) == (2, 2, 0)
    assert int(answer.headers["retry-after"]) >= 1
    assert send_later(client, "c", ben).status_code == 202
    assert client.delete(f"/jobs/{ids[1]}", headers=anna).status_code == 200
    assert send_later(client, "d", anna).status_code == 202
    assert send_later(client, "e", anna).status_code == 429


@pytest.mark.parametrize("fault", [None, Problem(kind="undecodable", detail="no")])
def test_a_job_that_has_ended_makes_room_however_it_did(
    client: TestClient, worker: PlayedWorker, keys: KeyStore, fault: Problem | None
) -> None:
    anna = key_with(keys, pending=1)
    worker.problem = fault
    for word in "abc":
        assert send(client, clip=clip(word), headers=anna).status_code in (200, 415)


def test_a_poisoned_or_deleted_job_makes_room(worker: PlayedWorker) -> None:
    room = Room(pending=1)
    for end in ("poison", "delete"):
        job = new_job()
        worker.store.create(job, room=room)
        with pytest.raises(NoRoom):
            worker.store.create(new_job(), room=room)
        if end == "delete":
            worker.store.delete(job)
        else:
            worker.store.max_attempts = 0
            worker.store.claim(job.id, "somebody")


def new_job() -> Job:
    params = ClassifyParams(model="tiny")
    return Job.new(content="0" * 64, media="clip", params=params, account="anna")


def test_where_it_is_open_an_address_has_so_many_jobs(serve: Serve, worker: PlayedWorker) -> None:
    client = serve(max_pending=1)
    worker.gate.clear()
    here, there = asking_from("203.0.113.7", client), asking_from("203.0.113.8", client)
    statuses = [send_later(each, word, {}).status_code for each in (here, there) for word in "ab"]
    assert statuses == [202, 429, 202, 429]


def test_drawings_count_too(client: TestClient, worker: PlayedWorker, keys: KeyStore) -> None:
    anna = key_with(keys, pending=1)
    job = send(client, headers=anna).json()["job"]
    worker.gate.clear()
    assert client.get(f"/jobs/{job}/overlay", headers=anna | NO_WAIT).status_code == 202
    refused = client.get(f"/jobs/{job}/overlay?format=png", headers=anna | NO_WAIT)
    assert problem(refused)["kind"] == "too-many-pending"


def test_an_episode_comes_in_whole_or_not_at_all(
    client: TestClient, worker: PlayedWorker, keys: KeyStore
) -> None:
    anna = key_with(keys, pending=2)
    document = problem(teach(client, headers=anna))  # three examples
    assert (document["kind"], document["limit"], document["value"]) == ("too-many-pending", 2, 0)
    assert "3 more" in document["detail"]
    assert client.get("/episodes", headers=anna).json() == []
    assert worker.submitted == []
    assert worker.blobs.fs.find(worker.blobs.root) == []


# The queue


def test_a_full_queue_says_how_long_it_is_and_keeps_nothing(
    serve: Serve, worker: PlayedWorker
) -> None:
    client = serve(max_queued=2)
    known = send(client).json()["job"]
    worker.gate.clear()
    # The played worker has taken the message of the first already, but the job waits.
    ids = [send_later(client, word, {}).json()["id"] for word in "ab"]
    answer = send_later(client, "c", {})
    document = problem(answer)
    assert (document["kind"], document["status"]) == ("queue-full", 429)
    assert (document["limit"], document["value"], document["position"]) == (2, 2, 2)
    assert int(answer.headers["retry-after"]) >= 1
    assert worker.submitted == [known, *ids]
    assert not worker.blobs.exists(clip_name(hashlib.sha256(clip("c")).hexdigest()))
    assert send(client).json()["cached"] is True  # what needs no worker is answered
    worker.gate.set()
    assert eventually(lambda: worker.store.waiting() == [])
    assert send_later(client, "c", {}).status_code == 202


def test_many_at_once_do_not_overfill_the_queue(serve: Serve, worker: PlayedWorker) -> None:
    client = serve(max_queued=3)
    worker.gate.clear()
    statuses: list[int] = []

    def submit(word: str) -> None:
        statuses.append(send_later(client, word, {}).status_code)

    callers = [threading.Thread(target=submit, args=(word,)) for word in "abcdefgh"]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(statuses) == [202] * 3 + [429] * 5
    assert len(worker.store.waiting()) == 3


def test_a_redis_that_is_full_is_503_and_files_nothing(
    client: TestClient, worker: PlayedWorker
) -> None:
    redis = worker.store.redis
    redis.config_set("maxmemory", "1")
    try:
        answer = send(client)
    finally:
        redis.config_set("maxmemory", "0")
    assert problem(answer)["kind"] == "queue-down"
    assert redis.keys() == []
    assert send(client).status_code == 200


def test_the_time_to_come_back_is_what_jobs_have_taken(worker: PlayedWorker) -> None:
    store, room = worker.store, Room(queued=2)
    store.create_all([new_job(), new_job()], room=room)
    store.redis.rpush(TOOK, "10", "20")  # seconds
    with pytest.raises(NoRoom) as refused:
        store.create(new_job(), room=room)
    assert refused.value.retry_after_s == 15  # one has to end
    store.redis.zadd(RUNNING, {"one": 0, "another": 0, "a third": 0})
    with pytest.raises(NoRoom) as refused:
        store.check_room("anna", 2, room)
    assert refused.value.retry_after_s == 10  # two have to, and three run at a time


def test_those_who_are_turned_away_are_told_to_come_one_after_the_other(
    worker: PlayedWorker,
) -> None:
    store, room = worker.store, Room(queued=3)
    store.create_all([new_job(), new_job(), new_job()], room=room)
    store.redis.rpush(TOOK, "10")  # seconds

    def told() -> int | None:
        with pytest.raises(NoRoom) as refused:
            store.create(new_job(), room=room)
        return refused.value.retry_after_s

    assert [told() for _ in range(4)] == [10, 20, 30, 30]  # 30: the whole queue, and no longer


def test_a_place_is_kept_for_one_who_has_a_name(worker: PlayedWorker) -> None:
    store, room = worker.store, Room(queued=4)
    first = [new_job() for _ in range(4)]
    store.create_all(first, room=room)
    store.redis.rpush(TOOK, "0.2")  # seconds

    def told(name: str) -> tuple[int | None, int | None]:
        with pytest.raises(NoRoom) as refused:
            store.create(new_job(), room=replace(room, place=name))
        return refused.value.value, refused.value.position

    assert told("anna") == (4, 4)
    store.cancel(first[0].id)
    assert told("ben") == (3, 4)  # the free place is hers
    assert told("") == (3, 5)  # half of all places are kept
    assert told("dora") == (3, 5)
    time.sleep(0.2)
    store.create(new_job(), room=replace(room, place="anna"))
    assert told("anna") == (4, 5)  # she had but one


def test_a_place_that_nobody_comes_for_is_anyones(worker: PlayedWorker) -> None:
    store, room = worker.store, Room(queued=1)
    first = new_job()
    store.create(first, room=room)
    with pytest.raises(NoRoom):
        store.create(new_job(), room=replace(room, place="anna"))
    store.cancel(first.id)
    with pytest.raises(NoRoom, match="places are kept for 1"):
        store.create(new_job(), room=room)
    store.redis.zincrby(PLACES, -60, "anna")  # a minute has gone by
    store.create(new_job(), room=room)


def test_who_names_his_request_gets_in_when_he_was_told(serve: Serve, worker: PlayedWorker) -> None:
    """Whoever else comes in between."""
    client = serve(max_queued=1)
    worker.gate.clear()
    worker.store.redis.rpush(TOOK, "0.1")  # seconds
    waits = send_later(client, "a", {}).json()["id"]
    named = {"Idempotency-Key": "mine"}
    refused = send_later(client, "b", named)
    assert refused.headers["retry-after"] == "1"
    worker.store.cancel(waits)
    assert send_later(client, "c", {}).status_code == 429
    time.sleep(1)
    assert send_later(client, "c", {}).status_code == 429
    assert send_later(client, "b", named).status_code == 202


def test_how_long_jobs_take_is_remembered_of_the_last_32(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.store.redis.rpush(TOOK, *["7"] * 32)
    send(client)
    took = worker.store.redis.lrange(TOOK, 0, -1)
    assert len(took) == 32
    assert 0 < float(took[0]) < 5


def test_without_a_limit_there_is_room_for_any_number(worker: PlayedWorker) -> None:
    worker.store.create_all([new_job() for _ in range(300)], room=Room())
    assert len(worker.store.waiting()) == 300


def test_what_waits_for_an_episode_counts_while_it_waits(
    client: TestClient, worker: PlayedWorker, keys: KeyStore
) -> None:
    anna = key_with(keys, pending=4)
    worker.gate.clear()
    episode = teach(client, headers=anna).json()["id"]  # three jobs
    asked = [ask(client, episode, word, headers=anna | NO_WAIT) for word in "ab"]
    assert [answer.status_code for answer in asked] == [202, 429]
