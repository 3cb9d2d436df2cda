import random
import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook
from structlog.testing import capture_logs

from tests.workers.conftest import Bench, kill, wait_until
from tests.workers.receiver import Receiver, receiving
from tests.workers.sending import ANYWHERE
from workers.deliverer import Deliverer, pause_s
from workers.jobs import ClassifyParams, Job
from workers.launch import WorkerProcess
from workers.outbox import Outbox
from workers.scripts import WEBHOOKS
from workers.settings import WebhookSettings
from workers.webhooks import as_text, secret_of

SECRET = bytes(range(32))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def settings_(bench: Bench, receiver: Receiver) -> WebhookSettings:
    return WebhookSettings(
        **bench.settings.model_dump(),
        webhook_hosts=f"localhost:{receiver.port}",
        webhook_secret=SecretStr(as_text(SECRET)),
        webhook_http=True,
        webhook_attempts=2,
    )


@pytest.fixture
def outbox(bench: Bench) -> Outbox:
    return Outbox(bench.redis)


@pytest.fixture
def deliverer(settings_: WebhookSettings) -> Deliverer:
    return Deliverer(settings_, network=ANYWHERE)


def ended(bench: Bench, url: str) -> Job:
    job = Job.new(
        content="c" * 64,
        media="clip",
        params=ClassifyParams(model="scripted"),
        client="anna",
        callback_url=url,
    )
    bench.jobs.create(job)
    bench.jobs.cancel(job.id)
    return job


def due_in_s(bench: Bench, job: Job) -> float:
    seconds, microseconds = bench.redis.time()
    score = bench.redis.zscore(WEBHOOKS, job.id)
    assert score is not None
    return float(score) - seconds - microseconds / 1e6


def due_now(bench: Bench, job: Job) -> None:
    bench.redis.zadd(WEBHOOKS, {job.id: 0})


def test_an_end_is_delivered_and_signed_for_its_key(
    bench: Bench, receiver: Receiver, deliverer: Deliverer, outbox: Outbox
) -> None:
    job = ended(bench, receiver.url("/hook?token=1"))
    assert deliverer.round()
    assert not deliverer.round()
    (request,) = receiver.received
    assert request.path == "/hook?token=1"
    secret = as_text(secret_of("anna", SECRET))
    assert Webhook(secret).verify(request.body, request.headers)["data"]["job"] == job.id
    assert outbox.waiting() == 0
    assert outbox.counts() == {"delivered": 1}


def test_what_fails_is_sent_again_as_it_was(
    bench: Bench, receiver: Receiver, deliverer: Deliverer, outbox: Outbox
) -> None:
    job = ended(bench, receiver.url())
    receiver.answers = [(500, {})]
    deliverer.round()
    assert 2 < due_in_s(bench, job) < 8
    assert not deliverer.round()
    due_now(bench, job)
    deliverer.round()
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == f"msg_{job.id}"
    assert outbox.counts() == {"failed": 1, "delivered": 1}


@pytest.mark.parametrize(("asked", "least", "most"), [("100", 99, 101), (str(10**8), 86000, 86401)])
def test_the_receiver_may_say_when(
    bench: Bench, receiver: Receiver, deliverer: Deliverer, asked: str, least: int, most: int
) -> None:
    job = ended(bench, receiver.url())
    receiver.answers = [(503, {"Retry-After": asked})]
    deliverer.round()
    assert least < due_in_s(bench, job) < most


def test_a_receiver_that_is_gone_is_not_asked_again(
    bench: Bench, receiver: Receiver, deliverer: Deliverer, outbox: Outbox
) -> None:
    ended(bench, receiver.url())
    receiver.answers = [(410, {})]
    deliverer.round()
    assert outbox.waiting() == 0
    assert outbox.counts() == {"dropped": 1}


