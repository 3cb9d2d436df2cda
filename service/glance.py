"""The service at a glance: what its page shows of it."""

from collections import Counter as Counts
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from service.answers import CacheAnswer, QueueAnswer, SystemAnswer, WorkerAnswer
from service.metrics import Metrics
from service.settings import ServiceSettings
from workers import jobs, presence, stats
from workers.jobs import JobStore
from workers.stats import Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Blocking; raises redis.RedisError when Redis is away."""

    settings: ServiceSettings
    store: JobStore
    metrics: Metrics

    def __call__(self) -> SystemAnswer:
        redis = self.store.redis
        ended: Counts[str] = Counts()
        for (_, _, outcome), count in stats.read_counter(redis, Counter.FINISHED).items():
            ended[outcome] += count
        asked = self.metrics.asked()
        seen = presence.last_seen(redis, ttl_s=presence.ttl_s(self.settings))
        at_jobs = set(presence.alive_for(redis, "jobs"))
        return SystemAnswer(
            version=_version(),
            queue=QueueAnswer(
                depth=int(redis.zcard(jobs.QUEUED)),
                running=int(redis.zcard(jobs.RUNNING)),
                age_s=round(self.store.longest_wait_s(), 1),
            ),
            workers=[
                WorkerAnswer(
                    name=name, seen_s_ago=round(ago, 1), loaded=presence.models_of(redis, name)
                )
                for name, ago in seen.items()
                if name in at_jobs
            ],
            cache=CacheAnswer(hits=asked["cached"], misses=asked["queued"]),
            jobs=dict(ended),
        )


def _version() -> str:
    try:
        return version("pointaction")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return ""
