"""The tasks: run the job with this id, or this attempt at a clip of a data set, once, however often
its message is delivered.
"""

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery

from pointaction.errors import PointActionError
from pointaction.models.catalog import find
from workers import gpu, presence, traces
from workers.classify import classify
from workers.errors import QueueDown
from workers.examples import example, match
from workers.jobs import Claim, Job, Problem
from workers.logs import logger
from workers.overlay import overlay
from workers.process import Process, new_holder
from workers.progress import Cancelled, Lease, Progress
from workers.queue import CLIP, TASK
from workers.stats import Counter
from workers.timelines import TurnOver, timeline

log = logger(__name__)
Answer = TypeVar("Answer")

_WORK: dict[str, Callable[[Process, Job, Progress], dict[str, Any]]] = {
    "classify": classify,
    "example": example,
    "match": match,
    "overlay": overlay,
    "timeline": timeline,
}
_OVER_TIME = {
    "clip": "the job took longer than the {limit} s it may; send a shorter or smaller clip",
    "timeline": "one turn at the video took longer than the {limit} s it may; ask for fewer tracks "
    "or another tracker, or send a smaller video, and an AVI as an MP4, which can be read from the "
    "middle",
}
_INSIST_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # pauses before the outcome is given up


def install(app: Celery, process: Callable[[], Process]) -> None:
    """Give the app its tasks. `process` is first called in a pool process, by its first job."""

    @app.task(name=TASK)
    def run(job_id: str, turn: int = 0) -> None:
        run_job(process(), job_id, turn)

    @app.task(name=CLIP)
    def clip(run: str, number: int, attempt: int) -> None:
        from workers.clips import run_clip  # which needs what tracks are stored with

        run_clip(process(), run, number, attempt)


def run_job(process: Process, job_id: str, turn: int = 0) -> None:
    """Claim the job, do its work, file its outcome. A delivery that is surplus does nothing."""
    holder = new_holder()
    claim = process.jobs.claim(job_id, holder, turn=turn)
    job = process.jobs.get(job_id) if claim is Claim.MINE else None
    if job is None:
        log.info("delivery dropped", job=job_id, claim=claim.value)
        if claim is Claim.POISON:
            _count_poison(process, job_id)
        return
    if job.attempts > 1:
        process.tally.count(Counter.RETRIES, job.kind)
        report(process)  # at once: this attempt may end as the last one did
    limit_s = process.settings.hard_time_limit_s + process.settings.lease_s
    about: traces.Attributes = {"pointaction.job": job.id, "pointaction.attempt": job.attempts}
    with (
        traces.span(f"{job.kind} job", part="consumer", parent=job.trace, about=about),
        structlog.contextvars.bound_contextvars(
            job=job.id, request=job.request_id, **traces.named()
        ),
        Lease(process.jobs, job.id, holder, limit_s=limit_s) as lease,
    ):
        log.info("job started", kind=job.kind, attempt=job.attempts)
        traces.past("queue", _waited_s(job))
        _work(process, job, Progress(lease))
        report(process)
    try:
        process.episodes.ended(process.queue, job)
    except (redis.RedisError, QueueDown) as error:  # the sweeper will look after it
        log.warning("what waits for the job was not told", job=job.id, error=str(error))


def _work(process: Process, job: Job, progress: Progress) -> None:
    try:
        result = _WORK[job.kind](process, job, progress)
    except Cancelled:
        log.info("job dropped: cancelled, deleted or taken over")
    except TurnOver:
        _put_back(process, job, progress)
    except redis.RedisError:
        # Its outcome could not be filed either. The lease ends, and the job is delivered again.
        raise
    except SoftTimeLimitExceeded:
        limit = process.settings.soft_time_limit_s
        what = _OVER_TIME["timeline" if job.kind == "timeline" else "clip"].format(limit=limit)
        _fail(process, job, progress, Problem(kind="time-limit", detail=what, limit=limit))
    except PointActionError as error:
        problem = Problem(kind=error.kind, detail=str(error), limit=error.limit, value=error.value)
        _fail(process, job, progress, problem)
    except Exception:
        log.exception("job failed in a way it should not")
        detail = f"an error of ours, not of the clip; the logs have it under job {job.id}"
        _fail(process, job, progress, Problem(kind="internal", detail=detail))
    else:
        _succeed(process, job, progress, result)