def test_it_is_given_up_after_so_many_attempts(
    bench: Bench, receiver: Receiver, deliverer: Deliverer, outbox: Outbox
) -> None:
    job = ended(bench, receiver.url())
    receiver.answers = [(500, {}), (302, {"Location": receiver.url()}), (500, {})]
    deliverer.round()
    due_now(bench, job)
    deliverer.round()
    assert len(receiver.received) == 2
    assert outbox.waiting() == 0
    assert outbox.counts() == {"failed": 2, "dropped": 1}


def test_this_machine_is_not_called(
    bench: Bench, receiver: Receiver, settings_: WebhookSettings, outbox: Outbox
) -> None:
    job = ended(bench, receiver.url())
    Deliverer(settings_).round()
    assert receiver.received == []
    assert outbox.counts() == {"failed": 1}
    assert due_in_s(bench, job) > 2


def test_a_host_that_does_not_answer_rests(
    bench: Bench, receiver: Receiver, settings_: WebhookSettings, outbox: Outbox
) -> None:
    deliverer = Deliverer(settings_)  # which finds nobody that it may call
    ended(bench, receiver.url())
    second = ended(bench, receiver.url())
    deliverer.round()
    deliverer.round()
    assert outbox.counts() == {"failed": 1}
    assert 25 < due_in_s(bench, second) < 31


def test_a_host_that_was_taken_off_the_list_is_not_called(
    bench: Bench, receiver: Receiver, settings_: WebhookSettings, outbox: Outbox
) -> None:
    ended(bench, receiver.url())
    elsewhere = settings_.model_copy(update={"webhook_hosts": "hooks.example"})
    Deliverer(elsewhere, network=ANYWHERE).round()
    assert receiver.received == []
    assert outbox.counts() == {"dropped": 1}


def test_logs_tell_the_host_and_no_more_of_a_url(
    bench: Bench, receiver: Receiver, deliverer: Deliverer
) -> None:
    ended(bench, receiver.url("/path?token=1"))
    ended(bench, receiver.url("/path?token=2"))
    ended(bench, "https://elsewhere.example/path?token=3")
    receiver.answers = [(500, {})]
    with capture_logs() as lines:
        while deliverer.round():
            pass
    assert [line["event"] for line in lines] == [
        "webhook failed; it will be tried again",
        "webhook delivered",
        "webhook given up",
    ]
    assert f"localhost:{receiver.port}" in str(lines)
    assert "token" not in str(lines)
    assert "/path" not in str(lines)


def test_many_send_without_sending_twice(
    bench: Bench, receiver: Receiver, settings_: WebhookSettings, outbox: Outbox
) -> None:
    jobs = [ended(bench, receiver.url()) for _ in range(20)]
    deliverers = [Deliverer(settings_, network=ANYWHERE) for _ in range(2)]
    threads = [threading.Thread(target=each.run) for each in deliverers]
    for thread in threads:
        thread.start()
    wait_until(lambda: outbox.waiting() == 0)
    for each in deliverers:
        each.stop()
    for thread in threads:
        thread.join()
    sent = [request.headers["webhook-id"] for request in receiver.received]
    assert sorted(sent) == sorted(f"msg_{job.id}" for job in jobs)


def test_what_a_killed_process_was_sending_is_sent_by_the_next(
    bench: Bench,
    receiver: Receiver,
    settings_: WebhookSettings,
    deliverer: Deliverer,
    outbox: Outbox,
) -> None:
    ended(bench, receiver.url())
    receiver.gate.clear()
    killed = WorkerProcess(settings_, module="tests.workers.sending", reads=WebhookSettings)
    killed.start()
    wait_until(lambda: len(receiver.received) == 1)
    kill(killed)
    receiver.gate.set()
    wait_until(deliverer.round)  # when the lease of the dead has ended
    assert outbox.counts() == {"delivered": 1}
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert outbox.waiting() == 0


def test_pauses_grow_to_an_hour() -> None:
    generator = random.Random(0)
    for failures, middle_s in ((0, 5), (1, 15), (5, 1215), (6, 3600), (10_000, 3600)):
        pauses = [pause_s(failures, generator) for _ in range(50)]
        assert middle_s / 2 <= min(pauses) < middle_s < max(pauses) <= middle_s * 1.5
