"""`pointaction doctor`: look at a deployment as it is set here, and say what is wrong with it.

It may run while the service does, and changes nothing but for a file in the blob store that it
writes and removes. What lies on another machine, such as a worker's model store, is looked at by
running it there.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError
from redis.exceptions import RedisError

from pointaction.errors import PointActionError
from service import doctor_host, doctor_redis
from service.findings import Finding, ok, warning, wrong
from service.settings import ServiceSettings
from workers.embedded import EmbeddedRedis, redis_server
from workers.redis import answers

Check = Callable[[ServiceSettings], Iterator[Finding]]

# Of commands that ask a service elsewhere.
_OF_CLIENTS = {"POINTACTION_SERVER", "POINTACTION_API_KEY"}
_OF_REDIS: dict[str, Check] = {
    "broker": doctor_redis.broker,
    "cache": doctor_redis.cache,
    "clock": doctor_redis.clock,
    "workers": doctor_redis.workers,
    "queue": doctor_redis.queue,
    "access": doctor_host.access,
}
_OF_HOST: dict[str, Check] = {
    "limits": doctor_host.limits,
    "disk": doctor_host.disk,
    "blobs": doctor_host.blobs,
    "models": doctor_host.models,
    "answering": doctor_host.answering,
    "decoder": doctor_host.decoder,
    "traces": doctor_host.tracing,
}


def look(data_dir: Path | None = None) -> Iterator[Finding]:
    """What `examine` finds, by the settings of the environment; their faults if there are any."""
    try:
        settings = ServiceSettings.given(data_dir=data_dir)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = f"POINTACTION_{'_'.join(map(str, fault['loc'])).upper()}" if fault["loc"] else ""
            says = ": ".join(filter(None, (name, fault["msg"])))
            yield wrong("settings", says, "set it as the table in README.md says")
        return
    yield from _unheard(settings)
    yield from examine(settings)


def _unheard(settings: ServiceSettings) -> Iterator[Finding]:
    """Variables that are none of ours: likely misspelt, and without effect."""
    known = settings.variables().keys() | _OF_CLIENTS
    for name in sorted(os.environ):
        if name.upper().startswith("POINTACTION_") and name.upper() not in known:
            yield warning("settings", f"{name} is not a setting", "see the table in README.md")


def examine(settings: ServiceSettings) -> Iterator[Finding]:
    """Everything that can be looked at from here, as it is found."""
    yield ok("settings", "they can be read")
    complete = _with_urls(settings)
    checks = _OF_HOST if complete is None else _OF_REDIS | _OF_HOST
    if complete is None:
        yield from _not_running(settings)
    for about, check in checks.items():
        try:
            yield from check(complete or settings)
        except RedisError as error:
            yield wrong(about, f"Redis does not answer: {type(error).__name__}", _START_REDIS)
        except (PointActionError, OSError) as error:
            yield wrong(about, str(error), "mend that, and call the doctor again")


_START_REDIS = (
    "start it, or mend POINTACTION_BROKER_URL and POINTACTION_CACHE_URL; after a crash it answers "
    "when its file has been read"
)


def _with_urls(settings: ServiceSettings) -> ServiceSettings | None:
    """With those of the embedded servers where none are set; None where these do not run."""
    if settings.broker_url:
        return settings.model_copy(update={"cache_url": settings.cache_url or settings.broker_url})
    embedded = EmbeddedRedis(settings.data_dir)
    if not answers(embedded.broker_url):
        return None
    return settings.model_copy(
        update={"broker_url": embedded.broker_url, "cache_url": embedded.cache_url}
    )


def _not_running(settings: ServiceSettings) -> Iterator[Finding]:
    yield warning(
        "service",
        f"none runs with the data folder {settings.data_dir}, so its queue was not looked at",
        "start it with `pointaction serve`, or set POINTACTION_BROKER_URL to the Redis of one",
    )
    try:
        yield ok("redis", f"`pointaction serve` would start {redis_server()}")
    except PointActionError as error:
        yield wrong("redis", str(error), "install one of these")
