"""Prometheus numbers: what web processes count themselves, and what `collectors` look up."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.registry import Collector
from redis import Redis

from service.collectors import DiskCollector, ServersCollector, WorkCollector
from workers import stats
from workers.jobs import JobStore

# prometheus_client looks for this variable when it is first imported; `launch` sets it before.
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_QUESTIONS = "pointaction_questions"


class HttpMetrics:
    """How many requests there were, how long they took and what they brought, by route."""

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
        self.received = Counter(
            "pointaction_http_received_bytes",
            "Bytes of bodies that were read: uploads.",
            ("method", "route"),
            registry=registry,
        )

    def observe(
        self, *, method: str, route: str, status: int, seconds: float, received: int
    ) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)
        if received:
            self.received.labels(method, route).inc(received)


class Metrics:
    """What `GET /metrics` shows."""

    def __init__(self, store: JobStore, *, cache: Redis, data_dir: Path) -> None:
        self.looked_up: list[Collector] = [
            WorkCollector(store),
            ServersCollector(broker=store.redis, cache=cache),
            DiskCollector(data_dir),
        ]
        self.own = CollectorRegistry()
        self.http = HttpMetrics(self.own)
        self.questions = Counter(
            _QUESTIONS,
            "Clips asked about: cached (answered at once), or queued.",
            ("kind", "model", "outcome"),
            registry=self.own,
        )

    def render(self) -> bytes:
        """All metrics in Prometheus' text format. Blocking."""
        return generate_latest(self._counted()) + self._looked_up_text()

    def asked(self) -> dict[str, int]:
        """How many questions were "cached" and how many "queued", by all web processes."""
        asked = {"cached": 0, "queued": 0}
        for family in self._counted().collect():
            for sample in family.samples:
                if sample.name == f"{_QUESTIONS}_total":
                    asked[sample.labels["outcome"]] += int(sample.value)
        return asked

    def _counted(self) -> CollectorRegistry:
        """What web processes count."""
        if MULTIPROCESS_VARIABLE not in os.environ:
            return self.own
        everyone = CollectorRegistry()
        multiprocess.MultiProcessCollector(everyone)
        return everyone

    def _looked_up_text(self) -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        for collector in self.looked_up:
            registry.register(collector)
        return generate_latest(registry)
