"""The embedded stack: Redis and a worker of our own, where no URLs say that there are others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.settings import ServiceSettings
from workers.embedded import EmbeddedRedis
from workers.launch import WorkerProcess
from workers.logs import logger

_LOOK_EVERY_S = 0.5
_LONGEST_PAUSE_S = 30.0

log = logger(__name__)


@contextmanager
def embedded(settings: ServiceSettings) -> Iterator[ServiceSettings]:
    """Settings with every URL filled in; what was started for them stops on leaving.

    With a broker URL set, whoever set it runs the workers too (`pointaction worker`).
    """
    if settings.broker_url:
        cache_url = settings.cache_url or settings.broker_url
        yield settings.model_copy(update={"cache_url": cache_url})
        return
    with EmbeddedRedis(settings.data_dir) as redis:
        urls = {"broker_url": redis.broker_url, "cache_url": redis.cache_url}
        complete = settings.model_copy(update=urls)
        keeper = WorkerKeeper(WorkerProcess(complete))
        keeper.start()
        try:
            yield complete
        finally:
            keeper.stop()


class WorkerKeeper:
    """Keeps one worker running: starts it again when it dies, more slowly each time in a row."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="worker-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let the worker finish its job, and do not start another."""
        self._stop.set()
        self._thread.join()

    def _keep(self) -> None:
        # The worker is started and stopped in this thread: it dies with the one that started it.
        self.worker.start()
        pause = _LOOK_EVERY_S
        while not self._stop.wait(pause):
            if self.worker.running():
                pause = _LOOK_EVERY_S
                continue
            log.warning("the worker died; starting another")
            self.worker.start()
            pause = min(max(2 * pause, 1.0), _LONGEST_PAUSE_S)
        self.worker.stop()
