"""SIGTERM, as a rolling deploy sends it: the job is ended, and the next one is left to others."""

import signal
from collections.abc import Callable

from tests.workers.conftest import Bench, wait_until
from workers.jobs import State
from workers.launch import WorkerProcess
from workers.presence import alive_workers
from workers.settings import Settings

Start = Callable[[Settings], WorkerProcess]


def test_a_worker_told_to_stop_ends_its_job_and_leaves_the_rest_to_the_next(
    bench: Bench, start_worker: Start
) -> None:
    leaving = start_worker(bench.settings)
    at_work = bench.send(bench.clip("wait"))
    bench.running(at_work)
    waiting = [bench.send(bench.clip(f"fine {number}")) for number in range(3)]
    assert leaving.process

    leaving.process.send_signal(signal.SIGTERM)
    bench.go()
    assert leaving.process.wait(timeout=30) == 0

    assert bench.job(at_work).state is State.SUCCEEDED
    assert [bench.job(job).state for job in waiting] == [State.QUEUED] * 3
    assert alive_workers(bench.redis) == []
    start_worker(bench.settings)
    ends = [bench.finished(job) for job in waiting]
    assert [(job.state, job.attempts) for job in ends] == [(State.SUCCEEDED, 1)] * 3
    assert [bench.finishes(job) for job in (at_work, *waiting)] == [1] * 4


def test_an_idle_worker_goes_at_once(bench: Bench, start_worker: Start) -> None:
    worker = start_worker(bench.settings)
    wait_until(lambda: len(alive_workers(bench.redis)) == 1)
    assert worker.process
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(timeout=10) == 0
    assert alive_workers(bench.redis) == []
