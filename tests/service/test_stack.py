import os
import signal
import time
from pathlib import Path

from service.stack import Keeper
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
