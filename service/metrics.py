"""Prometheus numbers: HTTP requests of all web processes, and the queue as Redis knows it."""

import os
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from workers import jobs, presence, stats
from workers.jobs import JobStore

# prometheus_client looks for this variable when it is first imported; `launch` sets it before.
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class HttpMetrics:
    """How many requests there were and how long they took, by route."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "pointaction_http_requests",
            "HTTP requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "pointaction_http_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ("method", "route"),
            buckets=stats.BUCKETS_S,
            registry=registry,
        )

    def observe(self, *, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)


class QueueCollector(Collector):
    """The queue's numbers, read from Redis when asked, and so the same from every process."""

    def __init__(self, store: JobStore) -> None:
        self.store = store

    def collect(self) -> Iterator[Metric]:
        """While Redis is away there is `pointaction_broker_up 0` and nothing else."""
        try:
            metrics = list(self._read(self.store.redis))
        except RedisError:
            metrics = []
        yield _gauge("broker_up", "Whether the broker's Redis answers.", float(bool(metrics)))
        yield from metrics

    def _read(self, redis: Redis) -> Iterator[Metric]:
        for name, help_text, value in (
            ("queue_depth", "Jobs that wait for a worker.", redis.zcard(jobs.QUEUED)),
            ("jobs_running", "Jobs that a worker is at.", redis.zcard(jobs.RUNNING)),
            ("jobs_dead", "Jobs in the dead-letter list.", redis.llen(jobs.DEAD)),
            ("quarantined", "Contents that are refused.", redis.hlen(jobs.QUARANTINE)),
            ("workers_alive", "Workers heard of lately.", len(presence.alive_workers(redis))),
        ):
            yield _gauge(name, help_text, float(value))
        yield self._states()
        yield self._stages(redis)

    def _states(self) -> Metric:
        family = CounterMetricFamily(
            "pointaction_jobs", "Jobs that have entered a state.", labels=["state"]
        )
        counts = self.store.counts()
        for state in jobs.State:
            family.add_metric([state.value], counts.get(state.value, 0))
        return family

    def _stages(self, redis: Redis) -> Metric:
        family = HistogramMetricFamily(
            "pointaction_stage_seconds", "Time that stages of jobs took.", labels=["stage"]
        )
        for stage, histogram in stats.read_stages(redis).items():
            buckets = [(str(bound), float(n)) for bound, n in histogram.buckets.items()]
            buckets.append(("+Inf", float(histogram.count)))
            family.add_metric([stage], buckets, histogram.sum_s)
        return family


class Metrics:
    """What `GET /metrics` shows."""

    def __init__(self, store: JobStore) -> None:
        self.queue = QueueCollector(store)
        self.own = CollectorRegistry()
        self.http = HttpMetrics(self.own)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format. Blocking."""
        if MULTIPROCESS_VARIABLE not in os.environ:
            return generate_latest(self.own) + self._queue_text()
        everyone = CollectorRegistry()
        multiprocess.MultiProcessCollector(everyone)
        return generate_latest(everyone) + self._queue_text()

    def _queue_text(self) -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self.queue)
        return generate_latest(registry)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pointaction_{name}", help_text, value=value)
