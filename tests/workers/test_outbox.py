import time

import pytest

from tests.workers.conftest import Bench
from workers.jobs import ClassifyParams, Job, Problem, State
from workers.outbox import Outbox
from workers.scripts import WEBHOOKS

URL = "https://hooks.example/?token=1"
PROBLEM = Problem(kind="undecodable", detail="the video cannot be decoded")


@pytest.fixture
def outbox(bench: Bench) -> Outbox:
    return Outbox(bench.redis)


def told_job(url: str = URL) -> Job:
    return Job.new(
        content="c" * 64,
        media="clip",
        params=ClassifyParams(model="scripted"),
        client="anna",
        callback_url=url,
    )


def ended(bench: Bench, url: str = URL) -> Job:
    job = told_job(url)
    bench.jobs.create(job)
    bench.jobs.cancel(job.id)
    return job


def test_a_job_that_succeeded_is_to_be_told(bench: Bench, outbox: Outbox) -> None:
    job = told_job()
    bench.jobs.create(job)
    bench.jobs.claim(job.id, "me")
    bench.jobs.report(job.id, "me", stage="track", progress=0.5)
    assert outbox.claim() is None
    bench.jobs.succeed(job.id, "me", result={}, timings_ms={})
    message = outbox.claim()
    assert message is not None
    assert (message.job, message.kind, message.state) == (job.id, "classify", "succeeded")
    assert (message.client, message.url, message.failures) == ("anna", URL, 0)
    assert message.finished_at == bench.job(job.id).finished_at


def test_every_other_end_is_to_be_told_too(bench: Bench, outbox: Outbox) -> None:
    failed, poisoned = told_job(), told_job()
    at_once = told_job().model_copy(update={"state": State.SUCCEEDED, "finished_at": time.time()})
    bench.jobs.create_all([failed, poisoned, at_once])
    bench.jobs.claim(failed.id, "me")
    bench.jobs.fail(failed.id, "me", PROBLEM)
    bench.jobs.lease_s = 0
    for _ in range(bench.jobs.max_attempts + 1):
        bench.jobs.claim(poisoned.id, "one that dies")
    told = [outbox.claim() for _ in range(3)]
    assert {(each.job, each.state) for each in told if each} == {
        (failed.id, "failed"),
        (poisoned.id, "failed"),
        (at_once.id, "succeeded"),
    }
    assert outbox.claim() is None


def test_an_end_is_told_once_and_only_to_who_asked(bench: Bench, outbox: Outbox) -> None:
    job = ended(bench)
    bench.jobs.cancel(job.id)
    ended(bench, url="")
    assert outbox.waiting() == 1


def test_one_sender_has_a_message_until_its_lease_ends(bench: Bench, outbox: Outbox) -> None:
    ended(bench)
    dying = Outbox(bench.redis, lease_s=0.05)
    assert dying.claim() is not None
    assert outbox.claim() is None
    time.sleep(0.06)
    assert outbox.claim() is not None
    assert outbox.claim() is None


def test_what_was_delivered_is_over(bench: Bench, outbox: Outbox) -> None:
    ended(bench)
    outbox.lease_s = 0
    message = outbox.claim()
    assert message is not None
    outbox.delivered(message)
    assert outbox.claim() is None
    assert outbox.counts() == {"delivered": 1}
    outbox.delivered(message)  # by another sender, that had it when this one's lease had ended
    outbox.put_off(message, 0, failed=True)
    assert outbox.claim() is None
    assert outbox.counts() == {"delivered": 1}


def test_what_is_put_off_comes_again_with_its_failures(bench: Bench, outbox: Outbox) -> None:
    job = ended(bench)
    message = outbox.claim()
    assert message is not None
    outbox.put_off(message, 0.05, failed=True)
    assert outbox.claim() is None
    time.sleep(0.06)
    again = outbox.claim()
    assert again is not None
    assert again.failures == 1
    outbox.put_off(again, 0, failed=False)
    third = outbox.claim()
    assert third is not None
    assert third.failures == 1
    assert outbox.counts() == {"failed": 1}
    assert bench.job(job.id).state is State.CANCELLED


def test_a_deleted_job_is_not_told_of(bench: Bench, outbox: Outbox) -> None:
    deleted, kept = ended(bench), ended(bench)
    bench.jobs.delete(deleted)
    message = outbox.claim()
    assert message is not None
    assert message.job == kept.id
    bench.jobs.delete(kept)
    outbox.put_off(message, 0, failed=True)
    assert not bench.redis.exists(f"job:{kept.id}")
    assert outbox.claim() is None
    assert outbox.counts() == {"dropped": 2, "failed": 1}


def test_messages_that_nobody_sends_do_not_fill_redis(bench: Bench, outbox: Outbox) -> None:
    bench.redis.zadd(WEBHOOKS, {f"old {n}": n for n in range(100_000)})
    ended(bench)
    assert outbox.waiting() == 100_000
    assert bench.redis.zscore(WEBHOOKS, "old 0") is None
    assert outbox.counts() == {"dropped": 1}
