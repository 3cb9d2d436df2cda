"""How far a job is: told to its record, and the time of each stage kept."""

import threading
import time
from types import TracebackType

import redis

from workers import traces
from workers.jobs import JobStore
from workers.logs import logger

_EVERY_S = 0.1  # at most so often is the record written within one stage

log = logger(__name__)


class Cancelled(Exception):
    """The job is no longer ours: cancelled, deleted, or taken over after a silence."""


class Lease:
    """Keeps a claimed job ours while the context lasts, from a thread of its own.

    A process that hangs with the interpreter lock held renews nothing and so loses the job. One
    that hangs otherwise is let go after `limit_s`, should nobody be there to enforce time limits.
    """

    def __init__(self, jobs: JobStore, job_id: str, holder: str, *, limit_s: float) -> None:
        self.jobs = jobs
        self.job_id = job_id
        self.holder = holder
        self.limit_s = limit_s
        self.ended = False  # seen from the thread: stop at the next report
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()

    def _renew(self) -> None:
        end = time.monotonic() + self.limit_s
        while not self._stop.wait(self.jobs.lease_s / 3) and time.monotonic() < end:
            try:
                if not self.jobs.renew(self.job_id, self.holder):
                    self.ended = True
                    return
            except redis.RedisError as error:  # the lease may outlast a short absence of Redis
                log.warning("lease not renewed", job=self.job_id, error=str(error))


class Progress:
    """The `report` that the library calls. Raises Cancelled when the work has become useless."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.timings_ms: dict[str, float] = {}
        self._stage = ""
        self._since = 0.0
        self._written = 0.0

    def __call__(self, stage: str, progress: float) -> None:
        now = time.monotonic()
        changed = stage != self._stage
        if changed:
            self.enter(stage)
        if self.lease.ended:
            raise Cancelled
        if not changed and now - self._written < _EVERY_S:
            return
        self._written = now
        try:
            lease = self.lease
            mine = lease.jobs.report(lease.job_id, lease.holder, stage=stage, progress=progress)
        except redis.RedisError as error:  # telling is not worth losing the work for
            log.warning("progress not told", error=str(error))
            return
        if not mine:
            raise Cancelled

    def enter(self, stage: str) -> None:
        """Charge the time from here on to `stage`; "" to none."""
        now = time.monotonic()
        if self._stage:
            spent = now - self._since
            so_far = self.timings_ms.get(self._stage, 0)
            self.timings_ms[self._stage] = round(so_far + spent * 1000, 2)
            traces.past(self._stage, spent)
        self._stage, self._since = stage, now
