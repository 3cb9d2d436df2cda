"""Whatever dies, and however often a message comes: one result per job, and the queue goes on.

Real worker processes, killed for real.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from tests.conftest import RedisServers
from tests.workers.conftest import Bench, kill, settings_at, wait_until
from tests.workers.proxy import hanging_up
from workers.embedded import EmbeddedRedis
from workers.jobs import State
from workers.launch import WorkerProcess
from workers.presence import alive_workers, loaded_models
from workers.settings import Settings

Start = Callable[[Settings], WorkerProcess]


def test_a_killed_pool_process_costs_an_attempt_and_nothing_else(
    bench: Bench, start_worker: Start
) -> None:
    start_worker(bench.settings)
    job_id = bench.send(bench.clip("wait"))
    bench.running(job_id)

    os.kill(bench.decoded()[0][0], signal.SIGKILL)
    bench.go()

    job = bench.finished(job_id)
    assert (job.state, job.attempts) == (State.SUCCEEDED, 2)
    assert bench.finishes(job_id) == 1
    assert len({process for process, _ in bench.decoded()}) == 2


def test_a_killed_worker_s_job_is_finished_by_the_next(bench: Bench, start_worker: Start) -> None:
    worker = start_worker(bench.settings)
    job_id = bench.send(bench.clip("wait"))
    bench.running(job_id)

    kill(worker)
    bench.go()
    start_worker(bench.settings)

    job = bench.finished(job_id)
    assert (job.state, job.attempts) == (State.SUCCEEDED, 2)
    assert bench.finishes(job_id) == 1


def test_a_pool_process_dies_with_its_worker(bench: Bench, start_worker: Start) -> None:
    worker = start_worker(bench.settings)
    bench.running(bench.send(bench.clip("wait")))
    pool_process = bench.decoded()[0][0]
    assert worker.process

    os.kill(worker.process.pid, signal.SIGKILL)

    wait_until(lambda: not Path(f"/proc/{pool_process}/cmdline").exists())


def test_a_clip_that_kills_three_workers_is_poison_and_the_queue_goes_on(
    bench: Bench, start_worker: Start
) -> None:
    start_worker(bench.settings)
    poison = bench.clip("poison")
    poison_id = bench.send(poison)
    next_id = bench.send(bench.clip("fine"))

    assert bench.finished(next_id).state is State.SUCCEEDED
    job = bench.finished(poison_id, within_s=30)
    assert job.state is State.FAILED
    assert job.problem is not None
    assert (job.problem.kind, job.attempts) == ("poison", 3)
    assert [word for _, word in bench.decoded()].count("poison") == 3
    assert bench.finishes(poison_id) == 1
    assert bench.jobs.quarantined(poison.content)
    assert [dead.id for dead in bench.jobs.dead()] == [poison_id]
    after_id = bench.send(bench.clip("fine again"))
    assert bench.finished(after_id).state is State.SUCCEEDED


def test_time_limits_end_a_job_gently_and_then_by_force(
    settings: Settings, start_worker: Start
) -> None:
    limits = {"soft_time_limit_s": 1, "hard_time_limit_s": 2, "max_attempts": 1}
    bench = Bench(settings.model_copy(update=limits))
    start_worker(bench.settings)
    heeding, deaf = bench.send(bench.clip("wait")), bench.send(bench.clip("deaf"))

    problem = bench.finished(heeding).problem
    assert problem
    assert (problem.kind, problem.limit) == ("time-limit", 1)
    problem = bench.finished(deaf, within_s=20).problem
    assert problem
    assert problem.kind == "poison"
    assert bench.finished(bench.send(bench.clip("fine"))).state is State.SUCCEEDED


def test_a_cancelled_job_makes_way_and_surplus_messages_do_nothing(
    bench: Bench, start_worker: Start
) -> None:
    start_worker(bench.settings)
    cancelled = bench.send(bench.clip("wait"))
    fine = bench.clip("fine")
    bench.send(fine)
    for _ in range(4):
        bench.queue.submit(fine.id)
    bench.running(cancelled)

    assert bench.jobs.cancel(cancelled)

    job = bench.finished(fine.id)
    assert (job.state, job.attempts) == (State.SUCCEEDED, 1)
    wait_until(lambda: not bench.redis.llen(bench.settings.queue))
    assert bench.job(cancelled).state is State.CANCELLED
    assert [word for _, word in bench.decoded()] == ["wait", "fine"]
    assert bench.finishes(fine.id) == bench.finishes(cancelled) == 1


def test_a_worker_is_known_while_it_lives_and_so_is_what_it_has_loaded(
    bench: Bench, start_worker: Start
) -> None:
    worker = start_worker(bench.settings)
    assert bench.finished(bench.send(bench.clip("fine"))).state is State.SUCCEEDED
    assert worker.process
    assert [name.split(":")[1] for name in alive_workers(bench.redis)] == [str(worker.process.pid)]
    assert loaded_models(bench.redis) == {"random", "lucas-kanade", "looming", "scripted"}

    os.kill(bench.decoded()[0][0], signal.SIGKILL)
    wait_until(lambda: loaded_models(bench.redis) == set())

    last = bench.send(bench.clip("wait"))
    bench.running(last)
    threading.Timer(0.2, bench.go).start()
    worker.stop()  # lets it finish what it is at
    assert bench.job(last).state is State.SUCCEEDED
    assert alive_workers(bench.redis) == []


def test_a_worker_that_does_not_stop_in_time_is_stopped(bench: Bench, start_worker: Start) -> None:
    worker = start_worker(bench.settings)
    job_id = bench.send(bench.clip("deaf"))
    bench.running(job_id)
    worker.stop(grace_s=0.1)
    assert not worker.running()
    wait_until(lambda: bench.jobs.lost() == [job_id])  # and will be delivered again


def test_a_worker_finds_its_broker_again(tmp_path: Path, start_worker: Start) -> None:
    folder = tmp_path / "redis"
    with EmbeddedRedis(folder) as redis:
        servers = RedisServers(broker_url=redis.broker_url, cache_url=redis.cache_url)
        bench = Bench(settings_at(tmp_path / "worker", servers))
        start_worker(bench.settings)
        assert bench.finished(bench.send(bench.clip("fine"))).state is State.SUCCEEDED
    with EmbeddedRedis(folder):
        job_id = bench.send(bench.clip("fine again"))
        assert bench.finished(job_id, within_s=30).state is State.SUCCEEDED


def test_a_worker_outlives_a_broker_that_refuses_to_write(
    bench: Bench, start_worker: Start
) -> None:
    worker = start_worker(bench.settings)
    assert worker.process
    process = worker.process.pid
    first_id = bench.send(bench.clip("wait"))
    bench.running(first_id)
    bench.redis.acl_setuser(
        "default", enabled=True, commands=["-hdel"]
    )  # by which messages are settled
    try:
        bench.go()
        assert bench.finished(first_id).state is State.SUCCEEDED
        assert bench.finished(bench.send(bench.clip("fine"))).state is State.SUCCEEDED
    finally:
        bench.redis.acl_setuser("default", enabled=True, commands=["+hdel"])
    assert (worker.process.pid, worker.running()) == (process, True)
    assert bench.finishes(first_id) == 1


def test_a_worker_that_loses_its_broker_as_it_settles_takes_the_next_job(
    bench: Bench, tmp_path: Path, start_worker: Start
) -> None:
    socket = bench.settings.require("broker_url").removeprefix("unix://").removesuffix("?db=0")
    with hanging_up(tmp_path / "proxy.sock", Path(socket), at=b"HDEL") as url:
        start_worker(bench.settings.model_copy(update={"broker_url": url}))
        first_id, next_id = bench.send(bench.clip("fine")), bench.send(bench.clip("fine again"))
        assert bench.finished(next_id).state is State.SUCCEEDED
    assert bench.finishes(first_id) == bench.finishes(next_id) == 1
