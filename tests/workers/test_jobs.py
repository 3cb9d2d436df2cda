import time

import pytest

from tests.conftest import RedisServers
from workers.jobs import Claim, ClassifyParams, Job, JobStore, Problem, State, events_key
from workers.redis import connect

CONTENT = "c" * 64


@pytest.fixture
def store(redis_servers: RedisServers) -> JobStore:
    """Leases last a tenth of a second; two attempts."""
    redis = connect(redis_servers.broker_url)
    return JobStore(redis, ttl_s=60, lease_s=0.1, max_attempts=2)


def new_job(content: str = CONTENT) -> Job:
    return Job.new(
        content=content, media="clip", params=ClassifyParams(model="m"), request_id="req-1"
    )


def filed(store: JobStore, content: str = CONTENT) -> str:
    job = new_job(content)
    store.create(job)
    return job.id


def read(store: JobStore, job_id: str) -> Job:
    job = store.get(job_id)
    assert job is not None
    return job


def states(store: JobStore, job_id: str) -> list[str]:
    return [fields["state"] for _, fields in store.redis.xrange(events_key(job_id))]  # type: ignore[index, union-attr, misc]


def test_a_record_comes_back_as_it_was_filed(store: JobStore) -> None:
    job = new_job()
    store.create(job)
    assert read(store, job.id) == job.model_copy(update={"position": 0})
    assert store.get("no-such-job") is None


def test_the_position_is_the_number_of_jobs_ahead(store: JobStore) -> None:
    first, second, third = (filed(store) for _ in range(3))
    assert [read(store, job).position for job in (first, second, third)] == [0, 1, 2]

    store.claim(first, "a")
    store.cancel(second)

    assert [read(store, job).position for job in (first, second, third)] == [None, None, 0]


def test_a_job_filed_with_its_answer_never_queues(store: JobStore) -> None:
    job = new_job()
    job.state, job.result = State.SUCCEEDED, {"cached": True}
    store.create(job)
    assert store.waiting() == []
    assert store.claim(job.id, "a") is Claim.FINISHED
    assert read(store, job.id).result == {"cached": True}


def test_a_job_is_claimed_by_one_holder_at_a_time(store: JobStore) -> None:
    job_id = filed(store)
    assert store.claim(job_id, "a") is Claim.MINE
    assert store.claim(job_id, "b") is Claim.HELD
    assert store.claim("no-such-job", "b") is Claim.GONE
    job = read(store, job_id)
    assert (job.state, job.attempts) == (State.RUNNING, 1)
    assert job.started_at == pytest.approx(time.time(), abs=5)


def test_a_lease_lasts_as_long_as_it_is_renewed(store: JobStore) -> None:
    job_id = filed(store)
    store.claim(job_id, "a")
    for _ in range(4):
        time.sleep(0.05)
        assert store.renew(job_id, "a")
        assert store.lost() == []
    time.sleep(0.12)
    assert store.lost() == [job_id]


def test_after_a_takeover_the_old_holder_can_do_nothing(store: JobStore) -> None:
    job_id = filed(store)
    store.claim(job_id, "old")
    time.sleep(0.12)
    assert store.claim(job_id, "new") is Claim.MINE

    assert not store.renew(job_id, "old")
    assert not store.report(job_id, "old", stage="track", progress=0.5)
    assert not store.succeed(job_id, "old", result={"by": "old"}, timings_ms={})
    assert not store.fail(job_id, "old", Problem(kind="internal", detail="old"))
    assert store.succeed(job_id, "new", result={"by": "new"}, timings_ms={"track": 1.5})

    job = read(store, job_id)
    assert (job.state, job.result, job.attempts) == (State.SUCCEEDED, {"by": "new"}, 2)
    assert job.timings_ms == {"track": 1.5}


@pytest.mark.parametrize("end", ["succeed", "fail", "cancel"])
def test_a_finished_job_never_changes_again(store: JobStore, end: str) -> None:
    job_id = filed(store)
    store.claim(job_id, "a")
    problem = Problem(kind="limit", detail="too long", limit=1, value=[2])
    if end == "succeed":
        assert store.succeed(job_id, "a", result={}, timings_ms={})
    elif end == "fail":
        assert store.fail(job_id, "a", problem)
    else:
        assert store.cancel(job_id)
    before = read(store, job_id)

    assert store.claim(job_id, "b") is Claim.FINISHED
    assert not store.renew(job_id, "a")
    assert not store.succeed(job_id, "a", result={"x": 1}, timings_ms={})
    assert not store.fail(job_id, "a", problem)
    assert not store.cancel(job_id)
    assert not store.report(job_id, "a", stage="track", progress=0.1)

    assert read(store, job_id) == before
    assert states(store, job_id) == ["queued", "running", before.state]
    assert store.lost() == []


