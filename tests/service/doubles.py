"""Doubles for what stands behind the web process."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import numpy as np

from pointaction.models import catalog
from pointaction.tracks import Tracks
from service.settings import ServiceSettings
from workers.blobs import BlobStore, overlay_name
from workers.errors import QueueDown
from workers.jobs import Claim, ClassifyParams, Job, JobStore, OverlayParams, Problem
from workers.making import Making
from workers.redis import connect, connect_bytes
from workers.results import CachedResult, ResultCache, answer, result_key, tracks_key

HOLDER = "played"
SCORES = {"moving left": 0.7, "moving right": 0.2, "standing still": 0.1}
HEADS = 2


def three_tracks() -> Tracks:
    """Three points over four frames: one moves left a pixel a frame, two stand still."""
    xy = np.full((3, 4, 2), 8.0, np.float32)
    xy[0, :, 0] -= np.arange(4)
    return Tracks(
        xy=xy,
        visible=np.ones((3, 4), np.bool_),
        confidence=np.ones((3, 4), np.float32),
        query=np.array([[0, 8, 8]] * 3, np.float32),
        size=(16, 24),
        times=np.arange(4) / 10,
    )


class BrokenQueue:
    """Its broker is away."""

    def submit(self, job_id: str) -> None:
        raise QueueDown("the queue does not answer")


class PlayedWorker:
    """Queue and worker in one: a thread that finishes jobs as a worker would, through Redis.

    `gate` closed keeps it from starting the next job; `problem` makes it fail every job.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        assert settings.broker_url is not None
        assert settings.cache_url is not None
        self.settings = settings
        self.store = JobStore(
            connect(settings.broker_url),
            ttl_s=settings.job_ttl_s,
            lease_s=settings.lease_s,
            max_attempts=settings.max_attempts,
        )
        self.results = ResultCache(connect_bytes(settings.cache_url), ttl_s=settings.result_ttl_s)
        self.blobs = BlobStore(settings.blobs)
        self.gate = threading.Event()
        self.gate.set()
        self.problem: Problem | None = None
        self.submitted: list[str] = []
        self._inbox: SimpleQueue[str | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def submit(self, job_id: str) -> None:
        self.submitted.append(job_id)
        self._inbox.put(job_id)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._inbox.put(None)
        self._thread.join()
        self.store.redis.close()
        self.results.redis.close()

    def _run(self) -> None:
        while (job_id := self._inbox.get()) is not None:
            self.gate.wait()
            if self.store.claim(job_id, HOLDER) is Claim.MINE:
                job = self.store.get(job_id)
                assert job is not None
                self._finish(job)

    def _finish(self, job: Job) -> None:
        self.store.report(job.id, HOLDER, stage="decode", progress=0.1)
        if self.problem:
            self.store.fail(job.id, HOLDER, self.problem)
        elif job.kind == "overlay":
            self._draw(job, OverlayParams.model_validate(job.params))
        else:
            self._classify(job, ClassifyParams.model_validate(job.params))

    def _classify(self, job: Job, params: ClassifyParams) -> None:
        entry = catalog.find(self.settings.model_store, params.model)
        calibration = entry.calibration
        making = Making.of(self.settings, job.media, tracker=params.tracker, depth=params.depth)
        tracks = three_tracks()
        found = CachedResult(
            scores=SCORES,
            none_of_these=max(SCORES.values()) < calibration.threshold if calibration else None,
            attention=np.full((HEADS, 3), 1 / 3, np.float16),
            tracks_key=tracks_key(job.content, making),
            clip={
                "sha256": job.content,
                "duration_s": tracks.duration_s,
                "frames": 4,
                "width": 24,
                "height": 16,
            },
            model={
                "name": entry.name,
                "version": entry.version,
                "digest": entry.digest,
                "licence": entry.licence,
            },
            tracker=making.tracker.to_json() if making.tracker else None,
            depth=making.depth.to_json(),
            notes=entry.notes(making.depth.name),
            timings_ms={"decode": 12.5, "track": 30.0},
        )
        key = result_key(job.content, making, model_digest=entry.digest)
        self.results.put_tracks(found.tracks_key, tracks.to_bytes())
        self.results.put(key, found)
        result = answer(job.id, found, top_k=params.top_k, attention=params.attention, cached=False)
        self.store.succeed(job.id, HOLDER, result=result, timings_ms=found.timings_ms)

    def _draw(self, job: Job, params: OverlayParams) -> None:
        of = self.store.get(params.of)
        assert of is not None
        assert of.result is not None
        making = Making.behind(self.settings, of.media, of.result)
        key = result_key(of.content, making, model_digest=of.result["model"]["digest"])
        name = overlay_name(key, head=params.head, format=params.format)
        drawing = Path(self.settings.data_dir) / f"{job.id}.drawing"
        drawing.write_bytes(f"{params.format} of {params.head}".encode())
        self.blobs.put_file(drawing, name)
        self.store.succeed(job.id, HOLDER, result={"blob": name}, timings_ms={})


def eventually(holds: Callable[[], bool], *, within_s: float = 5.0) -> bool:
    """Whether it becomes true in time."""
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
