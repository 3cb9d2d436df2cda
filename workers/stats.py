"""Counters and histograms kept in Redis by the workers, read by the service's /metrics.

In Redis, because then the numbers are right whatever the number of web and worker processes.
How many jobs there have been is `JobStore.counts`; how many wait, `JobStore.waiting`.
"""

from dataclasses import dataclass
from typing import cast

from redis import Redis

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
STAGES = "stats:stages"  # hash "{stage}|{bucket}" -> observations, "{stage}|sum" -> seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How long a stage took, over all jobs."""

    buckets: dict[float, int]  # upper bound in seconds -> observations at or below it
    count: int
    sum_s: float


def observe(redis: Redis, durations_s: dict[str, float]) -> None:
    """Add one job's stages."""
    with redis.pipeline(transaction=True) as pipe:
        for stage, seconds in durations_s.items():
            bucket = next((str(bound) for bound in BUCKETS_S if seconds <= bound), "inf")
            pipe.hincrby(STAGES, f"{stage}|{bucket}", 1)
            pipe.hincrbyfloat(STAGES, f"{stage}|sum", seconds)
        pipe.execute()


def read_stages(redis: Redis) -> dict[str, Histogram]:
    """Stage name -> its histogram."""
    fields = cast("dict[str, str]", redis.hgetall(STAGES))
    stages = sorted({field.split("|")[0] for field in fields})
    return {stage: _histogram(stage, fields) for stage in stages}


def _histogram(stage: str, fields: dict[str, str]) -> Histogram:
    counts = [int(fields.get(f"{stage}|{bound}", 0)) for bound in (*BUCKETS_S, "inf")]
    total = 0
    buckets = {}
    for bound, count in zip(BUCKETS_S, counts, strict=False):
        total += count
        buckets[bound] = total
    return Histogram(buckets=buckets, count=sum(counts), sum_s=float(fields.get(f"{stage}|sum", 0)))
