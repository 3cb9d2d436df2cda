"""The embedded stack: Redis and workers of our own, where no URLs say that there are others, and
what sends webhooks, where any may be sent.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol, Self

from service.settings import ServiceSettings
from workers.embedded import EmbeddedRedis
from workers.errors import EmbeddedFailure
from workers.launch import WorkerProcess
from workers.logs import logger
from workers.settings import WebhookSettings

_LOOK_EVERY_S = 0.5
_LONGEST_PAUSE_S = 30.0

log = logger(__name__)


@contextmanager
def embedded(settings: ServiceSettings) -> Iterator[ServiceSettings]:
    """Settings with every URL filled in; what was started for them stops on leaving.

    With a broker URL set, whoever set it runs the workers too (`pointaction worker`), and
    `pointaction webhooks`.
    """
    if settings.broker_url:
        cache_url = settings.cache_url or settings.broker_url
        yield settings.model_copy(update={"cache_url": cache_url})
        return
    with EmbeddedRedis(settings.data_dir) as redis, ExitStack() as processes:
        urls = {"broker_url": redis.broker_url, "cache_url": redis.cache_url}
        complete = settings.model_copy(update=urls)
        processes.enter_context(Keeper("Redis", redis))
        keepers = [
            Keeper("worker", WorkerProcess(sharing_cores(complete)))
            for _ in range(complete.workers)
        ]
        if complete.destinations:
            deliverer = WorkerProcess(complete, module="workers.deliverer", reads=WebhookSettings)
            keepers.append(Keeper("deliverer", deliverer))
        for keeper in keepers:
            processes.enter_context(keeper)
        processes.callback(_let_go, keepers)
        yield complete


def _let_go(keepers: Sequence["Keeper"]) -> None:
    """Have all begin to leave at once, before one after the other is waited for."""
    for keeper in keepers:
        keeper.let_go()


def sharing_cores(settings: ServiceSettings) -> ServiceSettings:
    """The settings of each worker of several, so that they do not wait for each other's threads."""
    if settings.workers == 1 or settings.threads:
        return settings
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return settings.model_copy(update={"threads": max(1, (cores or 1) // settings.workers)})


class Kept(Protocol):
    """What a keeper keeps: one process, or several that belong together."""

    def start(self) -> None: ...
    def running(self) -> bool: ...
    def stop(self) -> None: ...


class Keeper:
    """Keeps something running: starts it again when it dies, more slowly each time in a row.

    On leaving, it lets the process finish what it is at, and does not start another.
    """

    def __init__(self, name: str, process: Kept) -> None:
        self.name = name
        self.process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"{name}-keeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self._thread.join()

    def let_go(self) -> None:
        """Begin to leave."""
        self._stop.set()

    def _keep(self) -> None:
        # It is started and stopped in this thread: it dies with the one that started it.
        if not self.process.running():
            self._start()
        pause = _LOOK_EVERY_S
        while not self._stop.wait(pause):
            if self.process.running():
                pause = _LOOK_EVERY_S
                continue
            log.warning(f"the {self.name} died; starting another")
            self._start()
            pause = min(max(2 * pause, 1.0), _LONGEST_PAUSE_S)
        self.process.stop()

    def _start(self) -> None:
        try:
            self.process.start()
        except (EmbeddedFailure, OSError) as error:  # the disk is full, say; later it may not be
            log.error(f"the {self.name} does not start", error=str(error))
