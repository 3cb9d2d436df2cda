import os
import subprocess
import time

import pytest
from redis import Redis

from tests.conftest import RedisServers
from workers import presence
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
