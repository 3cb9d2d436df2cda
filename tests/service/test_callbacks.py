"""Being told of the end of a job, from the form to the receiver."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook
from starlette.testclient import TestClient

from service.app import create_app
from service.keys import KeyStore
from service.settings import ServiceSettings
from service.stack import embedded
from tests.service.doubles import PlayedWorker, eventually
from tests.service.requests import problem, send
from tests.service.serving import bearer
from tests.service.teaching import teach
from tests.workers.receiver import Receiver, receiving
from tests.workers.sending import ANYWHERE
from workers.deliverer import Deliverer
from workers.jobs import ClassifyParams, Job, JobStore, Problem
from workers.outbox import Outbox
from workers.webhooks import as_text

SECRET = SecretStr(as_text(bytes(range(32))))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def calling(settings: ServiceSettings, receiver: Receiver) -> ServiceSettings:
    """Of a service that may call the receiver."""
    allowed = {"webhook_hosts": f"localhost:{receiver.port}", "webhook_http": True}
    return settings.model_copy(update={**allowed, "webhook_secret": SECRET})


@pytest.fixture
def caller(calling: ServiceSettings, worker: PlayedWorker) -> Iterator[TestClient]:
    with TestClient(create_app(calling, queue=worker)) as client:
        yield client


@pytest.fixture
def outbox(worker: PlayedWorker) -> Outbox:
    return Outbox(worker.store.redis)


def test_a_receiver_is_told_and_can_verify_it(
    caller: TestClient, calling: ServiceSettings, worker: PlayedWorker, receiver: Receiver
) -> None:
    token, _ = KeyStore(worker.store.redis).create("anna")
    job = send(caller, headers=bearer(token), callback_url=receiver.url("/hook")).json()["job"]
    Deliverer(calling, network=ANYWHERE).round()
    (request,) = receiver.received
    answer = caller.get("/callbacks/secret", headers=bearer(token))
    said = Webhook(answer.json()["secret"]).verify(request.body, request.headers)
    assert said["type"] == "job.succeeded"
    assert said["data"]["links"] == {"job": f"/jobs/{job}"}
    assert answer.headers["cache-control"] == "no-store"
    assert caller.get("/callbacks/secret").json() != answer.json()


def test_every_job_that_asks_has_its_end_told(
    caller: TestClient, worker: PlayedWorker, receiver: Receiver, outbox: Outbox
) -> None:
    url = receiver.url()
    jobs = [send(caller, callback_url=url).json() for _ in range(2)]
    assert [job["cached"] for job in jobs] == [False, True]
    assert outbox.waiting() == 2
    send(caller)
    assert outbox.waiting() == 2
    worker.problem = Problem(kind="undecodable", detail="the video cannot be decoded")
    send(caller, model="tiny", depth="looming", points="grid", callback_url=url)
    assert outbox.waiting() == 3


def test_a_query_of_an_episode_may_ask_too(
    caller: TestClient, receiver: Receiver, outbox: Outbox, tracks_file: bytes
) -> None:
    episode = teach(caller, name="mine").json()["id"]
    answer = caller.post(
        f"/episodes/{episode}/classify",
        files={"tracks": tracks_file},
        data={"callback_url": receiver.url()},
    )
    assert answer.status_code == 200
    assert outbox.waiting() == 1


def test_where_nobody_is_called_the_setting_is_named(client: TestClient) -> None:
    refused = problem(send(client, callback_url="https://hooks.example/"))
    assert (refused["kind"], refused["status"]) == ("webhooks-off", 422)
    assert "POINTACTION_WEBHOOK_HOSTS" in refused["detail"]
    assert problem(client.get("/callbacks/secret"))["kind"] == "webhooks-off"


def test_other_urls_are_refused_and_not_repeated(caller: TestClient, outbox: Outbox) -> None:
    refused = problem(send(caller, callback_url="https://elsewhere.example/?token=sesame"))
    assert (refused["kind"], refused["status"]) == ("callback-refused", 422)
    assert refused["value"] == "elsewhere.example:443"
    assert "sesame" not in str(refused)
    assert problem(send(caller, callback_url=""))["kind"] == "callback-refused"
    assert problem(send(caller, callback_url="x" * 300))["kind"] == "invalid-field"
    assert outbox.waiting() == 0


def test_the_url_is_not_shown(caller: TestClient, receiver: Receiver) -> None:
    job = send(caller, callback_url=receiver.url("/?token=sesame")).json()["job"]
    assert "sesame" not in caller.get(f"/jobs/{job}").text


def test_another_url_is_another_question(
    caller: TestClient, receiver: Receiver, outbox: Outbox
) -> None:
    key = {"Idempotency-Key": "1"}
    first = send(caller, headers=key, callback_url=receiver.url("/a"))
    again = send(caller, headers=key, callback_url=receiver.url("/a"))
    assert first.json()["job"] == again.json()["job"]
    assert outbox.waiting() == 1
    other = send(caller, headers=key, callback_url=receiver.url("/b"))
    assert problem(other)["kind"] == "idempotency-mismatch"


def test_the_embedded_stack_sends_and_never_to_this_machine(
    calling: ServiceSettings, receiver: Receiver, tmp_path: Path
) -> None:
    own = {"data_dir": tmp_path / "own", "broker_url": None, "cache_url": None}
    with embedded(calling.model_copy(update=own)) as complete:
        jobs = JobStore.open(complete)
        job = Job.new(
            content="c" * 64,
            media="clip",
            params=ClassifyParams(model="tiny"),
            callback_url=receiver.url(),
        )
        jobs.create(job)
        jobs.cancel(job.id)
        outbox = Outbox(jobs.redis)
        assert eventually(lambda: outbox.counts() == {"failed": 1}, within_s=60)
        assert outbox.waiting() == 1
    assert receiver.received == []
