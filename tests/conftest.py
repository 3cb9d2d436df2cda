"""What the tests of several packages share: videos, real Redis servers, the whole stack."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from service.demo import serving
from tests.videos import changing_size, make_video, sandbox, sound_only
from workers.embedded import EmbeddedRedis
from workers.redis import connect

__all__ = ["changing_size", "make_video", "sandbox", "sound_only"]  # fixtures for everybody


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


@pytest.fixture(scope="session")
def network_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model `small`, CoTracker3 and Video Depth Anything, of which none was ever trained."""
    from tests.pointaction.depth import official as depth
    from tests.pointaction.models.stores import install, know_downloads, small_store
    from tests.pointaction.tracking import official as tracking

    store = small_store(tmp_path_factory.mktemp("network_store"))
    know_downloads(store)
    install(store, "cotracker3", tracking.filled().state_dict())
    install(store, "video-depth-anything-small", depth.filled().state_dict())
    return store


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@dataclass(frozen=True)
class Stack:
    """`pointaction serve` with everything embedded and the shipped weights."""

    client: httpx.Client
    pid: int


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One for all tests, with a lease short enough to wait for."""
    folder = tmp_path_factory.mktemp("stack")
    with ExitStack() as running:
        with pytest.MonkeyPatch.context() as environment:  # of its processes, not of other tests
            environment.setenv("POINTACTION_LEASE_S", "2")
            url, pid = running.enter_context(serving(folder / "data", folder / "serve.log"))
        client = running.enter_context(httpx.Client(base_url=url, timeout=60))
        yield Stack(client=client, pid=pid)
