"""What the queue of `pointaction extract --queue` bears: 100,000 clips that are followed at once.

    python -m benchmarks.scheduler [--clips 100000] [--workers 2]

The command's own code, a real broker and cache, real workers and a real store on this disk; only
that clips are not followed but given the same tracks (`benchmarks.instant`). After a third of the
clips the broker is killed (SIGKILL), after two thirds it is shut down; each time it is started
again, by its append-only file, three seconds later. In the end the store has to be the one that is
written without a queue, shard by shard. Then the same scheduler hands clips to some hundred
workers of virtual time, with what a clip has cost it here (`benchmarks.farm`), and some real clips
are followed with and without the queue. Prints tables and files them under `results/`.
"""

import argparse
import csv
import os
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median, quantiles

import redis
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.farm import Farm
from benchmarks.instant import FOLLOWED, record
from benchmarks.machine import RESULTS, descendants
from pointaction.evaluation.report import Report, Table
from pointaction.extraction.extract import Followers, extract, in_processes
from pointaction.extraction.follower import How
from pointaction.extraction.order import in_order
from pointaction.extraction.rate import rating
from pointaction.extraction.sources import Wanted, read_source
from pointaction.synthetic.sample import write_sample
from pointaction.synthetic.vocabulary import LABELS
from pointaction.trackstore.manifest import MIXED
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter
from workers.embedded import EmbeddedRedis
from workers.extraction import queue_followers
from workers.launch import WorkerProcess
from workers.redis import connect
from workers.scheduler import AHEAD, ROOM, Scheduler
from workers.settings import Settings

_GONE_S = 3.0  # that the broker is away
_SAMPLE_S = 0.1
_STRETCH = 1000  # clips, of which the rate is told
_TICK = os.sysconf("SC_CLK_TCK")
_ROWS = 50_000  # of a list that is read
_FARMED = 100_000  # clips of a farm


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--real", type=int, default=40, help="clips that are followed in earnest")
    wish = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="pointaction-scheduler-") as name:
        folder = Path(name)
        clips = some_clips(wish.clips)
        seen = through_the_queue(folder, clips, wish.workers)
        alone_s, whole = _written_alone(folder / "alone", clips)
        tables = {
            "Through the queue": _queue(seen, TrackStore(folder / "store"), whole, clips),
            "The broker goes away": _outages(seen),
            "What a clip costs, ms of one processor": _costs(seen, alone_s, len(clips)),
            "Memory and disk": _memory(seen),
            "A source and a store that large": _large(folder, whole),
            "Clips of 3 s and 320 pixels, followed in earnest": real_clips(
                folder / "real", wish.real
            ),
            "Workers of virtual time": _farms(seen.command_s / len(clips)),
        }
    report = Report(
        title="The queue of an extraction",
        conditions={
            "clips": f"{len(clips):,}, followed at once; {len(_bytes_of(clips[0])):,} bytes each",
            "workers": wish.workers,
            "under way": f"{AHEAD:,} clips at the most",
            "redis": seen.version,
            "load average before": f"{load:.1f}",
        },
        tables=tables,
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'scheduler').name}")


def some_clips(count: int) -> list[Wanted]:
    """In the order in which a store has them."""
    clips = [
        Wanted(
            key=f"videos/{number:07d}",
            path=Path(f"/data/videos/{number:07d}.mp4"),
            label=f"class {number % 174}",
            about={"source": f"videos/{number:07d}.mp4"},
        )
        for number in range(count)
    ]
    return in_order(clips, MIXED)


@dataclass
class Outage:
    """One time that the broker was away."""

    how: str
    after: int  # clips that were in the store
    gone: float
    back: float = 0.0  # it answers
    first: float = 0.0  # the next clip is in the store
    loading_s: float = 0.0


@dataclass
class Seen:
    """What was noticed meanwhile."""

    times: list[tuple[float, int]] = field(default_factory=list)  # when how many clips were there
    peaks: dict[str, int] = field(default_factory=dict)
    outages: list[Outage] = field(default_factory=list)
    processor_s: dict[str, float] = field(default_factory=dict)
    command_s: float = 0.0
    followed: int = 0
    version: str = ""

    def peak(self, name: str, value: int) -> None:
        self.peaks[name] = max(self.peaks.get(name, 0), value)