def test_the_attempt_after_the_last_is_poison(store: JobStore) -> None:
    job_id = filed(store)
    for holder in ("a", "b"):
        assert store.claim(job_id, holder) is Claim.MINE
        time.sleep(0.12)

    assert store.claim(job_id, "c") is Claim.POISON

    job = read(store, job_id)
    assert (job.state, job.attempts) == (State.FAILED, 2)
    assert job.problem is not None
    assert (job.problem.kind, job.problem.limit, job.problem.value) == ("poison", 2, 2)
    assert job.finished_at == pytest.approx(time.time(), abs=5)
    assert [dead.id for dead in store.dead()] == [job_id]
    assert store.quarantine() == {CONTENT: job_id}
    assert store.lost() == []
    assert states(store, job_id) == ["queued", "running", "running", "failed"]


def test_an_operator_releases_a_content_from_quarantine(store: JobStore) -> None:
    store.max_attempts = 0
    store.claim(filed(store), "a")
    assert store.quarantined(CONTENT)
    assert store.release(CONTENT)
    assert not store.quarantined(CONTENT)
    assert not store.release(CONTENT)


def test_progress_is_told_in_the_record_and_as_an_event(store: JobStore) -> None:
    job_id = filed(store)
    store.claim(job_id, "a")
    assert store.report(job_id, "a", stage="track", progress=0.25)
    job = read(store, job_id)
    assert (job.stage, job.progress) == ("track", 0.25)
    assert states(store, job_id) == ["queued", "running", ""]


def test_a_deleted_job_is_gone_for_everyone(store: JobStore) -> None:
    job_id = filed(store)
    store.claim(job_id, "a")
    store.delete(read(store, job_id))

    assert store.get(job_id) is None
    assert not store.renew(job_id, "a")
    assert not store.succeed(job_id, "a", result={}, timings_ms={})
    assert store.claim(job_id, "b") is Claim.GONE
    assert store.get(job_id) is None  # and is not brought back by any of this


def test_content_is_free_when_its_last_job_is_deleted(store: JobStore) -> None:
    first, second, other = filed(store), filed(store), filed(store, "d" * 64)
    assert not store.delete(read(store, first))
    assert store.delete(read(store, second))
    assert store.delete(read(store, other))


def test_expired_jobs_do_not_hold_on_to_their_content(store: JobStore) -> None:
    store.ttl_s = 1
    first = filed(store)
    store.redis.zadd(f"content:{CONTENT}", {first: time.time() - 1})  # as if its time were up
    second = filed(store)
    assert store.delete(read(store, second))


def test_everything_of_a_job_expires(store: JobStore) -> None:
    job_id = filed(store)
    store.claim(job_id, "a")
    store.report(job_id, "a", stage="track", progress=0.5)
    for key in (f"job:{job_id}", events_key(job_id), f"content:{CONTENT}"):
        assert 0 < store.redis.ttl(key) <= 60


def test_a_record_that_expires_while_it_runs_leaves_the_books(store: JobStore) -> None:
    job_id = filed(store)
    store.claim(job_id, "a")
    store.redis.delete(f"job:{job_id}")
    time.sleep(0.12)
    assert store.lost() == [job_id]
    assert store.claim(job_id, "b") is Claim.GONE
    assert store.lost() == []


def test_a_job_is_overtaken_when_a_later_one_has_started(store: JobStore) -> None:
    first, second, third = (filed(store) for _ in range(3))
    assert store.overtaken() == []
    store.claim(second, "a")
    assert store.overtaken() == [first]
    assert store.waiting() == [first, third]
    assert store.waiting(1) == [first]


def test_a_job_s_age_is_that_of_its_record(store: JobStore) -> None:
    job = new_job()
    job.created_at -= 100
    store.create(job)
    assert store.age_s(job.id) == pytest.approx(100, abs=5)
    assert store.age_s("no-such-job") == float("inf")


def test_states_entered_are_counted(store: JobStore) -> None:
    first, second = filed(store), filed(store)
    store.claim(first, "a")
    store.succeed(first, "a", result={}, timings_ms={})
    store.cancel(second)
    assert store.counts() == {"queued": 2, "running": 1, "succeeded": 1, "cancelled": 1}
