"""Many machines, one queue: is a job ever lost or done twice while machines come and go?

    make scale            or: unshare --map-root-user --net python -m benchmarks.scale

Sets up network namespaces as machines: a broker and a cache (the settings of `docker/`), a local S3
(moto), two APIs and four workers. Sends clips to both APIs and, while jobs run, takes one worker
away gently (SIGTERM), another by force (SIGKILL), puts a new one in, and stops an API on which
somebody waits. Every job is then read from the API that did not take it. Prints a table and files
it under `results/`; exits 1 if a job was lost or done twice.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
from redis import Redis, RedisError
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.hosts import Host, Lan
from benchmarks.machine import describe, write
from pointaction.synthetic.sample import write_sample
from pointaction.synthetic.vocabulary import LABELS
from workers.embedded import redis_server
from workers.jobs import State, events_key
from workers.presence import alive_workers
from workers.redis import connect

REAL = Path(__file__).resolve().parents[2] / "shared" / "clips" / "gestures"
CONF = Path(__file__).resolve().parents[1] / "docker"
WORKERS = 4
_LEASE_S = 4.0
_PATIENCE_S = 300.0
_WORD = "scale"  # password of Redis, key of the API and of S3: nobody else is in this network
_HEADERS = {"Authorization": f"Bearer {_WORD}"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=32)
    count = parser.parse_args().clips
    with tempfile.TemporaryDirectory(prefix="pointaction-scale-") as folder:
        clips, kind = some_clips(count, Path(folder))
        with Lan(Path(folder)) as lan:
            facts = _try(Cluster(lan), clips)
    text = _report(facts, f"{len(clips)} {kind}")
    Console().print(Markdown(text))
    path = write("scale", text)
    Console().print(f"written to {path.name}")
    sys.exit(0 if facts.whole else 1)


@dataclass(frozen=True)
class Facts:
    """What was seen, in jobs unless another unit is named."""

    accepted: int
    succeeded: int
    failed: int
    lost: int  # accepted, and in no final state at the end
    doubled: int  # entered a final state more than once, or done by two workers
    elsewhere: int  # same answer from the API that did not take it
    cached: int  # sent again, to the other API: answered from what the first had made
    by_worker: Counter[str]  # jobs ended by each
    retried: int  # needed a second attempt
    drain_s: float  # from SIGTERM to the end of the worker's process
    drain_exit: int
    taken_after_term: int  # jobs that the stopping worker began after SIGTERM
    waiter: int  # status that somebody got who waited on an API told to stop

    @property
    def whole(self) -> bool:
        """Whether nothing was lost, doubled or cut off."""
        return (
            self.accepted == self.succeeded == self.elsewhere
            and not (self.lost or self.doubled or self.taken_after_term or self.drain_exit)
            and self.waiter in (200, 202)
        )


class Cluster:
    """The machines, started and ready."""

    def __init__(self, lan: Lan) -> None:
        self.lan = lan
        broker, cache = (_start_redis(lan, name) for name in ("broker", "cache"))
        store = _start_s3(lan)
        self.environment = {
            "POINTACTION_BROKER_URL": f"redis://:{_WORD}@{broker.address}:6379/0",
            "POINTACTION_CACHE_URL": f"redis://:{_WORD}@{cache.address}:6379/0",
            "POINTACTION_BLOB_URL": "s3://pointaction/clips-and-drawings",
            "POINTACTION_HOST": "0.0.0.0",
            "POINTACTION_API_KEYS": _WORD,
            "POINTACTION_SUBMITS_PER_MINUTE": "0",
            "POINTACTION_READS_PER_MINUTE": "0",
            "POINTACTION_THREADS": "1",
            "POINTACTION_LEASE_S": str(_LEASE_S),
            "POINTACTION_LOG_FORMAT": "json",
            "AWS_ENDPOINT_URL": f"http://{store.address}:9000",
            "AWS_ACCESS_KEY_ID": _WORD,
            "AWS_SECRET_ACCESS_KEY": _WORD,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self.redis: Redis = connect(self.environment["POINTACTION_BROKER_URL"])
        _until(lambda: bool(self.redis.ping()), "the broker answers")
        self.workers: list[Host] = []
        for _ in range(WORKERS):
            self.add_worker()
        self.apis = [self._add_api(number) for number in (1, 2)]
        self.await_apis()
        _until(lambda: len(alive_workers(self.redis)) == WORKERS, "all workers are there")

    def add_worker(self) -> None:
        worker = self.lan.add(f"worker{len(self.workers) + 1}")
        self.workers.append(worker)
        self.run(worker, "worker")

    def run(self, host: Host, command: str) -> None:
        """Start the program of a machine: `serve` or `worker`."""
        own = {"POINTACTION_DATA_DIR": str(host.folder / "data")}
        host.start([sys.executable, "-m", "pointaction", command], self.environment | own)

    def await_apis(self) -> None:
        for api in self.apis:
            _until(partial(_ready, api), f"{api.base_url} is ready")

    def _add_api(self, number: int) -> httpx.Client:
        host = self.lan.add(f"api{number}")
        self.run(host, "serve")
        return httpx.Client(base_url=f"http://{host.address}:8000", headers=_HEADERS, timeout=120)

    def ended_by(self) -> dict[str, list[str]]:
        """The workers that have ended each job."""
        ended: dict[str, list[str]] = {}
        for worker in self.workers:
            for job in _ended(worker):
                ended.setdefault(job, []).append(worker.name)
        return ended


def _try(cluster: Cluster, clips: list[Path]) -> Facts:
    gone, killed = cluster.workers[:2]
    taken = [(_send(cluster.apis[n % 2], clip), n % 2) for n, clip in enumerate(clips)]

    _until(lambda: _at_work(gone), f"{gone.name} is at work")
    began = len(_begun(gone))
    with ThreadPoolExecutor(1) as pool:
        drained = pool.submit(_stop, gone)
        _until(lambda: _at_work(killed), f"{killed.name} is at work")
        os.killpg(killed.programs[0].pid, signal.SIGKILL)
        cluster.add_worker()
        drain_exit, drain_s = drained.result()

    waiter = _wait_at_stopping(cluster)
    taken.append((str(waiter.json().get("id") or waiter.json()["job"]), 0))

    ends = {job: _end(cluster.apis[1 - api], job) for job, api in taken}
    states = Counter(end["state"] for end in ends.values())
    ended = cluster.ended_by()
    once = sum(finishes(cluster.redis, job) == 1 == len(ended.get(job, [])) for job, _ in taken)
    again = [_post(cluster.apis[1 - n % 2], clip, wait_s=60) for n, clip in enumerate(clips)]
    return Facts(
        accepted=len(taken),
        succeeded=states["succeeded"],
        failed=states["failed"],
        lost=len(taken) - states["succeeded"] - states["failed"],
        doubled=len(taken) - once,
        elsewhere=sum(_same(job, *cluster.apis) for job, _ in taken),
        cached=sum(answer.is_success and answer.json().get("cached", False) for answer in again),
        by_worker=Counter(name for names in ended.values() for name in names),
        retried=sum(end["attempts"] > 1 for end in ends.values()),
        drain_s=drain_s,
        drain_exit=drain_exit,
        taken_after_term=len(_begun(gone)) - began,
        waiter=waiter.status_code,
    )


def finishes(redis: Redis, job: str) -> int:
    """How often the job has come to an end."""
    ends = {state.value for state in State if state.finished}
    entries = cast("list[tuple[str, dict[str, str]]]", redis.xrange(events_key(job)))
    return sum(fields["state"] in ends for _, fields in entries)


def _stop(host: Host) -> tuple[int, float]:
    """The exit code of what was started first on a machine, after SIGTERM, and seconds to it."""
    start = time.monotonic()
    host.programs[0].send_signal(signal.SIGTERM)
    return host.programs[0].wait(timeout=150), time.monotonic() - start


def _wait_at_stopping(cluster: Cluster) -> httpx.Response:
    """What somebody is told who waits on the first API when it has to stop; it comes back then."""
    api = cluster.lan.hosts["api1"]
    clip = cluster.lan.folder / "waited-for.mp4"
    write_sample(LABELS[0], clip, seed=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_post, cluster.apis[0], clip, wait_s=60)
        time.sleep(0.3)
        _stop(api)
        answer = waiting.result()
    cluster.run(api, "serve")
    cluster.await_apis()
    return answer


def _ready(api: httpx.Client) -> bool:
    return api.get("/health/ready").is_success


def _post(api: httpx.Client, clip: Path, *, wait_s: int) -> httpx.Response:
    headers = {"Prefer": f"wait={wait_s}"}
    return api.post("/classify", files={"clip": clip.read_bytes()}, headers=headers)


def _send(api: httpx.Client, clip: Path) -> str:
    """Id of the job."""
    answer = _post(api, clip, wait_s=0)
    if answer.status_code != 202:
        sys.exit(f"{clip.name} was not accepted: {answer.status_code} {answer.text}")
    return str(answer.json()["id"])


def _end(api: httpx.Client, job: str) -> dict[str, Any]:
    """The job when it has ended, or as it is when nobody would wait any longer."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        answer: dict[str, Any] = api.get(f"/jobs/{job}").json()
        if State(answer["state"]).finished or time.monotonic() > end:
            return answer
        time.sleep(0.1)