def through_the_queue(folder: Path, clips: Sequence[Wanted], workers: int) -> Seen:
    """Fill `folder`/store by workers, with a broker that goes away twice."""
    seen = Seen()
    with EmbeddedRedis(folder / "data") as servers, ExitStack() as stack:
        settings = _settings(folder, servers)
        for _ in range(workers):
            stack.enter_context(_worker(settings))
        watch = stack.enter_context(_watched(settings, servers, seen, len(clips)))
        store = folder / "store"
        began = time.process_time()
        with rating("clips") as bar:

            def progress(done: int, total: int) -> None:
                watch.count(done)
                bar(done, total)

            followers = queue_followers(settings, str(store), "shard")
            extract(clips, store, How(), followers=followers, progress=progress)
        seen.command_s = time.process_time() - began
        seen.processor_s["workers"] = sum(map(_spent_s, descendants(os.getpid())))
        seen.processor_s["redis"] = watch.redis_s()
        seen.processor_s["workers"] -= seen.processor_s["redis"] - watch.ended_s
        seen.followed = (settings.data_dir / FOLLOWED).stat().st_size
        seen.version = str(watch.broker.info()["redis_version"])
    return seen


def _settings(folder: Path, servers: EmbeddedRedis) -> Settings:
    """Of workers that take clips alone."""
    return Settings(
        data_dir=folder / "data",
        broker_url=servers.broker_url,
        cache_url=servers.cache_url,
        takes="extract",
        log_level="warning",
    )


@contextmanager
def _worker(settings: Settings, module: str = "benchmarks.instant") -> Iterator[None]:
    worker = WorkerProcess(settings, module=module)
    worker.start()
    try:
        yield
    finally:
        worker.stop()


