"""Doubles for what stands behind the web process."""

import io
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import numpy as np

from pointaction.fewshot.heads import HEADS
from pointaction.models import catalog
from pointaction.models.catalog import Entry
from pointaction.timelines.scorer import Scores
from pointaction.timelines.timeline import Timeline
from pointaction.timelines.windows import Windows
from pointaction.tracks import Tracks
from service.settings import ServiceSettings
from workers.blobs import BlobStore, clip_name, features_name, overlay_name, part_name
from workers.classify import key_of
from workers.episodes import EpisodeStore
from workers.errors import QueueDown
from workers.jobs import (
    Claim,
    ClassifyParams,
    ExampleParams,
    Job,
    JobStore,
    MatchParams,
    OverlayParams,
    Problem,
    TimelineParams,
)
from workers.looking import Looking, Share
from workers.making import Making
from workers.question import Question
from workers.redis import connect, connect_bytes
from workers.results import (
    CachedResult,
    ResultCache,
    answer,
    seen,
    timeline_answer,
    tracks_key,
)

HOLDER = "played"
SCORES = {"moving left": 0.7, "moving right": 0.2, "standing still": 0.1}
ATTENTION_HEADS = 2


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


WINDOWS = Windows(frames=4, step=1, every_s=1.0, count=10)  # of 3 s, a second apart


def film() -> Timeline:
    """Of 12 s: something moves left from 3.5 to 6.5 s, and all is still before and after that."""
    shares = np.tile(np.array([[0.1, 0.1, 0.8]], np.float32), (10, 1))
    shares[2:5] = 0.6, 0.1, 0.3
    return Timeline.of([Scores(shares, None)], list(SCORES), WINDOWS, duration_s=12.0)


def _file(found: Timeline) -> bytes:
    file = io.BytesIO()
    found.save(file, rounded=True)
    return file.getvalue()


class BrokenQueue:
    """Its broker is away."""

    def submit(self, job_id: str) -> None:
        raise QueueDown("the queue does not answer")


