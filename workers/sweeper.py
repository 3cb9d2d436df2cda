"""A thread in a worker's parent process that tidies up after the dead, its own children included.

Every half lease it says that this worker lives, delivers again the jobs whose worker has died or
whose message was lost, and queues those whose episode has become ready unseen. Several workers do
so at once: a job is delivered again at most once per lease, and a delivery too many is dropped when
it is claimed.
"""

import threading
import time

import redis

from workers import presence
from workers.blobs import BlobStore
from workers.episodes import EpisodeStore
from workers.errors import QueueDown
from workers.jobs import JobStore
from workers.logs import logger
from workers.queue import JobQueue
from workers.settings import Settings

_BLOBS_EVERY_S = 300

log = logger(__name__)


class Sweeper:
    """Started when the worker is ready, stopped when it shuts down; `start` may come again."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.queue = JobQueue(settings)
        self.jobs = JobStore.open(settings)
        self.episodes = EpisodeStore(self.jobs)
        self.redis = self.jobs.redis
        self.blobs = BlobStore(settings.blobs)
        self.name = presence.worker_name()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Sign off, so that nobody counts on this worker any longer."""
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=5)
        try:
            presence.leave(self.redis, self.name)
        except redis.RedisError as error:
            log.warning("could not sign off", error=str(error))

    def _run(self) -> None:
        while True:
            try:
                self.round()
            except (redis.RedisError, QueueDown) as error:
                log.warning("sweep put off: no broker", error=str(error))
            except Exception:  # a thread that dies unseen would leave jobs lying for ever
                log.exception("sweep failed")
            if self._stop.wait(self.settings.lease_s / 2):
                return

    def round(self) -> None:
        """One heartbeat and one look around."""
        takes, ttl_s = self.settings.takes, presence.ttl_s(self.settings)
        presence.beat(self.redis, self.name, takes=takes, ttl_s=ttl_s)
        for job_id in self.jobs.lost():
            self._deliver_again(job_id, "its worker died")
        for job_id in self._without_message():
            self._deliver_again(job_id, "its message was lost")
        for episode_id in set(self.episodes.held().values()):
            self.episodes.examples(episode_id)  # told which of their jobs have come to nothing
            self.episodes.let_go(self.queue, episode_id)
        if self._first("sweep:blobs", _BLOBS_EVERY_S):
            # Apart, since a large store takes longer than a heartbeat may.
            threading.Thread(target=self._sweep_blobs, name="blobs", daemon=True).start()

    def _sweep_blobs(self) -> None:
        try:
            for episode_id in self.blobs.episodes():
                if self.episodes.get(episode_id) is None:  # deleted while an example was described
                    self.blobs.delete_episode(episode_id)
            removed = self.blobs.sweep(self.settings.blob_ttl_s)
        except Exception:
            log.exception("blobs not swept")
        else:
            if removed:
                log.info("blobs swept", removed=removed)

    def _without_message(self) -> list[str]:
        """Waiting jobs that a later one has overtaken, or that wait although the queue is empty.

        A job whose message a worker holds already looks the same for a moment, hence the age.
        """
        patience = 3 * self.settings.lease_s
        waiting = self.jobs.overtaken()
        if not self.redis.llen(self.settings.queue):
            waiting += self.jobs.waiting(100)
        return [job_id for job_id in dict.fromkeys(waiting) if self.jobs.age_s(job_id) > patience]

    def _deliver_again(self, job_id: str, why: str) -> None:
        if self._first(f"redelivered:{job_id}", self.settings.lease_s):
            log.warning("job delivered again", job=job_id, why=why)
            self.queue.submit(job_id, self.jobs.turn(job_id))

    def _first(self, key: str, seconds: float) -> bool:
        """Whether this worker is the first of all to ask, in so many seconds."""
        return bool(self.redis.set(key, round(time.time()), nx=True, px=int(seconds * 1000)))
