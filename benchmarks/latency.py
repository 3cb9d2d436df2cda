"""From upload to answer: the whole stack against the library alone, in one run.

    python -m benchmarks.latency [--clips 20]

Renders that many clips (3 s, 320 x 240, 16 frames a second), sends each over HTTP to a stack of
its own, classifies the same clips in this process, and sends them again to be answered from the
cache. Prints a table and files it under `results/`.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.machine import descendants, describe, role, write
from pointaction.local import LocalService
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.remote import RemoteService
from pointaction.synthetic.sample import write_sample
from pointaction.synthetic.vocabulary import LABELS
from service.demo import serving

MODEL = "traction-tiny"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=20)
    count = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as folder:
        clips = _render(Path(folder), count)
        log = Path(folder) / "serve.log"
        with (
            serving(Path(folder) / "data", log) as (url, pid),
            closing(RemoteService(url, MODEL)) as service,
        ):
            service.classify(clips[0], top_k=1)  # the model is loaded by the first job
            fresh, stages = _ask(lambda clip: service.classify(clip, top_k=5), clips[1:])
            memory = _peak_memory(pid)
            cached, _ = _ask(lambda clip: service.classify(clip, top_k=5), clips[1:])
            with httpx.Client(base_url=url) as web:
                health = _times(lambda: web.get("/health/live"), len(clips))
        local = LocalService(DEFAULT_STORE, MODEL, tracks=512)
        local.classify(clips[0], top_k=1)
        alone, _ = _ask(lambda clip: local.classify(clip, top_k=5), clips[1:])
    text = _report(fresh, alone, cached, health, stages, memory)
    Console().print(Markdown(text))
    path = write("latency", text)
    Console().print(f"written to {path.name}")


def _render(folder: Path, count: int) -> list[Path]:
    """`count` clips and one to warm up with, all different."""
    paths = []
    for number in range(count + 1):
        path = folder / f"{number}.mp4"
        write_sample(LABELS[number % len(LABELS)], path, seed=1000 + number)
        paths.append(path)
    return paths


def _ask(
    classify: Callable[[Path], dict[str, dict[str, float]]], clips: list[Path]
) -> tuple[list[float], dict[str, list[float]]]:
    """Milliseconds per clip, and per stage as the answers tell them."""
    total: list[float] = []
    stages: dict[str, list[float]] = {}
    for clip in clips:
        start = time.perf_counter()
        answer = classify(clip)
        total.append((time.perf_counter() - start) * 1000)
        for stage, spent in answer["timings_ms"].items():
            stages.setdefault(stage, []).append(spent)
    return total, stages


def _times(call: Callable[[], object], count: int) -> list[float]:
    spent = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        spent.append((time.perf_counter() - start) * 1000)
    return spent


def _peak_memory(root: int) -> dict[str, float]:
    """Peak resident MiB of every process of the stack, by what it does."""
    peaks: dict[str, float] = {}
    for pid in [root, *descendants(root)]:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        does = role(pid) or "other"
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        number = 1 + sum(name.startswith(does) for name in peaks)
        peaks[f"{does} {number}"] = int(peak.split()[1]) / 1024
    return peaks


def _report(
    fresh: list[float],
    alone: list[float],
    cached: list[float],
    health: list[float],
    stages: dict[str, list[float]],
    memory: dict[str, float],
) -> str:
    median = statistics.median
    own = [median(spent) for spent in stages.values()]
    rest = median(fresh) - sum(own)
    ratio = median(f / a for f, a in zip(fresh, alone, strict=True))
    lines = [
        "# Latency, upload to answer",
        "",
        describe(),
        f"- {len(fresh)} clips of 3 s, 320 pixels wide, 512 tracks, {MODEL}; "
        f"load average {os.getloadavg()[0]:.1f}",
        "",
        "| what | p50 ms | p90 ms |",
        "|---|---|---|",
        _row("over HTTP, fresh", fresh),
        _row("the library alone, same clips", alone),
        _row("over HTTP, cached", cached),
        _row("over HTTP, an empty answer (/health/live)", health),
        "",
        f"Service and queue add {rest:.0f} ms to the stages; the whole takes {ratio:.2f} times "
        f"the library alone; a cached answer {median(cached) / median(fresh):.3f} of a fresh one.",
        "",
        "| stage | p50 ms | share |",
        "|---|---|---|",
        *(
            f"| {stage} | {median(spent):.0f} | {median(spent) / median(fresh):.0%} |"
            for stage, spent in stages.items()
        ),
        f"| service and queue | {rest:.0f} | {rest / median(fresh):.0%} |",
        "",
        "| process | peak MiB |",
        "|---|---|",
        *(f"| {name} | {peak:.0f} |" for name, peak in memory.items()),
        "",
    ]
    return "\n".join(lines)


def _row(name: str, spent: list[float]) -> str:
    return (
        f"| {name} | {statistics.median(spent):.0f} | {statistics.quantiles(spent, n=10)[-1]:.0f} |"
    )


if __name__ == "__main__":
    main()
