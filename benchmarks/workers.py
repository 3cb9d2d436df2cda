"""Does a second worker on a second core do twice the work?

    python -m benchmarks.workers [--clips 40] [--rounds 3]

Each round starts one worker on the first core, warms it up, and times a batch of clips from the
first submission to the last result; then the same with two workers, each on a core of its own.
Redis is emptied before every batch, so nothing is answered from the cache. Prints a table and files
it under `results/`.
"""

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.machine import describe, write
from pointaction.synthetic.sample import write_sample
from pointaction.synthetic.vocabulary import LABELS
from workers.blobs import BlobStore, clip_name
from workers.embedded import EmbeddedRedis
from workers.jobs import ClassifyParams, Job, JobStore, State
from workers.launch import WorkerProcess
from workers.presence import alive_workers
from workers.queue import JobQueue
from workers.redis import connect
from workers.settings import Settings

MODEL = "traction-tiny"
_PATIENCE_S = 600.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("two workers with a core each need two cores")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = _render(folder, asked.clips)
        with EmbeddedRedis(folder / "data") as redis:
            settings = Settings(
                data_dir=folder / "data",
                broker_url=redis.broker_url,
                cache_url=redis.cache_url,
                threads=1,
            )
            rounds = [
                (_seconds(settings, clips, cores[:1]), _seconds(settings, clips, cores))
                for _ in range(asked.rounds)
            ]
    text = _report(rounds, asked.clips, load)
    Console().print(Markdown(text))
    path = write("workers", text)
    Console().print(f"written to {path.name}")


def _render(folder: Path, count: int) -> list[bytes]:
    """`count` clips of 3 s and two to warm up with, all different."""
    path = folder / "clip.mp4"
    clips = []
    for number in range(count + 2):
        write_sample(LABELS[number % len(LABELS)], path, seed=1000 + number)
        clips.append(path.read_bytes())
    return clips


def _seconds(settings: Settings, clips: Sequence[bytes], cores: Sequence[int]) -> float:
    """How long a worker per core takes for all clips but the last two, which warm them up."""
    for url in (settings.require("broker_url"), settings.require("cache_url")):
        with connect(url) as server:
            server.flushall()
    batch = Batch(settings)
    with ExitStack() as stack:
        for core in cores:
            stack.enter_context(_worker(settings, core))
        batch.await_workers(len(cores))
        batch.run(clips[-len(cores) :])  # a worker that loads a model takes no other clip
        start = time.perf_counter()
        batch.run(clips[:-2])
        return time.perf_counter() - start


@contextmanager
def _worker(settings: Settings, core: int) -> Iterator[None]:
    """A worker whose processes all stay on one core, as `taskset` would have it."""
    worker = WorkerProcess(settings)
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # which a child inherits
    try:
        worker.start()
    finally:
        os.sched_setaffinity(0, ours)
    try:
        yield
    finally:
        worker.stop()


class Batch:
    """What an API would do for a batch of clips: file each, queue its job, wait for the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.jobs = JobStore.open(settings)
        self.queue = JobQueue(settings)
        self.blobs = BlobStore(settings.blobs)

    def run(self, clips: Sequence[bytes]) -> None:
        """Returns when all are answered; the program ends when one is not."""
        ids = [self._submit(clip) for clip in clips]
        end = time.monotonic() + _PATIENCE_S
        for job_id in ids:
            while not (job := self._job(job_id)).state.finished:
                if time.monotonic() > end:
                    sys.exit(f"job {job_id} is {job.state} after {_PATIENCE_S:.0f} s")
                time.sleep(0.02)
            if job.state is not State.SUCCEEDED:
                sys.exit(f"job {job_id} has {job.state}: {job.problem}")

    def await_workers(self, count: int) -> None:
        end = time.monotonic() + _PATIENCE_S
        while len(alive_workers(self.jobs.redis)) < count:
            if time.monotonic() > end:
                sys.exit(f"{count} workers did not start")
            time.sleep(0.1)

    def _submit(self, clip: bytes) -> str:
        content = hashlib.sha256(clip).hexdigest()
        self.blobs.put(clip, clip_name(content))
        job = Job.new(content=content, media="clip", params=ClassifyParams(model=MODEL))
        self.jobs.create(job)
        self.queue.submit(job.id)
        return job.id

    def _job(self, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        return job or sys.exit(f"job {job_id} is gone")


def _report(rounds: Sequence[tuple[float, float]], clips: int, load: float) -> str:
    ratios = [one / two for one, two in rounds]
    rows = [
        f"| {number} | {one:.2f} | {clips / one:.2f} | {two:.2f} | {clips / two:.2f} "
        f"| {ratio:.2f} |"
        for number, ((one, two), ratio) in enumerate(zip(rounds, ratios, strict=True), 1)
    ]
    lines = [
        "# One worker and two, each on a core of its own",
        "",
        describe(),
        f"- {clips} clips of 3 s, 320 pixels wide, {MODEL}, one thread a worker; load average "
        f"before it began {load:.1f}",
        "",
        "| round | one worker: s | clips/s | two workers: s | clips/s | times as fast |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"Two workers are {statistics.median(ratios):.2f} times as fast as one (median; "
        f"{min(ratios):.2f} to {max(ratios):.2f}).",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
