"""Numbers that are looked up when they are asked for: of the queue, the work, the two Redis servers
and the disk. The same from every web process, but for the disk.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from workers import jobs, presence, runs, stats
from workers.jobs import JobStore
from workers.outbox import Outbox
from workers.stats import Counter

_COUNTERS = {
    Counter.FINISHED: (
        "jobs_finished",
        "Jobs that workers ended: succeeded, or which problem there was.",
        ("kind", "model", "outcome"),
    ),
    Counter.RETRIES: ("retries", "Attempts at a job after its first.", ("kind",)),
    Counter.LOOKUPS: (
        "cache_lookups",
        "What workers looked for in the cache.",
        ("what", "outcome"),
    ),
    Counter.CLIPS: (
        "clips",
        "Attempts at clips of data sets that ended: followed, or which kind of failure there was.",
        ("outcome",),
    ),
    Counter.LOADS: ("loads", "Models, trackers, depths and heads brought to memory.", ("name",)),
}


class WorkCollector(Collector):
    """The queue and what workers have done, from the broker."""

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self.outbox = Outbox(store.redis)

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
            (
                "queue_age_seconds",
                "Age of the job that has waited longest.",
                self.store.longest_wait_s(),
            ),
            ("jobs_running", "Jobs that a worker is at.", redis.zcard(jobs.RUNNING)),
            ("jobs_dead", "Jobs in the dead-letter list.", redis.llen(jobs.DEAD)),
            ("quarantined", "Contents that are refused.", redis.hlen(jobs.QUARANTINE)),
            (
                "workers_alive",
                "Workers heard of lately that take jobs.",
                len(presence.alive_for(redis, "jobs")),
            ),
            ("webhooks_waiting", "Ends of jobs that are to be told.", self.outbox.waiting()),
        ):
            yield _gauge(name, help_text, float(value))
        yield from _extraction(redis)
        yield self._states()
        for counter, (name, help_text, labels) in _COUNTERS.items():
            yield _counted(name, help_text, labels, stats.read_counter(redis, counter).items())
        yield _counted(
            "webhooks",
            "Ends of jobs delivered or dropped, and attempts at that which failed.",
            ("outcome",),
            [((outcome,), count) for outcome, count in self.outbox.counts().items()],
        )
        yield _seconds(
            "stage_seconds",
            "Time that stages of jobs took that succeeded.",
            ("stage", "model"),
            stats.read_stages(redis),
        )
        yield _seconds(
            "clip_seconds",
            "Time that clips of data sets took that were followed.",
            ("tracker",),
            stats.read_clips(redis),
        )
        yield _gpu_memory(redis)

    def _states(self) -> Metric:
        counts = self.store.counts()
        pairs = [((state.value,), counts.get(state.value, 0)) for state in jobs.State]
        return _counted("jobs", "Jobs that have entered a state.", ("state",), pairs)


class ServersCollector(Collector):
    """How the Redis servers are: the broker must not fill up, and the cache may."""

    def __init__(self, **servers: Redis) -> None:
        self.servers = servers

    def collect(self) -> Iterator[Metric]:
        up = _labelled("redis_up", "Whether this Redis answers.", "server")
        used = _labelled("redis_memory_bytes", "Memory that this Redis uses.", "server")
        limit = _labelled("redis_memory_limit_bytes", "Its maxmemory; 0: none.", "server")
        evicted = CounterMetricFamily(
            "pointaction_redis_evicted_keys",
            "Keys it has let go of for want of memory.",
            labels=["server"],
        )
        for name, redis in self.servers.items():
            try:
                info = redis.info()
            except RedisError:
                up.add_metric([name], 0)
                continue
            up.add_metric([name], 1)
            used.add_metric([name], info["used_memory"])
            limit.add_metric([name], info.get("maxmemory", 0))
            evicted.add_metric([name], info.get("evicted_keys", 0))
        yield from (up, used, limit, evicted)


class DiskCollector(Collector):
    """Room where uploads come in, and, unless blobs are elsewhere, stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def collect(self) -> Iterator[Metric]:
        try:
            disk = shutil.disk_usage(self.folder)
        except OSError:  # there is no such folder yet
            return
        yield _gauge("disk_free_bytes", "Room in the data folder.", float(disk.free))
        yield _gauge("disk_bytes", "Size of the disk of the data folder.", float(disk.total))


def _extraction(redis: Redis) -> Iterator[Metric]:
    """Clips of data sets, handed out by `pointaction extract --queue`."""
    found = runs.under_way(redis)
    for name, help_text, value in (
        ("extractions", "Commands that hand out clips of data sets.", found.commands),
        ("clips_waiting", "Clips of data sets that wait for a worker.", found.waiting),
        ("clips_running", "Clips of data sets that a worker is at.", found.running),
        (
            "clip_workers_alive",
            "Workers heard of lately that take clips of data sets.",
            len(presence.alive_for(redis, "extract")),
        ),
    ):
        yield _gauge(name, help_text, float(value))


def _seconds(
    name: str,
    help_text: str,
    labels: tuple[str, ...],
    found: Mapping[tuple[str, ...], stats.Histogram],
) -> Metric:
    family = HistogramMetricFamily(f"pointaction_{name}", help_text, labels=labels)
    for values, histogram in found.items():
        buckets = [(str(bound), float(n)) for bound, n in histogram.buckets.items()]
        buckets.append(("+Inf", float(histogram.count)))
        family.add_metric(values, buckets, histogram.sum_s)
    return family


def _gpu_memory(redis: Redis) -> Metric:
    family = GaugeMetricFamily(
        "pointaction_gpu_memory_bytes",
        "What workers hold of their GPUs, and what of these is free; absent without GPUs.",
        labels=["worker", "device", "what"],
    )
    for worker, devices in presence.gpu_memory(redis).items():
        for device, memory in devices.items():
            for what, size in memory.items():
                family.add_metric([worker, device, what], size)
    return family


def _counted(
    name: str,
    help_text: str,
    labels: tuple[str, ...],
    counts: Iterable[tuple[tuple[str, ...], int]],
) -> Metric:
    family = CounterMetricFamily(f"pointaction_{name}", help_text, labels=labels)
    for values, count in counts:
        family.add_metric(values, count)
    return family


def _labelled(name: str, help_text: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"pointaction_{name}", help_text, labels=[label])


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pointaction_{name}", help_text, value=value)
