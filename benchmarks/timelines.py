"""What a timeline of a long video is worth: precision of its segments, memory, speed.

    python -m benchmarks.timelines [--minutes 10] [--tracks 64 128 256 512] [--window 3]

A video is made of named motions, each rendered from its beginning to its end in 3 to 6 s, with
pauses between them in which nothing moves, and cuts in the middle of the pauses. So it is known
what is done when. It is rendered once, into `runs/timelines/`, and looked through as users' videos
are.
Prints a table and files it under `results/`.
"""

import argparse
import json
import os
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.markdown import Markdown
from torch import Generator

from benchmarks.machine import RESULTS, descendants
from pointaction.evaluation.report import Report, Table
from pointaction.evaluation.segments import OVERLAPS, mean_average_precision
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.progress import counting
from pointaction.synthetic.render import render
from pointaction.synthetic.scenes import Scenes
from pointaction.synthetic.stage import sample_scenes
from pointaction.synthetic.variety import TRAINING
from pointaction.synthetic.vocabulary import LABELS
from pointaction.timelines.local import LocalTimelines
from pointaction.timelines.segments import Rule, Segment
from pointaction.timelines.timeline import Timeline
from pointaction.video.encode import encode_mp4
from pointaction.whole import written_whole

FOLDER = Path("runs/timelines")
SEED = 4178  # the rule for segments was chosen on 4177
FPS = 15
WHOLE = replace(TRAINING, start=0.0, end=1.0)  # actions fill their clips
LASTS_S, PAUSE_S = (3.0, 6.0), (1.5, 4.0)
SHAPE = 4 / 3  # of the pictures
_CASTING = 16  # performances, of which one has this shape
_STILL = "standing still"  # what every pause shows
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
QUARTERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A motion, and when in the video it is performed."""

    motion: str
    frames: int
    pause: int  # frames that are still, half of them before it


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--motions", type=int, default=30, help="named, at most")
    parser.add_argument("--side", type=int, default=240, help="longer side of the pictures")
    parser.add_argument("--model", default="traction-tiny")
    parser.add_argument("--tracks", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--window", type=float, default=3.0)
    parser.add_argument("--step", type=float, default=1.0)
    wish = parser.parse_args()
    acts = programme(wish.minutes, wish.motions)
    video = filmed(acts, wish.side)
    there = truth(acts)
    viewings = {
        f"{tracks} tracks": view(video, wish.model, tracks, wish.window, wish.step)
        for tracks in wish.tracks
    }
    report = Report(
        title="Timelines of a long video",
        conditions={
            "model": wish.model,
            "video": f"{wish.minutes:g} min, {len(acts)} performances of "
            f"{len({act.motion for act in acts})} named motions, {LASTS_S[0]:g} to {LASTS_S[1]:g} "
            f"s each, {FPS} frames per second, {wish.side} pixels wide",
            "windows": f"{wish.window:g} s, every {wish.step:g} s",
            "seed": SEED,
        },
        tables={
            "Mean average precision by threshold and overlap": precision(viewings, there),
            "Cost": cost(viewings),
        },
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'timelines').name}")


def programme(minutes: float, motions: int) -> list[Act]:
    """As many acts as fill the time; no motion comes again before all others have come."""
    chance = random.Random(SEED)
    named = chance.sample([label for label in LABELS if label != _STILL], motions)
    acts: list[Act] = []
    left = minutes * 60 * FPS
    while True:
        chance.shuffle(named)
        for motion in named:
            act = Act(
                motion=motion,
                frames=round(chance.uniform(*LASTS_S) * FPS),
                pause=2 * round(chance.uniform(*PAUSE_S) * FPS / 2),
            )
            left -= act.frames + act.pause
            if left < 0:
                return acts
            acts.append(act)


def truth(acts: list[Act]) -> list[Segment]:
    """When each act is performed."""
    there, frame = [], 0
    for act in acts:
        begin = frame + act.pause // 2
        end = begin + act.frames
        there.append(Segment(label=act.motion, start=begin / FPS, end=end / FPS, score=1.0))
        frame += act.frames + act.pause
    return there


def filmed(acts: list[Act], side: int) -> Path:
    """The video of the acts, from the folder if it is there."""
    facts = json.dumps([asdict(act) for act in acts])
    path = FOLDER / f"{len(acts)}-{side}.mp4"
    said = path.with_suffix(".json")
    if path.exists() and said.exists() and said.read_text() == facts:
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        encode_mp4(perform(acts, side), fps=FPS, path=part)
    said.write_text(facts)
    return path


def perform(acts: list[Act], side: int) -> Iterator[NDArray[np.uint8]]:
    """The frames of all acts."""
    with counting("draw") as progress:
        for number, act in enumerate(acts):
            generator = Generator().manual_seed(SEED * 1_000 + number)
            scenes, row = cast(act, generator)
            drawn = render(scenes, row, side=side, generator=generator)
            yield from [drawn[0]] * (act.pause // 2)
            yield from drawn
            yield from [drawn[-1]] * (act.pause // 2)
            progress(number + 1, len(acts))


def cast(act: Act, generator: Generator) -> tuple[Scenes, int]:
    """Scenes of the act, and which of them has pictures of the right shape."""
    labels = torch.full((_CASTING,), LABELS.index(act.motion))
    while True:
        scenes = sample_scenes(labels, frames=act.frames, generator=generator, variety=WHOLE)
        fits = torch.isclose(scenes.extent[:, 0] / scenes.extent[:, 1], torch.tensor(SHAPE))
        if fits.any():
            return scenes, int(fits.int().argmax())


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """A timeline, and what it took."""

    timeline: Timeline
    expected_s: float
    took_s: float
    memory: list[float]  # MiB, of all processes, after each part of the video


def view(video: Path, model: str, tracks: int, window_s: float, step_s: float) -> Viewing:
    opened = LocalTimelines.open(DEFAULT_STORE, model, tracks=tracks)
    viewer = opened.viewer
    plan = viewer.plan(video, window_s=window_s, step_s=step_s)
    expected_s = viewer.expected_seconds(plan)
    memory = []
    parts = []
    begun = perf_counter()
    with (
        counting(f"view, {tracks} tracks") as progress,
        closing(viewer.view(plan, count=progress)) as coming,
    ):
        for part in coming:
            parts.append(part)
            memory.append(resident())
    took_s = perf_counter() - begun
    timeline = Timeline.of(
        parts, viewer.scorer.labels, plan.windows, duration_s=plan.source.duration_s
    )
    return Viewing(timeline=timeline, expected_s=expected_s, took_s=took_s, memory=memory)


def resident() -> float:
    """MiB that this process and its decoders have now."""
    total = 0
    for pid in (os.getpid(), *descendants(os.getpid())):
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(status.partition("VmRSS:")[2].split()[0]) if "VmRSS:" in status else 0
    return total / 1024


def precision(viewings: dict[str, Viewing], there: list[Segment]) -> Table:
    rows = {}
    for name, viewing in viewings.items():
        for threshold in THRESHOLDS:
            found = viewing.timeline.segments(Rule(threshold=threshold))
            values = [mean_average_precision(found, there, least=least) for least in OVERLAPS]
            rows[f"{name}, threshold {threshold:g}"] = (*values, len(found), len(there))
    columns = (*(f"overlap {least:g}" for least in OVERLAPS), "found", "there")
    return Table(corner="what", columns=columns, rows=rows)


def cost(viewings: dict[str, Viewing]) -> Table:
    rows = {}
    for name, each in viewings.items():
        ends = [each.memory[len(each.memory) * q // QUARTERS - 1] for q in range(1, QUARTERS + 1)]
        rows[name] = (
            each.timeline.duration_s / each.took_s,
            each.took_s,
            each.expected_s,
            max(each.memory),
            *ends,
        )
    quarters = tuple(f"MiB after {q}/{QUARTERS}" for q in range(1, QUARTERS + 1))
    columns = ("times real time", "seconds", "expected", "peak MiB", *quarters)
    return Table(corner="what", columns=columns, rows=rows)


if __name__ == "__main__":
    main()
