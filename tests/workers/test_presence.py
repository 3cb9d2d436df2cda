import os
import subprocess
import time
from collections.abc import Callable

import pytest
from redis import Redis

from tests.conftest import RedisServers
from tests.workers.conftest import wait_until
from workers import presence
from workers.launch import WorkerProcess
from workers.redis import connect
from workers.settings import Settings


@pytest.fixture
def redis(redis_servers: RedisServers) -> Redis:
    return connect(redis_servers.broker_url)


def test_a_worker_is_alive_until_it_is_silent_or_signs_off(redis: Redis) -> None:
    presence.beat(redis, "one", ttl_s=60)
    presence.beat(redis, "two", ttl_s=0.05)
    assert presence.alive_workers(redis) == ["two", "one"]
    time.sleep(0.06)
    assert presence.alive_workers(redis) == ["one"]
    presence.leave(redis, "one")
    assert presence.alive_workers(redis) == []


def test_who_takes_clips_alone_is_no_worker_for_jobs(redis: Redis) -> None:
    presence.beat(redis, "jobs", ttl_s=60)
    presence.beat(redis, "clips", takes="extract", ttl_s=60)
    presence.beat(redis, "all", takes="both", ttl_s=60)
    redis.zadd(presence.WORKERS, {"older": redis.time()[0] + 60})  # as releases did that tell less
    assert sorted(presence.alive_for(redis, "jobs")) == ["all", "jobs", "older"]
    assert sorted(presence.alive_for(redis, "extract")) == ["all", "clips"]
    assert len(presence.alive_workers(redis)) == 4


def test_what_a_worker_takes_is_known_until_nobody_counts_it(redis: Redis) -> None:
    presence.beat(redis, "clips", takes="extract", ttl_s=0.05)
    assert presence.alive_for(redis, "extract") == ["clips"]
    wait_until(lambda: presence.alive_workers(redis) == [])
    assert redis.exists("worker:clips:takes")
    wait_until(lambda: not redis.exists("worker:clips:takes"))
    presence.beat(redis, "clips", takes="both", ttl_s=60)  # started anew, by the same name
    presence.leave(redis, "clips")
    assert presence.alive_for(redis, "jobs") == []


@pytest.mark.parametrize(("takes", "jobs", "clips"), [("extract", 0, 1), ("both", 1, 1)])
def test_a_worker_tells_what_it_takes(
    redis: Redis,
    settings: Settings,
    start_worker: Callable[..., WorkerProcess],
    takes: str,
    jobs: int,
    clips: int,
) -> None:
    start_worker(settings.model_copy(update={"takes": takes}))
    wait_until(lambda: len(presence.alive_workers(redis)) == 1)
    assert len(presence.alive_for(redis, "jobs")) == jobs
    assert len(presence.alive_for(redis, "extract")) == clips


def test_memory_of_gpus_is_told_as_long_as_the_worker_lives(redis: Redis) -> None:
    for worker in ("one", "two"):
        presence.beat(redis, worker, ttl_s=60)
    presence.tell_gpu(redis, "one", memory={"cuda:0": {"free": 3}}, ttl_s=60)
    assert presence.gpu_memory(redis) == {"one": {"cuda:0": {"free": 3}}}
    presence.leave(redis, "one")
    assert presence.gpu_memory(redis) == {}
    assert not redis.exists("worker:one:gpu")


def test_what_is_loaded_is_known_as_long_as_its_process_lives(redis: Redis) -> None:
    presence.beat(redis, "one", ttl_s=60)
    presence.loaded(redis, "one", models={"a", "b"}, ttl_s=60)
    assert presence.loaded_models(redis) == {"a", "b"}

    dead = subprocess.Popen(["true"])
    dead.wait()
    redis.hset("worker:one:models", str(dead.pid), '["c"]')
    presence.beat(redis, "one", ttl_s=60)
    assert presence.loaded_models(redis) == {"a", "b"}


def test_a_silent_worker_has_nothing_loaded(redis: Redis) -> None:
    presence.loaded(redis, "one", models={"a"}, ttl_s=60)
    assert presence.loaded_models(redis) == set()


def test_a_worker_s_name_tells_its_machine_and_process() -> None:
    assert presence.worker_name().endswith(f":{os.getpid()}")
    assert presence.worker_name(12).endswith(":12")


def test_two_beats_fit_into_the_time_a_worker_counts_as_alive() -> None:
    settings = Settings(lease_s=10)
    assert presence.ttl_s(settings) >= 2 * settings.lease_s / 2
