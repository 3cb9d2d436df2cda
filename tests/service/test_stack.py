import os
import signal
import time
from pathlib import Path

import pytest

from service.settings import ServiceSettings
from service.stack import Keeper, embedded, sharing_cores
from workers.embedded import EmbeddedRedis
from workers.errors import EmbeddedFailure
from workers.redis import answers, connect


def test_a_redis_that_is_killed_is_started_again_and_remembers(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as redis, Keeper("Redis", redis):
        connect(redis.broker_url).set("key", "kept")
        os.kill(redis.servers["broker"].pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while not (redis.running() and answers(redis.broker_url)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert connect(redis.broker_url).get("key") == "kept"
    assert redis.servers == {}


class Reluctant:
    """Starts when it is asked for the second time."""

    def __init__(self) -> None:
        self.asked = 0

    def start(self) -> None:
        self.asked += 1
        if self.asked == 1:
            raise EmbeddedFailure("the disk is full")

    def running(self) -> bool:
        return self.asked > 1

    def stop(self) -> None:
        self.asked = 0


def test_what_does_not_start_is_tried_again() -> None:
    reluctant = Reluctant()
    with Keeper("Redis", reluctant):
        deadline = time.monotonic() + 5
        while not reluctant.running():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert reluctant.asked == 0


def test_several_workers_share_the_cores(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    settings = ServiceSettings(data_dir=tmp_path)
    assert sharing_cores(settings).threads == 0  # as many as there are
    several = settings.model_copy(update={"workers": 2})
    assert sharing_cores(several).threads == max(1, cores // 2)
    told = several.model_copy(update={"threads": 5})
    assert sharing_cores(told).threads == 5


def test_as_many_workers_start_as_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class Worker(Reluctant):
        def __init__(self, settings: ServiceSettings) -> None:
            super().__init__()
            started.append(settings.threads)

    monkeypatch.setattr("service.stack.WorkerProcess", Worker)
    with embedded(ServiceSettings(data_dir=tmp_path, workers=3, threads=1)):
        pass
    assert started == [1, 1, 1]
