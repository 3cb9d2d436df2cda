"""The whole service under more than it can do, asked again what it knows, and listened to by many.

    make load           or: python -m benchmarks.load [--minutes 30] [--clips FOLDER]

Four parts, against `pointaction serve` with two workers of one thread and two web processes, as for
two cores:

- bare: the same clips by the library, in two processes of one thread and in one of two, before and
  after; the mean of the former is the capacity;
- overload: new clips at random times, 1.2 times the capacity, each of another content; the queue is
  short, so that those who do not fit are refused, and come back when they were told to;
- cached: one clip asked about again and again;
- idle: a thousand clients that listen to jobs of which nothing is heard, and the same as before
  beside them; then the service is stopped, with all of them there.

The clients are of this process and take their share of the same cores. Prints tables and files them
under `results/`; exits 1 where an answer was not as it should be.
"""

import argparse
import asyncio
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.load.bare import bare_rate
from benchmarks.load.clips import endless, mixed, request
from benchmarks.load.closed import rate
from benchmarks.load.idle import held_jobs, listening, until_closed
from benchmarks.load.memory import Watch
from benchmarks.load.overload import Told, overload
from benchmarks.machine import RESULTS
from pointaction.evaluation.report import Report, Table
from service.demo import serving

MODEL = "traction-tiny"
OVER = 1.2  # times the capacity
QUEUED = 40  # jobs that may wait
WEB_PROCESSES = 2
WORKERS, THREADS = 2, 1  # threads of each
CACHED_CLIENTS, FRESH_CLIENTS = 4, 4
_ROUND_S = 20.0  # of each measurement beside idle clients
_JOBS_HELD = 20
_WARM = 0.1  # share of the overload after which memory and goodput are looked at
_STOPS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Bare:
    """Clips a second without a service."""

    alike: float  # in as many processes of as many threads
    alone: float  # in one process with all threads


@dataclass
class Beside:
    """Rates a second without and with idle clients, in turn."""

    cached: list[tuple[float, list[float]]] = field(default_factory=list)
    fresh: list[tuple[float, list[float]]] = field(default_factory=list)
    streams_ended_s: float = 0.0  # since the service was told to stop
    stopped_s: float = 0.0
    all_stopped: bool = False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30.0, help="of overload")
    parser.add_argument("--clips", type=Path, help="folder of real mp4 files to mix in")
    parser.add_argument("--bare", type=float, default=60.0, help="seconds, before and after")
    parser.add_argument("--idle", type=int, default=1000)
    wish = parser.parse_args()
    _allow_files(wish.idle)
    os.environ |= {
        "POINTACTION_MAX_QUEUED": str(QUEUED),
        "POINTACTION_WEB_PROCESSES": str(WEB_PROCESSES),
        "POINTACTION_WORKERS": str(WORKERS),
        "POINTACTION_THREADS": str(THREADS),
        "POINTACTION_DEFAULT_MODEL": MODEL,
        "POINTACTION_SUBMITS_PER_MINUTE": "0",
        "POINTACTION_READS_PER_MINUTE": "0",
    }
    with tempfile.TemporaryDirectory(prefix="pointaction-load-") as name:
        folder = Path(name)
        clips = mixed(folder, real=wish.clips)
        before = _bare(clips, wish.bare)
        log = folder / "serve.log"
        with serving(folder / "data", log) as (url, pid):
            port = int(url.rpartition(":")[2])
            fresh = endless(clips)
            asyncio.run(_warm_up(port, fresh))
            with Watch(pid) as memory:
                told = asyncio.run(
                    overload(port, fresh, rate=OVER * before.alike, seconds=60 * wish.minutes)
                )
            jobs = held_jobs(folder / "data", _JOBS_HELD)
            beside = asyncio.run(_beside(port, pid, jobs, clips, wish.idle))
        after = _bare(clips, wish.bare)
        report = _report(wish, len(clips), (before, after), told, memory, beside)
        faults = _faults(told, beside, log.read_text(errors="replace"))
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'load').name}")
    for fault in faults:
        console.print(fault, style="red", markup=False)
    sys.exit(bool(faults))


