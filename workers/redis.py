"""Connections to Redis that give up quickly, so that a web request never hangs on a dead server."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

TIMEOUT_S = 2.0
_REFUSED = {"-OOM ": OutOfMemoryError, "-READONLY ": ReadOnlyError, "-MISCONF ": ReadOnlyError}


def connect(url: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client for text, made without talking to the server. Commands raise redis.RedisError.

    `url` is redis://, rediss:// or unix://. One retry at once covers a connection that the
    server has closed while it lay idle; a server that is away is reported, not waited for.
    """
    return _client(url, timeout_s, decode=True)


def connect_bytes(url: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """As `connect`, for values that are not text."""
    return _client(url, timeout_s, decode=False)


def answers(url: str) -> bool:
    """Whether there is a Redis now."""
    with suppress(RedisError), connect(url) as redis:
        return bool(redis.ping())
    return False


@contextmanager
def told_apart() -> Iterator[None]:
    """What keeps a script from writing, as the error that a command would raise.

    Redis 6 wraps it in the words of an error in the script.
    """
    try:
        yield
    except ResponseError as error:
        for word, kind in _REFUSED.items():
            if word in str(error):
                raise kind(str(error)) from error
        raise


def _client(url: str, timeout_s: float, *, decode: bool) -> Redis:
    return Redis.from_url(
        url,
        decode_responses=decode,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=30,
    )
