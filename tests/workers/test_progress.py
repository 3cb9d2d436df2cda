import time

import pytest
import redis

from tests.workers.conftest import Bench, wait_until
from workers.jobs import Claim
from workers.progress import Cancelled, Lease, Progress

HOLDER = "me"


@pytest.fixture
def job_id(bench: Bench) -> str:
    """A job that is ours, for half a second."""
    bench.jobs.lease_s = 0.5
    job = bench.clip("fine")
    bench.jobs.create(job)
    assert bench.jobs.claim(job.id, HOLDER) is Claim.MINE
    return job.id


def lease(bench: Bench, job_id: str, *, limit_s: float = 60) -> Lease:
    return Lease(bench.jobs, job_id, HOLDER, limit_s=limit_s)


def test_a_lease_is_kept_while_the_work_lasts(bench: Bench, job_id: str) -> None:
    with lease(bench, job_id):
        time.sleep(0.8)
        assert bench.jobs.claim(job_id, "other") is Claim.HELD
    wait_until(lambda: bench.jobs.lost() == [job_id])


def test_work_beyond_its_limit_is_let_go(bench: Bench, job_id: str) -> None:
    with lease(bench, job_id, limit_s=0):
        wait_until(lambda: bench.jobs.lost() == [job_id])


def test_stages_are_timed_and_told(bench: Bench, job_id: str) -> None:
    progress = Progress(lease(bench, job_id))
    progress("decode", 0.0)
    time.sleep(0.03)
    progress("track", 0.25)
    progress.enter("")
    time.sleep(0.03)
    progress.enter("decode")
    progress.enter("")

    assert list(progress.timings_ms) == ["decode", "track"]
    assert 30 <= progress.timings_ms["decode"] < 300
    assert progress.timings_ms["track"] < 30
    job = bench.job(job_id)
    assert (job.stage, job.progress) == ("track", 0.25)


def test_a_chatty_stage_does_not_flood_the_record(bench: Bench, job_id: str) -> None:
    progress = Progress(lease(bench, job_id))
    before = bench.redis.xlen(f"job:{job_id}:events")
    for step in range(200):
        progress("track", step / 200)
    assert bench.redis.xlen(f"job:{job_id}:events") - before < 20


def test_cancelled_work_stops_at_the_next_stage(bench: Bench, job_id: str) -> None:
    progress = Progress(lease(bench, job_id))
    progress("decode", 0.0)
    bench.jobs.cancel(job_id)
    with pytest.raises(Cancelled):
        progress("track", 0.25)


def test_cancelled_work_stops_within_a_stage_too(bench: Bench, job_id: str) -> None:
    with lease(bench, job_id) as held:
        progress = Progress(held)
        progress("track", 0.25)
        bench.jobs.cancel(job_id)
        wait_until(lambda: held.ended)
        with pytest.raises(Cancelled):
            progress("track", 0.25)


def test_work_goes_on_while_redis_is_away(
    bench: Bench, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **kwargs: object) -> bool:
        raise redis.ConnectionError("no Redis")

    monkeypatch.setattr(bench.jobs, "report", away)
    monkeypatch.setattr(bench.jobs, "renew", away)
    with lease(bench, job_id) as held:
        progress = Progress(held)
        progress("decode", 0.0)
        time.sleep(0.2)
        progress("track", 0.25)
        assert not held.ended