def _bare(clips: list[Path], seconds: float) -> Bare:
    return Bare(
        alike=bare_rate(clips, MODEL, seconds=seconds, processes=WORKERS, threads=THREADS),
        alone=bare_rate(clips, MODEL, seconds=seconds, processes=1, threads=WORKERS * THREADS),
    )


def _allow_files(listeners: int) -> None:
    """As many open files as that takes, here and in the service, which inherits it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < listeners + 200:
        sys.exit(f"{listeners} listeners need as many open files; ulimit -Hn says {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _warm_up(port: int, clips: Iterator[bytes]) -> None:
    requests = (request(clip, wait_s=60) for clip in clips)
    await rate(port, requests, clients=2, seconds=5)


async def _beside(
    port: int, pid: int, jobs: list[str], clips: list[Path], listeners: int
) -> Beside:
    """Rates without, with, and again without and with idle clients; then the end of all."""
    known = request(clips[1].read_bytes(), wait_s=60)
    fresh = endless(clips)
    said = Beside()

    async def measure() -> None:
        said.cached.append(
            await rate(port, repeat(known), clients=CACHED_CLIENTS, seconds=_ROUND_S)
        )
        requests = (request(clip, wait_s=60) for clip in fresh)
        said.fresh.append(await rate(port, requests, clients=FRESH_CLIENTS, seconds=_ROUND_S))

    await rate(port, repeat(known), clients=1, seconds=1)
    await measure()
    async with listening(port, jobs, listeners):
        await measure()
    await asyncio.sleep(1)
    await measure()
    async with listening(port, jobs, listeners) as connections:
        await measure()
        begun = time.perf_counter()
        os.kill(pid, signal.SIGINT)
        with suppress(TimeoutError):
            await asyncio.wait_for(until_closed(connections), _STOPS_WITHIN_S)
            said.streams_ended_s = time.perf_counter() - begun
            await asyncio.wait_for(_gone(pid), _STOPS_WITHIN_S)
            said.all_stopped = True
        said.stopped_s = time.perf_counter() - begun
    return said


async def _gone(pid: int) -> None:
    """Returns when the process has ended; a child stays until it is asked for."""
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        await asyncio.sleep(0.01)


def _faults(told: Told, beside: Beside, log: str) -> list[str]:
    faults = [f"not as it should be: {what}" for what in told.unlike]
    faults += [f"{n} answers were {status}" for status, n in told.statuses.items() if status >= 500]
    if not beside.all_stopped:
        faults.append(f"the service did not stop within {_STOPS_WITHIN_S:.0f} s")
    if "Traceback" in log:
        faults.append("the service's log has a traceback")
    return faults


def _report(
    wish: argparse.Namespace,
    clips: int,
    bare: tuple[Bare, Bare],
    told: Told,
    memory: Watch,
    beside: Beside,
) -> Report:
    minutes = f"{wish.minutes:g}"
    return Report(
        title="The service under load",
        conditions={
            "clips": f"{clips}, of 1.5 to 6 s or real, in turn, each time of another content",
            "model": MODEL,
            "service": f"{WORKERS} workers of {THREADS} thread, {WEB_PROCESSES} web processes, "
            f"{QUEUED} jobs may wait",
            "clients": "of one process on the same cores",
        },
        tables={
            f"{minutes} minutes at {OVER} times the capacity": _overload_table(wish, bare, told),
            "What was said to those who did not fit": _returns_table(told),
            "Memory that processes have for themselves, MiB": _memory_table(memory),
            f"Beside {wish.idle} idle listeners, twice without and twice with them": _beside_table(
                beside
            ),
        },
    )


def _overload_table(wish: argparse.Namespace, bare: tuple[Bare, Bare], told: Told) -> Table:
    alike, alone = ([getattr(each, loop) for each in bare] for loop in ("alike", "alone"))
    seconds = 60 * wish.minutes
    good = told.goodput(_WARM * seconds, told.begun + seconds)
    answers = " ".join(f"{status}: {n}" for status, n in sorted(told.statuses.items()))
    return Table(
        corner="what",
        columns=("figure",),
        rows={
            f"bare loops in {WORKERS} processes of {THREADS} thread, before and after, clips/s": (
                _pair(alike),
            ),
            "bare loop in one process with all threads, likewise": (_pair(alone),),
            "offered, clips": (told.offered,),
            "answers by status": (answers,),
            "answers of 5xx": (sum(n for s, n in told.statuses.items() if s >= 500),),
            "accepted and not answered rightly": (len(told.unlike),),
            "goodput, clips/s": (f"{good:.2f}",),
            "goodput of the bare loops in processes": (f"{2 * good / sum(alike):.1%}",),
            "goodput of the bare loop in one": (f"{2 * good / sum(alone):.1%}",),
            "from sending to result p50, p95, p99, s": (_percentiles(told.seconds, "{:.1f}"),),
        },
    )


def _pair(rates: list[float]) -> str:
    return " ".join(f"{each:.2f}" for each in rates)


def _returns_table(told: Told) -> Table:
    rows: dict[str, tuple[str]] = {"refused": (str(told.statuses[429]),)}
    if told.promised:
        rows["Retry-After, s: least, median, most"] = (
            f"{min(told.promised)} {median(told.promised):g} {max(told.promised)}",
        )
    for number in sorted({number for number, _ in told.returned}):
        let_in, again = told.returned[number, True], told.returned[number, False]
        share = let_in / (let_in + again)
        rows[f"let in when back for the {number}. time"] = (
            f"{let_in} of {let_in + again}, {share:.0%}",
        )
    return Table(corner="what", columns=("figure",), rows=rows)


def _memory_table(memory: Watch) -> Table:
    moments = (_WARM, 0.5, 1.0)
    seen = [memory.around(moment) for moment in moments]
    roles = sorted({role for each in seen for role in each})
    rows = {role: tuple(f"{each.get(role, 0):.0f}" for each in seen) for role in roles}
    return Table(corner="process", columns=("after a tenth", "half way", "at the end"), rows=rows)


def _beside_table(beside: Beside) -> Table:
    def row(seen: list[tuple[float, list[float]]], form: str) -> tuple[str, ...]:
        rates = [form.format(per_s) for per_s, _ in seen]
        without, among = (seen[0][0] + seen[2][0]) / 2, (seen[1][0] + seen[3][0]) / 2
        return (f"{rates[0]} {rates[2]}", f"{rates[1]} {rates[3]}", f"{among / without - 1:+.1%}")

    def times(seen: list[tuple[float, list[float]]]) -> tuple[str, ...]:
        alone, among = seen[0][1] + seen[2][1], seen[1][1] + seen[3][1]
        shown = [_percentiles([1000 * s for s in each], "{:.0f}") for each in (alone, among)]
        return (*shown, "")

    return Table(
        corner="what",
        columns=("without", "with", "difference"),
        rows={
            "cached answers/s": row(beside.cached, "{:.0f}"),
            "cached, p50, p95, p99, ms": times(beside.cached),
            "new clips/s": row(beside.fresh, "{:.2f}"),
            "new clips, p50, p95, p99, ms": times(beside.fresh),
            "from SIGINT to the end of every stream, s": ("", f"{beside.streams_ended_s:.1f}", ""),
            "from SIGINT to the end of every process, s": ("", f"{beside.stopped_s:.1f}", ""),
        },
    )


def _percentiles(values: list[float], form: str) -> str:
    if len(values) < 2:
        return ""
    cuts = quantiles(values, n=100, method="inclusive")
    return " ".join(form.format(cuts[n - 1]) for n in (50, 95, 99))


if __name__ == "__main__":
    main()
