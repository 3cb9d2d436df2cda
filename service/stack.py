"""The embedded stack: Redis and a worker of our own, where no URLs say that there are others."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.settings import ServiceSettings
from workers.embedded import EmbeddedRedis
from workers.launch import WorkerProcess


@contextmanager
def embedded(settings: ServiceSettings) -> Iterator[ServiceSettings]:
    """Settings with every URL filled in; what was started for them stops on leaving.

    With a broker URL set, whoever set it runs the workers too (`pointaction worker`).
    """
    if settings.broker_url:
        cache_url = settings.cache_url or settings.broker_url
        yield settings.model_copy(update={"cache_url": cache_url})
        return
    redis = EmbeddedRedis(settings.data_dir)
    redis.start()
    try:
        urls = {"broker_url": redis.broker_url, "cache_url": redis.cache_url}
        complete = settings.model_copy(update=urls)
        worker = WorkerProcess(complete)
        worker.start()
        try:
            yield complete
        finally:
            worker.stop()
    finally:
        redis.stop()