def _put_back(process: Process, job: Job, progress: Progress) -> None:
    """End the turn: the job waits at the end of the queue for its next one."""
    timings = _timings(job, progress)
    holder = progress.lease.holder
    turn = insist(lambda: process.jobs.put_back(job.id, holder, timings_ms=timings))
    if turn is None:
        log.info("turn dropped: the job is not ours")
        return
    log.info("turn over", turn=turn, **timings)
    try:
        process.queue.submit(job.id, turn)
    except QueueDown as error:  # the sweeper delivers what waits without a message
        log.warning("the next turn was not submitted", error=str(error))


def _succeed(process: Process, job: Job, progress: Progress, result: dict[str, Any]) -> None:
    timings = _timings(job, progress)
    lease = progress.lease
    filed = insist(
        lambda: process.jobs.succeed(job.id, lease.holder, result=result, timings_ms=timings)
    )
    if filed:
        model = _count(process, job, "succeeded")
        for stage, spent in timings.items():
            process.tally.took(stage, spent / 1000, model=model)
    log.info("job succeeded" if filed else "result dropped: the job is not ours", **timings)


def _fail(process: Process, job: Job, progress: Progress, problem: Problem) -> None:
    timings = _timings(job, progress)
    lease = progress.lease
    filed = insist(lambda: lease.jobs.fail(job.id, lease.holder, problem, timings_ms=timings))
    if filed:
        _count(process, job, problem.kind)
        traces.note({"pointaction.problem": problem.kind}, failed=True)
    log.info("job failed" if filed else "problem dropped: the job is not ours", kind=problem.kind)


def _timings(job: Job, progress: Progress) -> dict[str, float]:
    """Milliseconds per stage, the wait for this attempt before them; those of earlier turns too."""
    progress.enter("")
    timings = dict(job.timings_ms)
    for stage, ms in {"queue": _waited_s(job) * 1000, **progress.timings_ms}.items():
        timings[stage] = round(timings.get(stage, 0) + ms, 2)
    return timings


def _waited_s(job: Job) -> float:
    """For this attempt; never negative, though the clocks of machines differ."""
    came = job.queued_at or job.created_at
    return max((job.started_at or came) - came, 0.0)


def _count(process: Process, job: Job, outcome: str) -> str:
    """Count how the job ended; the name of its model, as the catalogue has it."""
    model = _model_of(process, job)
    process.tally.count(Counter.FINISHED, job.kind, model, outcome)
    return model


def _count_poison(process: Process, job_id: str) -> None:
    if job := process.jobs.get(job_id):
        _count(process, job, "poison")
        report(process)


def _model_of(process: Process, job: Job) -> str:
    """Never the word of a caller, who may think up any number of names."""
    try:
        return find(process.settings.model_store, str(job.params.get("model", ""))).name
    except PointActionError:
        return ""


def report(process: Process) -> None:
    """Add this process's numbers to those of all; they are not worth a job's outcome."""
    try:
        process.tally.write(process.jobs.redis)
        if memory := gpu.memory():
            presence.tell_gpu(
                process.jobs.redis,
                presence.worker_name(os.getppid()),
                memory=memory,
                ttl_s=presence.ttl_s(process.settings),
            )
    except redis.RedisError as error:  # they are added after the next job
        log.warning("statistics not written", error=str(error))


def insist(write: Callable[[], Answer]) -> Answer:
    """Write an outcome in spite of a short absence of Redis."""
    for pause in _INSIST_S:
        try:
            return write()
        except redis.RedisError as error:
            log.warning("outcome not filed; trying again", error=str(error))
            time.sleep(pause)
    return write()
