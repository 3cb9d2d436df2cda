"""How fast procedural clips are made: each step of a batch, in so many processes at once.

python -m benchmarks.world --clips 64 --processes 2

Each process has one thread, as the workers of a training have.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from pointaction.depth.looming import looming
from pointaction.evaluation.report import Report, Table
from pointaction.synthetic.noise import TrackerNoise, track_imperfectly
from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.scenes import follow
from pointaction.synthetic.stage import perform
from pointaction.synthetic.vocabulary import LABELS, build

RESULTS = Path(__file__).parent / "results"


def measure(clips: int, points: int, frames: int, repeats: int) -> dict[str, float]:
    """Milliseconds per clip and step, the best of `repeats`."""
    best: dict[str, float] = {}
    for repeat in range(repeats):
        generator = Generator().manual_seed(repeat)
        labels = torch.randint(len(LABELS), (clips,), generator=generator)

        def timed(name: str, step: Callable[[], Any]) -> Any:
            began = time.perf_counter()
            made = step()
            spent = 1000 * (time.perf_counter() - began) / clips
            best[name] = min(spent, best.get(name, spent))
            return made

        timed("a score without a name", lambda: sample_programs(clips, generator))  # noqa: B023
        score = timed("a named score", lambda: build(labels, generator))  # noqa: B023
        scenes = timed("perform", lambda: perform(score, frames=frames, generator=generator))  # noqa: B023
        exact = timed("follow", lambda: follow(scenes, points=points, generator=generator))  # noqa: B023
        noisy = timed(
            "track imperfectly",
            lambda: track_imperfectly(exact, TrackerNoise(), generator=generator),  # noqa: B023
        )
        timed("looming depth", lambda: looming(noisy.xy, noisy.visible))  # noqa: B023
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--points", type=int, default=512)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    settings = (given.clips, given.points, given.frames, given.repeats)
    with ProcessPoolExecutor(
        given.processes, get_context("spawn"), torch.set_num_threads, (1,)
    ) as pool:
        asked = [pool.submit(measure, *settings) for _ in range(given.processes)]
        measured = [each.result() for each in asked]
    steps = {name: sum(each[name] for each in measured) / len(measured) for name in measured[0]}
    world = sum(steps[name] for name in ("a named score", "perform", "follow"))
    whole = world + steps["track imperfectly"] + steps["looming depth"]
    report = Report(
        title="How fast procedural clips are made",
        conditions={
            "clips at once": given.clips,
            "points x frames": f"{given.points} x {given.frames}",
            "processes": f"{given.processes} of one thread",
        },
        tables={
            "Milliseconds per clip and process": Table(
                corner="step",
                columns=("ms", "share of a batch"),
                rows={name: (f"{ms:.2f}", f"{ms / whole:.0%}") for name, ms in steps.items()},
            ),
            "Clips per second, all processes together": Table(
                corner="what",
                columns=("clips/s",),
                rows={
                    "exact tracks": (f"{given.processes * 1000 / world:.0f}",),
                    "ready for the model": (f"{given.processes * 1000 / whole:.0f}",),
                },
            ),
        },
    )
    print(report.markdown())  # noqa: T201
    report.write(RESULTS, "world")


if __name__ == "__main__":
    main()
