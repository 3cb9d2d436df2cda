"""The settings of Redis in docker/, read by the real server."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis, RedisError
from redis.exceptions import OutOfMemoryError

from workers.embedded import redis_server
from workers.redis import connect

DOCKER = Path(__file__).resolve().parents[2] / "docker"


@pytest.fixture(params=["broker", "cache"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Redis]]:
    name = str(request.param)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = (DOCKER / f"redis-{name}.conf").read_text().replace("dir /data", f"dir {tmp_path}")
    own = ["--bind", "127.0.0.1", "--port", str(port), "--maxmemory", "2mb"]
    (tmp_path / "redis.conf").write_text(settings)
    process = subprocess.Popen(
        [redis_server(), tmp_path / "redis.conf", *own], stdout=subprocess.DEVNULL
    )
    try:
        with connect(f"redis://127.0.0.1:{port}/0") as client:
            wait_for(client)
            yield name, client
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for(client: Redis) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            client.ping()
            return
        except RedisError:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_a_full_broker_refuses_and_a_full_cache_forgets(server: tuple[str, Redis]) -> None:
    name, client = server
    if name == "broker":
        with pytest.raises(OutOfMemoryError):
            fill(client)
        assert client.get("0") == "x" * 100_000  # nothing accepted was forgotten
    else:
        fill(client)
        # Which of them is Redis' choice: its clock of use ticks once a second, so all are as old.
        assert 0 < client.dbsize() < 40
        assert client.get("39") == "x" * 100_000


def fill(client: Redis) -> None:
    """4 MB into 2."""
    for number in range(40):
        client.set(str(number), "x" * 100_000, ex=1000)


def test_the_broker_alone_writes_to_disk(server: tuple[str, Redis], tmp_path: Path) -> None:
    name, client = server
    client.set("job", "queued")
    written = [path.name for path in tmp_path.rglob("*") if "aof" in path.name]
    assert bool(written) == (name == "broker")