class Watch(threading.Thread):
    """Looks at both servers, and takes the broker away twice. Servers live as long as the thread
    that started them, so it lasts until all is over.
    """

    def __init__(self, settings: Settings, servers: EmbeddedRedis, seen: Seen, total: int) -> None:
        super().__init__(name="watch")
        self.settings, self.servers, self.seen = settings, servers, seen
        self.broker = connect(settings.require("broker_url"))
        self.cache = connect(settings.require("cache_url"))
        self.ended_s = 0.0  # processor time of brokers that have ended
        self._plan = [(total // 3, "killed"), (2 * total // 3, "shut down")]
        self._done = 0
        self.over = threading.Event()

    def count(self, done: int) -> None:
        self._done = done
        if done % _STRETCH == 0:
            self.seen.times.append((time.perf_counter(), done))
        for outage in self.seen.outages[-1:]:
            if outage.back and not outage.first:
                outage.first = time.perf_counter()

    def run(self) -> None:
        while not self.over.wait(_SAMPLE_S):
            if self._plan and self._done >= self._plan[0][0]:
                self._take_away(self._plan.pop(0)[1])
            for name, server in (("broker", self.broker), ("cache", self.cache)):
                self._look(name, server)

    def _look(self, name: str, server: redis.Redis) -> None:
        try:
            memory = server.info("memory")
            self.seen.peak(f"{name}, data", memory["used_memory"])
            self.seen.peak(f"{name}, process", memory["used_memory_rss"])
            if name == "broker":
                self.seen.peak("messages", server.llen(self.settings.extract_queue))
        except redis.RedisError:
            return
        folder = self.settings.data_dir / "redis" / "broker"
        self.seen.peak("append-only file", sum(_size(each) for each in folder.iterdir()))

    def _take_away(self, how: str) -> None:
        outage = Outage(how=how, after=self._done, gone=time.perf_counter())
        self.seen.outages.append(outage)
        server = self.servers.servers["broker"]
        self.ended_s += _spent_s(server.pid)
        if how == "killed":
            server.kill()
        else:
            server.terminate()
        server.wait()
        time.sleep(_GONE_S)
        start = time.perf_counter()
        self.servers.start()
        outage.back = time.perf_counter()
        outage.loading_s = outage.back - start

    def redis_s(self) -> float:
        """Processor time of both servers, those that have ended included."""
        return self.ended_s + sum(_spent_s(each.pid) for each in self.servers.servers.values())


@contextmanager
def _watched(settings: Settings, servers: EmbeddedRedis, seen: Seen, total: int) -> Iterator[Watch]:
    watch = Watch(settings, servers, seen, total)
    watch.start()
    try:
        yield watch
    finally:
        watch.over.set()
        watch.join()


def _spent_s(pid: int) -> float:
    """Processor time of a process, user and system, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # rewritten just now
        return 0


def _bytes_of(clip: Wanted) -> bytes:
    return b"".join(record(clip).members.values())


def _written_alone(folder: Path, clips: Sequence[Wanted]) -> tuple[float, TrackStore]:
    """Processor seconds of writing the same store without a queue, and the store."""
    began = time.process_time()
    with StoreWriter(TrackStore.create(folder, How().making())) as writer:
        for each in clips:
            writer.add_members(each.key, record(each).members)
    return time.process_time() - began, TrackStore(folder)


def _queue(seen: Seen, store: TrackStore, whole: TrackStore, clips: Sequence[Wanted]) -> Table:
    keys = [entry.key for entry in store]
    rates = _rates(seen)
    rows: dict[str, tuple[object, ...]] = {
        "clips in the store": (len(keys),),
        "lost": (len({each.key for each in clips} - set(keys)),),
        "there twice": (len(keys) - len(set(keys)),),
        "in the order of the source": (str(keys == [each.key for each in clips]),),
        "shards that differ from those without a queue": (
            len(set(store.shards) ^ set(whole.shards)),
        ),
        "followed more than once": (seen.followed - len(clips),),
        "clips a second, median thousand": (round(median(rates)),),
        "clips a second, one thousand in ten is slower than": (round(quantiles(rates, n=10)[0]),),
        "seconds from the first thousand to the last": (
            round(seen.times[-1][0] - seen.times[0][0], 1),
        ),
        "most messages that waited": (seen.peaks["messages"],),
    }
    return Table(corner="of", columns=("",), rows=rows)


def _rates(seen: Seen) -> list[float]:
    """Clips a second of every thousand during which the broker was there all the time."""
    rates = []
    for (start, before), (end, after) in zip(seen.times, seen.times[1:], strict=False):
        if not any(each.gone < end and start < each.first for each in seen.outages):
            rates.append((after - before) / (end - start))
    return rates


def _outages(seen: Seen) -> Table:
    rows: dict[str, tuple[object, ...]] = {
        each.how: (
            each.after,
            f"{each.loading_s:.2f}",
            f"{each.first - each.back:.1f}",
            f"{each.first - each.gone:.1f}",
        )
        for each in seen.outages
    }
    columns = (
        "clips that were there",
        "s to start it",
        "s from then to the next clip",
        "s without a clip",
    )
    return Table(corner="the broker was", columns=columns, rows=rows)


def _costs(seen: Seen, alone_s: float, clips: int) -> Table:
    rows: dict[str, tuple[object, ...]] = {
        "the command": (f"{seen.command_s / clips * 1e3:.2f}",),
        "of which writing the store": (f"{alone_s / clips * 1e3:.2f}",),
        "workers, all together": (f"{seen.processor_s['workers'] / clips * 1e3:.2f}",),
        "broker and cache": (f"{seen.processor_s['redis'] / clips * 1e3:.2f}",),
    }
    return Table(corner="process", columns=("ms",), rows=rows)


def _memory(seen: Seen) -> Table:
    rows = {name: (f"{size / 1e6:.1f}",) for name, size in seen.peaks.items() if name != "messages"}
    return Table(corner="of", columns=("MB at the most",), rows=rows)


def _large(folder: Path, store: TrackStore) -> Table:
    """What it takes the command to know a source and what a store has of it."""
    table = folder / "list.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label"))
        writer.writerows((f"videos/{row:07d}.mp4", f"class {row % 174}") for row in range(_ROWS))
    start = time.perf_counter()
    read_source(table)
    read_s = time.perf_counter() - start
    tracemalloc.start()
    clips = read_source(table)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    fresh = TrackStore(store.url)
    start = time.perf_counter()
    known = len(fresh.places)
    known_s = time.perf_counter() - start
    rows: dict[str, tuple[object, ...]] = {
        "reading a list": (f"{read_s / len(clips) * 1e6:.0f}", round(held / len(clips))),
        "at the most while it is read": (None, round(peak / len(clips))),
        "the keys of a store": (f"{known_s / known * 1e6:.0f}", None),
    }
    return Table(corner="of", columns=("s a million clips", "bytes a clip"), rows=rows)


def real_clips(folder: Path, count: int) -> Table:
    """What clips of 3 s and 320 pixels cost that are followed in earnest, one at a time: by a
    process of the command, and by a worker behind the queue.
    """
    folder.mkdir()
    videos = folder / "videos"
    videos.mkdir()
    for number in range(count):
        write_sample(LABELS[number % len(LABELS)], videos / f"{number:03d}.mp4", seed=number)
    clips = read_source(videos)
    rows: dict[str, tuple[object, ...]] = {}
    with EmbeddedRedis(folder / "data") as servers:
        settings = _settings(folder, servers)
        by_queue = queue_followers(settings, str(folder / "queue"), "shard")
        with _worker(settings, module="workers.launch"):
            rows["by a worker"] = _timed(clips, folder / "queue", by_queue)
        rows["in a process"] = _timed(clips, folder / "process", in_processes(1))
    same = TrackStore(folder / "queue").shards == TrackStore(folder / "process").shards
    rows["the stores are the same"] = (str(same), None)
    return Table(corner="followed", columns=("s a clip", "kB a clip"), rows=rows)


def _timed(clips: Sequence[Wanted], folder: Path, followers: Followers) -> tuple[object, ...]:
    """Seconds from one clip to the next, once the first is there, and what a clip takes on disk."""
    times: list[float] = []
    extract(
        clips,
        folder,
        How(),
        followers=followers,
        progress=lambda done, total: times.append(time.perf_counter()),
    )
    size = sum(seal.length for seal in TrackStore(folder).shards)
    seconds = (times[-1] - times[0]) / (len(times) - 1)
    return f"{seconds:.3f}", f"{size / len(clips) / 1e3:.1f}"


def _farms(cost_s: float) -> Table:
    """How busy workers are, whose clips take a second each on the average and some far longer."""
    rows = {}
    for workers, room in (
        (100, ROOM // 16),
        (100, ROOM // 4),
        (100, ROOM),
        (400, ROOM),
        (400, 4 * ROOM),
        (1600, ROOM),
        (1600, 16 * ROOM),
    ):
        farm = _farm(workers, cost_s)
        ahead = max(AHEAD, 4 * workers)
        scheduler = Scheduler(farm, ahead=ahead, room=room, clock=farm.clock, sleep=farm.sleep)
        given = sum(1 for _ in scheduler.follow(iter(some_clips(_FARMED))))
        rows[f"{workers} workers, room for {room >> 20} MiB"] = (
            given,
            f"{farm.busy_s / farm.now / workers:.1%}",
            round(given / farm.now),
        )
    columns = ("clips", "busy", "clips a second")
    return Table(corner="farm", columns=columns, rows=rows)


def _farm(workers: int, cost_s: float) -> Farm:
    """One in ten thousand clips kills its worker; the logarithm of what one takes has a standard
    deviation of 1: one in a hundred takes six times the mean.
    """
    chance = Random(0)
    return Farm(
        workers,
        seconds=lambda number: chance.lognormvariate(-0.5, 1.0),
        deadly=lambda number, attempt: attempt == 1 and number % 10_000 == 7,
        cost_s=cost_s,
    )


if __name__ == "__main__":
    main()
