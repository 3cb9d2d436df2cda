import socket
import time

import pytest
import redis

from tests.conftest import RedisServers
from workers.redis import connect, connect_bytes


def test_text_and_bytes_are_told_apart(redis_servers: RedisServers) -> None:
    connect(redis_servers.cache_url).set("key", "wört")
    assert connect(redis_servers.cache_url).get("key") == "wört"
    assert connect_bytes(redis_servers.cache_url).get("key") == "wört".encode()


def test_a_server_that_is_away_is_reported_at_once() -> None:
    client = connect("unix:///nowhere/redis.sock")
    started = time.monotonic()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    assert time.monotonic() - started < 2


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = connect(f"redis://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1)
        started = time.monotonic()
        with pytest.raises((redis.TimeoutError, redis.ConnectionError)):
            client.ping()
        assert time.monotonic() - started < 2
        client.close()


def test_the_broker_forgets_nothing_and_the_cache_what_is_used_least(
    redis_servers: RedisServers,
) -> None:
    policies = [
        connect(url).config_get("maxmemory-policy")
        for url in (redis_servers.broker_url, redis_servers.cache_url)
    ]
    assert policies == [
        {"maxmemory-policy": "noeviction"},
        {"maxmemory-policy": "volatile-lru"},
    ]
