"""The whole service, kept running as `pointaction serve` keeps it, its processes at hand."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

import httpx
from redis import Redis, RedisError

from benchmarks import machine
from benchmarks.machine import descendants
from service.settings import ServiceSettings
from service.stack import Keeper, embedded
from workers.jobs import QUEUED, RUNNING
from workers.launch import WorkerProcess
from workers.presence import alive_workers
from workers.queue import JobQueue
from workers.redis import connect

Role = machine.Role | Literal["pool"]  # the process of a worker that does its jobs
ROLES: tuple[Role, ...] = ("deliverer", "cache", "broker", "decoder", "api", "worker", "pool")
WORKERS = 2
_LEASE_S = 2.0
VISIBLE_AGAIN_S = 100  # after which a message that nobody has settled comes back
PATIENCE_S = 150.0
# Anyone could reach this address, were the network not our own: webhooks go nowhere else.
PUBLIC = "1.1.1.1"
_PORT = 8000
_DISK_MB = 64
_CLAIMED = re.compile(r'job:([0-9a-f]{32}) state "running" holder [^ ]*?:(\d+):')


class Stack:
    """API, two workers, deliverer, broker and cache; each is started again when it dies.

    Use as a context. Two small disks of its own hold the data and the broker's file.
    """

    def __init__(self, folder: Path, *, hooks: str) -> None:
        self.data = folder / "data"
        self.settings = ServiceSettings(
            data_dir=self.data,
            port=_PORT,
            lease_s=_LEASE_S,
            # A clip is not to blame for what is done here, however often it is hit.
            max_attempts=20,
            soft_time_limit_s=60,
            hard_time_limit_s=90,
            visibility_timeout_s=VISIBLE_AGAIN_S,
            tracks=64,
            threads=1,
            submits_per_minute=0,
            reads_per_minute=0,
            max_pending=0,
            webhook_hosts=hooks,
            webhook_secret="whsec_" + "c2VjcmV0" * 4,  # type: ignore[arg-type]
            webhook_http=True,
            log_format="json",
        )
        self.url = f"http://127.0.0.1:{_PORT}"
        self._open = ExitStack()

    def __enter__(self) -> "Stack":
        for disk in self.disks:
            disk.mkdir(parents=True)
            size = f"size={_DISK_MB}m"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", disk], check=True)
        self.settings = self._open.enter_context(embedded(self.settings))
        others = [
            WorkerProcess(self.settings),
            WorkerProcess(self.settings, module="service.launch", reads=ServiceSettings),
        ]
        for process in others:
            self._open.enter_context(Keeper(process.module, process))
        self.broker = connect(self.settings.require("broker_url"), timeout_s=10)
        self.cache = connect(self.settings.require("cache_url"), timeout_s=10)
        self.queue = JobQueue(self.settings)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        for disk in reversed(self.disks):
            subprocess.run(["umount", disk], check=True)

    @property
    def disks(self) -> tuple[Path, Path]:
        """Of the data, and of what Redis keeps."""
        return self.data, self.data / "redis"

    def processes(self) -> dict[Role, list[int]]:
        """Those that run now, the oldest first."""
        found: dict[Role, list[int]] = {role: [] for role in ROLES}
        with suppress(FileNotFoundError, ProcessLookupError):  # one ended while it was looked at
            for pid in sorted(descendants(os.getpid())):
                if role := _role(pid):
                    found[role].append(pid)
        return found

    def victim(self, role: Role, pool: int | None) -> int:
        """The process to be hit: where it belongs to a pool process, that of `pool`."""
        found = self.processes()
        if pool is None or role not in ("worker", "pool", "decoder"):
            return found[role][-1]
        if role == "decoder":
            return max(descendants(pool))  # the fork that decodes a clip, else what forks it
        return pool if role == "pool" else _parent(pool)

    def whole(self) -> bool:
        """Whether everything runs, answers, and has nothing left to do."""
        found = self.processes()
        as_many = all(
            len(found[role]) == (WORKERS if role in ("worker", "pool") else 1)
            for role in ROLES
            if role != "decoder"
        )
        return as_many and self._answers() and not self.left()

    def left(self) -> int:
        """Jobs and messages that wait or are held, though nobody waits for them any more."""
        waiting = int(self.broker.llen(self.settings.queue))
        return waiting + int(self.broker.zcard(QUEUED)) + int(self.broker.zcard(RUNNING))

    def age_uploads(self) -> None:
        """Have an hour gone by for what killed APIs have left of uploads, and the API see it."""
        for part in (self.data / "uploads").glob("*.part"):
            os.utime(part, (0, 0))
        os.kill(self.victim("api", None), signal.SIGTERM)

    def unsettled(self) -> int:
        """Messages that were delivered and not settled; in time they are delivered again."""
        return int(self.broker.hlen("unacked"))

    def _answers(self) -> bool:
        try:
            ready = httpx.get(f"{self.url}/health/ready", timeout=5).is_success
            return ready and len(alive_workers(self.broker)) == WORKERS
        except (httpx.HTTPError, RedisError):
            return False

    def await_whole(self) -> bool:
        """Whether it was within the time that anyone would wait."""
        return wait_for(self.whole, PATIENCE_S)


class Watch:
    """Every command that broker and cache are given, as it is given. Use as a context."""

    def __init__(self, stack: Stack) -> None:
        self.servers = [stack.settings.broker_url, stack.settings.cache_url]
        self.pools: dict[str, int] = {}  # job -> process that is at it
        self._said: SimpleQueue[str] = SimpleQueue()
        self._clients: list[Redis] = []

    def __enter__(self) -> "Watch":
        for url in self.servers:
            client = connect(str(url), timeout_s=PATIENCE_S)
            self._clients.append(client)
            monitor = client.monitor().__enter__()
            threading.Thread(target=self._listen, args=(monitor.listen(),), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.connection_pool.disconnect()

    def until(self, words: re.Pattern[str]) -> tuple[bool, int | None]:
        """Whether they were said, and which pool process is at the job, where one is known."""
        end = time.monotonic() + PATIENCE_S
        while (left := end - time.monotonic()) > 0:
            try:
                said = self._said.get(timeout=left)
            except Empty:
                break
            if claimed := _CLAIMED.search(said):
                self.pools[claimed[1]] = int(claimed[2])
            if words.search(said):
                job = re.search("job:([0-9a-f]{32})", said)
                known = self.pools.get(job[1]) if job else None
                return True, known or next(iter(self.pools.values()), None)
        return False, None

    def _listen(self, commands: "Iterator[dict[str, str]]") -> None:
        with suppress(RedisError, OSError, ValueError, AttributeError):  # it is hit itself, or left
            for command in commands:
                self._said.put(command["command"])


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte more fits on the disk while the context lasts."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def wait_for(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it held within so many seconds; what does not answer does not hold."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(RedisError, OSError):
            if holds():
                return True
        time.sleep(0.05)
    return False


def _role(pid: int) -> Role | None:
    found = machine.role(pid)
    return "pool" if found == "worker" and _parent(pid) != os.getpid() else found


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
