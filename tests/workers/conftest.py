"""Settings, stores and a real worker for the tests of the queue."""

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from pointaction.models.catalog import find
from tests.conftest import RedisServers
from workers.blobs import BlobStore, clip_name
from workers.jobs import (
    ClassifyParams,
    Job,
    JobStore,
    OverlayParams,
    State,
    TimelineParams,
    events_key,
)
from workers.launch import WorkerProcess
from workers.making import Making
from workers.queue import JobQueue
from workers.results import ResultCache, result_key, tracks_key
from workers.settings import Settings

CATALOG = """
[models.scripted]
version = "1"
task = "classification"
builder = "none"
file = "scripted.safetensors"
sha256 = "{digest}"
licence = "Apache-2.0"
commercial_use = true
source = "tests/workers/scripted.py"
parameters = 0
labels = "labels.txt"
card = "scripted.md"
inputs = {{ tracks = "any" }}
"""


class Bench:
    """What a web process has in hand, and a look behind the scenes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.jobs = JobStore.open(settings)
        self.redis = self.jobs.redis
        self.queue = JobQueue(settings)
        self.blobs = BlobStore(settings.blobs)
        self.cache = ResultCache.open(settings)

    def upload(self, data: bytes) -> str:
        content = hashlib.sha256(data).hexdigest()
        path = self.settings.data_dir / "upload"
        path.write_bytes(data)
        self.blobs.put_file(path, clip_name(content))
        return content

    def clip(self, words: str, **choices: str) -> Job:
        """A job for a clip that says so; text after the first word makes the content another."""
        content = self.upload(words.encode())
        params = ClassifyParams.model_validate({"model": "scripted", **choices})
        return Job.new(content=content, media="clip", params=params)

    def film(self, words: str, **choices: Any) -> Job:
        """A job for the timeline of a video that says so."""
        content = self.upload(words.encode())
        params = TimelineParams.model_validate({"model": "scripted", **choices})
        return Job.new(content=content, media="clip", params=params)

    def viewed(self) -> list[int]:
        """The first window of every piece of a film that was looked at."""
        path = self.settings.data_dir / "viewed"
        return [int(line.split()[1]) for line in path.read_text().splitlines()]

    def send(self, job: Job) -> str:
        self.jobs.create(job)
        self.queue.submit(job.id)
        return job.id

    def drawing(self, of: str, **choices: str) -> Job:
        original = self.job(of)
        params = OverlayParams.model_validate({"of": of, **choices})
        return Job.new(content=original.content, media=original.media, params=params)

    def job(self, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        assert job is not None
        return job

    def finished(self, job_id: str, *, within_s: float = 15) -> Job:
        wait_until(lambda: self.job(job_id).state.finished, within_s=within_s)
        return self.job(job_id)

    def running(self, job_id: str) -> Job:
        """The job, once its work is under way."""
        wait_until(lambda: self.job(job_id).stage == "track")
        return self.job(job_id)

    def decoded(self) -> list[tuple[int, str]]:
        """Every decoding begun: process and word."""
        path = self.settings.data_dir / "decoded"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(line.split()[0]), line.split()[1]) for line in lines]

    def go(self) -> None:
        """Let waiting work go on."""
        (self.settings.data_dir / "go").touch()

    def followed(self) -> list[str]:
        """The words of clips whose points were followed."""
        path = self.settings.data_dir / "followed"
        return path.read_text().split() if path.exists() else []

    def making(self, job: Job) -> Making:
        """How the tracks of a job that classifies are made."""
        by = ClassifyParams.model_validate(job.params)
        return Making.of(
            self.settings, job.media, points=by.points, tracker=by.tracker, depth=by.depth
        )

    def key(self, job: Job) -> str:
        """Of its answer."""
        entry = find(self.settings.model_store, job.params["model"])
        return result_key(job.content, self.making(job), model_digest=entry.digest)

    def tracks_key(self, job: Job) -> str:
        return tracks_key(job.content, self.making(job))

    def finishes(self, job_id: str) -> int:
        """How often the job has come to an end."""
        ends = {state.value for state in State if state.finished}
        entries = cast("list[tuple[str, dict[str, str]]]", self.redis.xrange(events_key(job_id)))
        return sum(fields["state"] in ends for _, fields in entries)


def wait_until(holds: Callable[[], bool], *, within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not so after {within_s} s"
        time.sleep(0.01)


@pytest.fixture
def settings(redis_servers: RedisServers, tmp_path: Path) -> Settings:
    """Of a worker that is soon missed when it dies."""
    return settings_at(tmp_path, redis_servers)


def settings_at(folder: Path, servers: RedisServers) -> Settings:
    store = folder / "model_store"
    store.mkdir(parents=True)
    (store / "labels.txt").write_text("waving\nfalling\n")
    (store / "catalog.toml").write_text(CATALOG.format(digest="5" * 64))
    (folder / "data").mkdir()
    return Settings(
        data_dir=folder / "data",
        model_store=store,
        broker_url=servers.broker_url,
        cache_url=servers.cache_url,
        lease_s=1.0,
        soft_time_limit_s=20,
        hard_time_limit_s=30,
        visibility_timeout_s=60,
        default_model="scripted",
    )


@pytest.fixture
def bench(settings: Settings) -> Bench:
    return Bench(settings)


@pytest.fixture
def start_worker() -> Iterator[Callable[..., WorkerProcess]]:
    """Start real workers, if nothing else is said with the scripted library; they are gone after
    the test.
    """
    started: list[WorkerProcess] = []

    def start(settings: Settings, *, module: str = "tests.workers.scripted") -> WorkerProcess:
        worker = WorkerProcess(settings, module=module)
        worker.start()
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.running():
            kill(worker)


def kill(worker: WorkerProcess) -> None:
    """kill -9 of the worker and its pool process."""
    assert worker.process
    os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