class PlayedWorker:
    """Queue and worker in one: a thread that finishes jobs as a worker would, through Redis.

    `gate` closed keeps it from starting the next job; `problem` makes it fail every job. A clip is
    what its last byte is, to an episode; one that ends with "!" cannot be decoded.
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
        self.episodes = EpisodeStore(self.store)
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
        problem = self.problem or self._unreadable(job)
        if problem:
            self.store.fail(job.id, HOLDER, problem)
        elif job.kind == "overlay":
            self._draw(job, OverlayParams.model_validate(job.params))
        elif job.kind == "classify":
            self._classify(job, ClassifyParams.model_validate(job.params))
        elif job.kind == "timeline":
            self._look_through(job)
        elif job.kind == "example":
            self._describe(job, ExampleParams.model_validate(job.params))
        else:
            self._match(job, MatchParams.model_validate(job.params))
        self.episodes.ended(self, job)

    def _unreadable(self, job: Job) -> Problem | None:
        if job.kind == "overlay" or self._last_byte(job.content) != b"!":
            return None
        return Problem(kind="undecodable", detail="the video cannot be decoded")

    def _last_byte(self, content: str) -> bytes:
        return (self.blobs.get(clip_name(content)) or b"")[-1:]

    def _classify(self, job: Job, params: ClassifyParams) -> None:
        calibration = catalog.find(self.settings.model_store, params.model).calibration
        unsure = max(SCORES.values()) < calibration.threshold if calibration else None
        found = self._seen(job, scores=SCORES, none_of_these=unsure)
        result = answer(job.id, found, top_k=params.top_k, attention=params.attention, cached=False)
        self.store.succeed(job.id, HOLDER, result=result, timings_ms=found.timings_ms)

    def look(self, job_id: str, stop: int) -> None:
        """Tell of the first windows of a timeline that has been begun, up to `stop`."""
        job = self.store.get(job_id)
        assert job is not None
        blob = part_name(job.cached_as, job.id, "f" * 32)
        self.blobs.put(_file(film().first(stop)), blob)
        plan = {"windows": asdict(WINDOWS)}
        looking = Looking(plan=plan, windows=10, duration_s=12.0, labels=tuple(SCORES))
        share = Share(since=0, stop=stop, blob=blob)
        self.store.look(job.id, HOLDER, looking.filed(share), expected_s=30.0)

    def _look_through(self, job: Job) -> None:
        params = TimelineParams.model_validate(job.params)
        entry = catalog.find(self.settings.model_store, params.model)
        question = Question.of(params, entry, self.settings, self.episodes)
        clip = {"sha256": job.content, "duration_s": 12.0, "frames": 300, "width": 64, "height": 48}
        made = {"clip": clip, **question.made(), "timings_ms": {"timeline": 50.0}}
        found, blob = replace(film(), made=made), question.blob(job.cached_as)
        self.blobs.put(_file(found), blob)
        self.store.look(job.id, HOLDER, Looking.whole(found, blob))
        result = timeline_answer(job.id, found, cached=False)
        self.store.succeed(job.id, HOLDER, result=result, timings_ms=made["timings_ms"])

    def _describe(self, job: Job, params: ExampleParams) -> None:
        example = self.episodes.example(params.episode, params.example)
        if example is None:
            gone = Problem(kind="example-gone", detail="the example was taken out")
            self.store.fail(job.id, HOLDER, gone)
            return
        found = self._seen(job)
        features = features_name(params.episode, example.id, made_by="0" * 16)
        self.blobs.put(self._last_byte(job.content), features)
        self.episodes.settle(params.episode, example.ready())
        of = {"episode": params.episode, "example": example.id, "label": example.label}
        result = {**seen(job.id, found, attention=True), **of}
        self.store.succeed(job.id, HOLDER, result=result, timings_ms=found.timings_ms)

    def _match(self, job: Job, params: MatchParams) -> None:
        """A clip is like the examples that end as it does; every other class has no share."""
        episode = self.episodes.get(params.episode)
        if episode is None:
            gone = Problem(kind="episode-gone", detail="the episode has been deleted")
            self.store.fail(job.id, HOLDER, gone)
            return
        examples = [each for each in self.episodes.examples(episode.id) if each.state == "ready"]
        if not examples:
            few = Problem(kind="too-few-classes", detail="no example could be read")
            self.store.fail(job.id, HOLDER, few)
            return
        last = self._last_byte(job.content)
        alike = [each for each in examples if self._last_byte(each.content) == last]
        best = alike[0].label if alike else examples[0].label
        labels = [best, *(each.label for each in examples if each.label != best)]
        shown = [{"example": each.id, "label": each.label, "name": each.name} for each in alike]
        found = self._seen(job)
        head = HEADS[episode.head].used(self.settings.model_store, self.settings.running)
        result = {
            **seen(job.id, found, attention=params.attention),
            "episode": episode.id,
            "head": head.to_json(),
            "predictions": [
                {"label": label, "score": float(label == best)} for label in dict.fromkeys(labels)
            ][: params.top_k],
            "none_of_these": not alike,
            "nearest": [{"similarity": 1.0, **each} for each in shown],
            "matches": [
                {"query": [0], "moments": [1], "weight": 0.5, **each} for each in shown[:1]
            ],
        }
        self.store.succeed(job.id, HOLDER, result=result, timings_ms=found.timings_ms)

    def _seen(
        self, job: Job, *, scores: dict[str, float] | None = None, none_of_these: bool | None = None
    ) -> CachedResult:
        """What the job's model sees in three tracks, cached under the job's key."""
        entry = catalog.find(self.settings.model_store, job.seen_by.model)
        making = self._making(job, entry)
        tracks = three_tracks()
        heads = (ATTENTION_HEADS, 3) if entry.follows else (ATTENTION_HEADS, 2, 3, 4)
        found = CachedResult(
            scores=scores or {},
            none_of_these=none_of_these,
            branches={"motion": scores} if scores and entry.follows and entry.looks else {},
            attention=np.full(heads, 1 / np.prod(heads[1:]), np.float16),
            tracks_key=tracks_key(job.cached_as, making) if entry.follows else None,
            clip={
                "sha256": job.content,
                "duration_s": tracks.duration_s,
                "frames": 4,
                "width": 24,
                "height": 16,
            },
            model=entry.told(),
            points=making.points.to_json() if making.points else None,
            tracker=making.tracker.to_json() if making.tracker else None,
            depth=making.depth.to_json() if making.depth else None,
            notes=entry.notes(making.depth.name if making.depth else None),
            timings_ms={"decode": 12.5, "track": 30.0},
        )
        if found.tracks_key:
            self.results.put_tracks(found.tracks_key, tracks.to_bytes())
        self.results.put(key_of(job, entry, making), found)
        return found

    def _making(self, job: Job, entry: Entry) -> Making:
        by = job.seen_by
        if not entry.follows:
            return Making.none()
        return Making.of(
            self.settings, job.media, points=by.points, tracker=by.tracker, depth=by.depth
        )

    def _draw(self, job: Job, params: OverlayParams) -> None:
        of = self.store.get(params.of)
        assert of is not None
        assert of.result is not None
        making = Making.behind(self.settings, of.media, of.result)
        entry = catalog.find(self.settings.model_store, of.seen_by.model)
        name = overlay_name(key_of(of, entry, making), head=params.head, format=params.format)
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