def _same(job: str, first: httpx.Client, second: httpx.Client) -> bool:
    """Whether both APIs answer alike: the result and, from the cache, the tracks."""
    results = [api.get(f"/jobs/{job}").json()["result"] for api in (first, second)]
    tracks = [api.get(f"/jobs/{job}/tracks") for api in (first, second)]
    return (
        results[0] == results[1] is not None
        and all(answer.status_code == 200 for answer in tracks)
        and tracks[0].content == tracks[1].content
    )


def _start_redis(lan: Lan, name: str) -> Host:
    """With the settings of the images."""
    host = lan.add(name)
    settings = (CONF / f"redis-{name}.conf").read_text() + f"requirepass {_WORD}\n"
    (host.folder / "redis.conf").write_text(settings.replace("dir /data", f"dir {host.folder}"))
    host.start([redis_server(), host.folder / "redis.conf"])
    return host


def _start_s3(lan: Lan) -> Host:
    host = lan.add("s3")
    host.start([sys.executable, "-m", "moto.server", "-H", "0.0.0.0", "-p", "9000"])
    bucket = f"http://{host.address}:9000/pointaction"
    _until(lambda: httpx.put(bucket).is_success, "the store has a bucket")
    return host


def _lines(host: Host) -> list[dict[str, Any]]:
    lines = host.log.read_text().splitlines() if host.log.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def _begun(worker: Host) -> list[str]:
    return [line["job"] for line in _lines(worker) if line["event"] == "job started"]


