"""What the tests of several packages share: real Redis servers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from workers.embedded import EmbeddedRedis
from workers.redis import connect


@dataclass(frozen=True)
class RedisServers:
    """The URLs of a broker and a cache, as operators would set them."""

    broker_url: str
    cache_url: str

    def clear(self) -> None:
        for url in (self.broker_url, self.cache_url):
            with connect(url) as client:
                client.flushall()


@pytest.fixture(scope="session")
def running_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    with EmbeddedRedis(tmp_path_factory.mktemp("embedded")) as servers:
        yield RedisServers(broker_url=servers.broker_url, cache_url=servers.cache_url)


@pytest.fixture
def redis_servers(running_redis: RedisServers) -> RedisServers:
    """Two real servers, started once and emptied before each test."""
    running_redis.clear()
    return running_redis


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"
