"""Counters and histograms kept in Redis by the workers, read by the service's /metrics.

In Redis, because then the numbers are right whatever the number of web and worker processes. A
worker gathers them in a `Tally` while a job runs and writes them after its outcome, in one step.
What a series is named by is bounded: kinds, problems, stages, and what the catalogue has.
How many jobs have entered a state is `JobStore.counts`; how many wait, `JobStore.waiting`.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from redis import Redis

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
COUNTERS = "stats:counters"  # hash JSON of [counter, label, ...] -> count
STAGES = "stats:stage_seconds"  # hash JSON of [stage, model, bucket or "sum"] -> count or seconds
CLIPS = "stats:clip_seconds"  # the same of [tracker, ...]
_BEYOND = "inf"  # the bucket of what is slower than all bounds


class Counter(StrEnum):
    """What is counted, and by which labels."""

    FINISHED = "finished"  # kind of job, model, "succeeded" or the kind of problem
    RETRIES = "retries"  # kind of job
    LOOKUPS = "lookups"  # what was looked for in the cache, "hit" or "miss"
    LOADS = "loads"  # name of a model, tracker, depth or head
    CLIPS = "clips"  # of data sets: "followed" or the kind of failure, of every attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How long a stage took over all jobs, or a tracker over all clips of data sets."""

    buckets: dict[float, int]  # upper bound in seconds -> observations at or below it
    count: int
    sum_s: float


class Tally:
    """What one process has to report since it last wrote."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, int] = defaultdict(int)  # by field of COUNTERS
        self._took: list[tuple[str, tuple[str, ...], float]] = []  # hash, labels, seconds

    def count(self, counter: Counter, *labels: str) -> None:
        self._counts[field(counter, *labels)] += 1

    def looked_up(self, what: str, *, found: bool) -> None:
        """In the cache: an answer, tracks, features."""
        self.count(Counter.LOOKUPS, what, "hit" if found else "miss")

    def took(self, stage: str, seconds: float, *, model: str) -> None:
        self._took.append((STAGES, (stage, model), seconds))

    def followed(self, seconds: float, *, tracker: str) -> None:
        """A clip of a data set."""
        self.count(Counter.CLIPS, "followed")
        self._took.append((CLIPS, (tracker,), seconds))

    def write(self, redis: Redis) -> None:
        """Add it all to what is in Redis; RedisError leaves it to be written later."""
        with redis.pipeline(transaction=True) as pipe:
            for name, count in self._counts.items():
                pipe.hincrby(COUNTERS, name, count)
            for key, labels, seconds in self._took:
                bucket = next((str(bound) for bound in BUCKETS_S if seconds <= bound), _BEYOND)
                pipe.hincrby(key, json.dumps([*labels, bucket]), 1)
                pipe.hincrbyfloat(key, json.dumps([*labels, "sum"]), seconds)
            pipe.execute()
        self._counts.clear()
        self._took.clear()


def field(counter: Counter, *labels: str) -> str:
    """Of COUNTERS."""
    return json.dumps([counter, *labels])


def read_counter(redis: Redis, counter: Counter) -> dict[tuple[str, ...], int]:
    """Values of its labels -> count."""
    found = {}
    for text, count in cast("dict[str, str]", redis.hgetall(COUNTERS)).items():
        name, *labels = json.loads(text)
        if name == counter:
            found[tuple(labels)] = int(count)
    return dict(sorted(found.items()))


def read_stages(redis: Redis) -> dict[tuple[str, ...], Histogram]:
    """(stage, model) -> its histogram."""
    return _histograms(redis, STAGES)


def read_clips(redis: Redis) -> dict[tuple[str, ...], Histogram]:
    """(tracker,) -> its histogram, of clips of data sets that were followed."""
    return _histograms(redis, CLIPS)


def _histograms(redis: Redis, key: str) -> dict[tuple[str, ...], Histogram]:
    series: defaultdict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for text, value in cast("dict[str, str]", redis.hgetall(key)).items():
        *labels, part = json.loads(text)
        series[tuple(labels)][part] = value
    return {labels: _histogram(series[labels]) for labels in sorted(series)}


def _histogram(parts: dict[str, str]) -> Histogram:
    total = 0
    buckets = {}
    for bound in BUCKETS_S:
        total += int(parts.get(str(bound), 0))
        buckets[bound] = total
    count = total + int(parts.get(_BEYOND, 0))
    return Histogram(buckets=buckets, count=count, sum_s=float(parts.get("sum", 0)))