def _ended(worker: Host) -> list[str]:
    ends = ("job succeeded", "job failed")
    return [line["job"] for line in _lines(worker) if line["event"] in ends]


def _at_work(worker: Host) -> bool:
    return len(_begun(worker)) > len(_ended(worker))


def _until(holds: Callable[[], bool], what: str) -> None:
    """Wait for it; the program ends when it does not come to be."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        with suppress(httpx.HTTPError, RedisError):
            if holds():
                return
        time.sleep(0.01)
    sys.exit(f"waited {_PATIENCE_S:.0f} s in vain until {what}")


def some_clips(count: int, folder: Path) -> tuple[list[Path], str]:
    """Real ones where they lie beside the checkout, else procedural ones; and which they are."""
    real = sorted(REAL.glob("*/*.mp4"))[:count]
    if len(real) == count:
        return real, "real clips of gestures (EgoGestAR)"
    clips = [folder / f"{number}.mp4" for number in range(count)]
    for number, clip in enumerate(clips):
        write_sample(LABELS[number % len(LABELS)], clip, seed=1000 + number)
    return clips, "procedural clips of 3 s"


def _report(facts: Facts, kind: str) -> str:
    shares = ", ".join(f"{name} {number}" for name, number in sorted(facts.by_worker.items()))
    rows = {
        "jobs accepted, by two APIs": facts.accepted,
        "succeeded": facts.succeeded,
        "failed": facts.failed,
        "lost": facts.lost,
        "doubled": facts.doubled,
        "answered alike by both APIs, tracks too": facts.elsewhere,
        "sent again to the other API, answered from the cache": facts.cached,
        "jobs that needed a second attempt": facts.retried,
        "worker 1, after SIGTERM: seconds until it had ended": f"{facts.drain_s:.1f}",
        "its exit code": facts.drain_exit,
        "jobs that it began after SIGTERM": facts.taken_after_term,
        "status for who waited on an API that was told to stop": facts.waiter,
    }
    lines = [
        "# Many machines, one queue",
        "",
        describe(),
        f"- {kind}; 2 APIs, {WORKERS} workers and one that came later, each in a network namespace "
        "of its own; Redis over TCP, clips in S3 (moto). Worker 1 was told to stop and worker 2 "
        "killed, each at work.",
        "",
        "| what | seen |",
        "|---|---|",
        *(f"| {what} | {seen} |" for what, seen in rows.items()),
        "",
        f"Jobs ended by: {shares}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
