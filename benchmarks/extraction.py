"""Is a store that was made under fire the one that comes of leaving its makers alone?

    python -m benchmarks.extraction [--clips ../shared/clips] [--count 500] [--kills 5] [--broker]

Real clips and drawn ones of several sizes are extracted by `pointaction extract` in two processes,
and then again while processes of its tree are killed (SIGKILL) at random moments: the command
itself, which is then started again, and those that it has started. A moment is a share of the time
that the undisturbed run took, or of its clips if these are in the store before: over the queue they
come there late and many at once. All files of both stores are compared byte by byte. With
`--broker` two workers behind a Redis of our own follow the clips, and the killed are the command,
workers and what these have started. What else is said goes to `pointaction extract`, such as
`--tracks 64` or `--features looks-tiny`.

Prints tables and files them under `results/`; exits 1 where the stores are not the same.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.machine import RESULTS, descendants
from pointaction.evaluation.report import Report, Table
from pointaction.progress import counting
from pointaction.synthetic.sample import write_sample
from pointaction.synthetic.vocabulary import LABELS
from pointaction.trackstore.index import FOLDER, scan
from pointaction.trackstore.store import TrackStore
from service.stack import Keeper
from workers.embedded import EmbeddedRedis
from workers.launch import WorkerProcess
from workers.presence import alive_workers
from workers.redis import connect
from workers.settings import Settings

PROCESSES = 2
PER_SHARD = 60
SIZES = ((64, 8, 1.0), (96, 12, 1.5), (128, 16, 2.0), (192, 24, 2.5))  # pixels, frames, seconds
# Who may be killed: the command, and those that work for it.
COMMAND = "command"
OF_ITS_OWN = ("pool", "forkserver", "zygote", "decoder")
OF_WORKERS = ("worker", "pool", "zygote", "decoder")
_MOMENTS = (0.05, 0.8)  # of the undisturbed run: when somebody is killed
_END_S = 30.0  # until which the processes of a command that was killed have to end
_LEASE_S = 4.0  # of a worker


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=Path, default=Path("../shared/clips"))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--broker", action="store_true")
    wish, words = parser.parse_known_args()
    words = ["--per-shard", str(PER_SHARD), "--no-estimate", *words]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pointaction-fire-")))
        clips, calm, fire = (folder / each for each in ("clips", "calm", "fire"))
        real = gather(clips, wish.clips, wish.count)
        variables: dict[str, str] = {}
        if wish.broker:
            variables = stack.enter_context(working(folder))
        words += ["--queue"] if wish.broker else ["-p", str(PROCESSES)]
        command = [sys.executable, "-m", "pointaction", "extract", str(clips), *words, "-o"]
        alone = run([*command, str(calm)], variables)
        victims = OF_WORKERS if wish.broker else OF_ITS_OWN
        planned = plan(Random(wish.seed), wish.kills, victims)
        strikes = Strikes(planned, store=fire, clips=wish.count, seconds=alone.seconds)
        disturbed = run([*command, str(fire)], variables, strikes)
        found = compare(calm, fire, wish.count)
    whole = found.same and len(disturbed.blows) == wish.kills and not disturbed.left
    by = "workers behind Redis" if wish.broker else "processes"
    report = Report(
        title="Extraction under fire",
        conditions={
            "clips": f"{wish.count}: {real} real, {wish.count - real} drawn of "
            f"{min(SIZES)[0]} to {max(SIZES)[0]} pixels; by {PROCESSES} {by}",
            "extract": " ".join(words),
            "seed": wish.seed,
        },
        tables={
            "What came of it": _outcome(wish.count, alone, disturbed, found),
            "Killed, while it ran": _blows(disturbed),
        },
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    name = "extraction-broker" if wish.broker else "extraction"
    console.print(f"written to {report.write(RESULTS, name).name}")
    sys.exit(0 if whole else 1)


def gather(folder: Path, real: Path, count: int) -> int:
    """A folder of so many clips, with all real ones that there are; says how many these are."""
    found = sorted(real.rglob("*.mp4"))[:count]
    for path in found:
        place = folder / "real" / path.relative_to(real)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.resolve())
    drawn = folder / "drawn"
    drawn.mkdir(parents=True)
    numbers = range(count - len(found))
    with ProcessPoolExecutor(PROCESSES) as pool, counting("draw") as progress:
        for done, _ in enumerate(pool.map(_draw, [drawn] * len(numbers), numbers), 1):
            progress(done, len(numbers))
    return len(found)


def _draw(folder: Path, number: int) -> None:
    side, frames, seconds = SIZES[number % len(SIZES)]
    label = LABELS[number % len(LABELS)]
    path = folder / f"{number:03d}.mp4"
    write_sample(label, path, seed=number, side=side, frames=frames, seconds=seconds)


@contextmanager
def working(folder: Path) -> Iterator[dict[str, str]]:
    """Two workers that are started again whenever they die; gives the variables of a command."""
    with EmbeddedRedis(folder / "data") as redis, ExitStack() as stack:
        settings = Settings(
            data_dir=folder / "data",
            broker_url=redis.broker_url,
            cache_url=redis.cache_url,
            takes="extract",
            lease_s=_LEASE_S,
            threads=1,
        )
        for _ in range(PROCESSES):
            stack.enter_context(Keeper("worker", WorkerProcess(settings)))
        with connect(redis.broker_url) as broker:
            while len(alive_workers(broker)) < PROCESSES:
                time.sleep(0.1)
        yield {
            "POINTACTION_BROKER_URL": redis.broker_url,
            "POINTACTION_CACHE_URL": redis.cache_url,
            "POINTACTION_LEASE_S": str(_LEASE_S),
        }


@dataclass(frozen=True, kw_only=True)
class Planned:
    """Somebody to be killed."""

    moment: float  # share of the undisturbed run
    victim: str


@dataclass(frozen=True, kw_only=True)
class Strike:
    """That it is time to kill somebody."""

    victim: str
    clips: int  # that the store has


@dataclass
class Strikes:
    """Who is still to be killed, and when."""

    planned: deque[Planned] = field(default_factory=deque)
    store: Path = Path()
    clips: int = 0  # that there are
    seconds: float = 0.0  # of the undisturbed run

    def due(self, second: float) -> Strike | None:
        """The next one, if the command has run for so long, or has come so far."""
        if not self.planned:
            return None
        moment, clips = self.planned[0].moment, _clips(self.store)
        if second < moment * self.seconds and clips < moment * self.clips:
            return None
        return Strike(victim=self.planned[0].victim, clips=clips)


@dataclass(frozen=True, kw_only=True)
class Blow:
    """Somebody who was."""

    second: float  # of all the time that the command has run
    victim: str
    clips: int  # that the store had
    lingered: float | None  # seconds that the command's processes outlived it


@dataclass
class Ran:
    """How a command came to its end."""

    seconds: float = 0.0
    starts: int = 0
    blows: list[Blow] = field(default_factory=list)
    left: int = 0  # processes that did not end


def plan(chance: Random, kills: int, others: Sequence[str] = OF_ITS_OWN) -> deque[Planned]:
    """Whom to kill and when: the command twice, one that works for it, the others as it comes."""
    victims = [COMMAND, COMMAND, others[0]][:kills]
    victims += chance.choices([COMMAND, *others], k=kills - len(victims))
    chance.shuffle(victims)
    moments = sorted(chance.uniform(*_MOMENTS) for _ in victims)
    return deque(
        Planned(moment=moment, victim=victim)
        for moment, victim in zip(moments, victims, strict=True)
    )


def run(
    command: Sequence[str], variables: Mapping[str, str], strikes: Strikes | None = None
) -> Ran:
    """Run it to its end, and start it again whenever it was killed."""
    ran, strikes = Ran(), strikes or Strikes()
    while True:
        ran.starts += 1
        start, before = time.monotonic(), ran.seconds
        environment = {**os.environ, **variables}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
            tree: list[int] = []
            while process.poll() is None:
                ran.seconds = before + time.monotonic() - start
                tree = descendants(process.pid) or tree
                strike = strikes.due(ran.seconds)
                if strike and (blow := _struck(process, strike, ran.seconds, tree)):
                    strikes.planned.popleft()
                    ran.blows.append(blow)
                time.sleep(0.05)
        ran.seconds = before + time.monotonic() - start
        ran.left += len(_alive(tree, _END_S))
        if process.returncode != -signal.SIGKILL:
            return ran


def _struck(
    process: "subprocess.Popen[bytes]", strike: Strike, second: float, tree: Sequence[int]
) -> Blow | None:
    """Kill whom it names, if it is there by now."""
    victim, pid = strike.victim, process.pid
    if victim != COMMAND:
        found = [each for each in descendants(os.getpid()) if _role(each) == victim]
        if not found:
            return None
        pid = found[-1]
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has ended by itself: another one, then
        return None
    lingered = None
    if victim == COMMAND:
        process.wait()
        start = time.monotonic()
        _alive(tree, _END_S)
        lingered = time.monotonic() - start
    return Blow(second=second, victim=victim, clips=strike.clips, lingered=lingered)


def _role(pid: int) -> str | None:
    """What a process is there for, by its command line and that of its parent."""
    told, parent = _told(pid), _told(_parent(pid))
    for words, first, forked in (
        (b"sandbox_child", "zygote", "decoder"),
        (b"multiprocessing.forkserver", "forkserver", "pool"),
        (b"workers.launch", "worker", "pool"),
    ):
        if words in told:
            return forked if words in parent else first
    return None


def _told(pid: int) -> bytes:
    """Its command line; none where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _stat(pid: int) -> list[str]:
    """State, parent and more of a process; nothing where it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _parent(pid: int) -> int:
    return int((_stat(pid) or ["", "0"])[1])


def _alive(pids: Sequence[int], patience_s: float) -> list[int]:
    """Those that have not ended when patience has, or none as soon as all have."""
    until = time.monotonic() + patience_s
    while True:
        alive = [pid for pid in pids if (_stat(pid) or "Z")[0] not in "ZX"]
        if not alive or time.monotonic() > until:
            return alive
        time.sleep(0.02)


def _clips(store: Path) -> int:
    """How many clips lie in it, in shards that are finished and in the one that is open."""
    if not (store / "manifest.json").exists():
        return 0
    count = len(TrackStore(store))
    for path in (store / FOLDER).glob("*.tar.part"):
        with suppress(FileNotFoundError), path.open("rb") as file:
            count += sum(1 for _ in scan(file, path.stat().st_size))
    return count


@dataclass(frozen=True, kw_only=True)
class Found:
    """Two stores beside each other."""

    clips: tuple[int, int]
    failures: tuple[int, int]
    missing: int  # clips that neither the second store has nor its failures
    twice: int  # likewise
    files: int
    differing: tuple[str, ...]
    verified: bool

    @property
    def same(self) -> bool:
        return self.verified and not (self.missing or self.twice or self.differing)


def compare(calm: Path, fire: Path, wanted: int) -> Found:
    """A store beside the one that nobody disturbed; `wanted` clips should be in each."""
    theirs, ours = (_contents(folder) for folder in (calm, fire))
    store = TrackStore(fire)
    failures = [each.get("failures.jsonl", b"").count(b"\n") for each in (theirs, ours)]
    verify = [sys.executable, "-m", "pointaction", "trackstore", "verify", "--decode", str(fire)]
    checked = subprocess.run(verify, check=False, stdout=subprocess.DEVNULL)
    keys = {entry.key for entry in store}
    names = sorted(ours.keys() | theirs.keys())
    return Found(
        clips=(len(TrackStore(calm)), len(store)),
        failures=(failures[0], failures[1]),
        missing=wanted - len(keys) - failures[1],
        twice=len(store) - len(keys),
        files=len(theirs),
        differing=tuple(name for name in names if ours.get(name) != theirs.get(name)),
        verified=checked.returncode == 0,
    )


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _outcome(count: int, calm: Ran, fire: Ran, found: Found) -> Table:
    rows: dict[str, tuple[object, ...]] = {
        "clips in the store": found.clips,
        "failures": found.failures,
        "clips that are nowhere": (None, found.missing),
        "clips that are there twice": (None, found.twice),
        "files that differ": (None, f"{len(found.differing)} of {found.files}"),
        "verify --decode": (None, "ok" if found.verified else "not ok"),
        "starts of the command": (calm.starts, fire.starts),
        "processes that did not end": (calm.left, fire.left),
        "seconds": (f"{calm.seconds:.1f}", f"{fire.seconds:.1f}"),
        "clips a second": (f"{count / calm.seconds:.2f}", f"{count / fire.seconds:.2f}"),
    }
    return Table(corner="what", columns=("undisturbed", "under fire"), rows=rows)


def _blows(ran: Ran) -> Table:
    rows = {
        f"{blow.second:.1f} s": (
            blow.victim,
            blow.clips,
            None if blow.lingered is None else f"{blow.lingered:.1f} s",
        )
        for blow in ran.blows
    }
    columns = ("killed", "clips in the store", "its processes outlived it by")
    return Table(corner="after", columns=columns, rows=rows)


if __name__ == "__main__":
    main()
