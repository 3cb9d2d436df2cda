"""How much of its time training from a store spends on learning, and how much on waiting for clips.

    python -m benchmarks.feeding [--clips 2000] [--steps 40] [--tracks 64 128 512] [--workers 0 1 2]

A store of procedural clips with exact tracks is written, 512 points of 32 frames each, and models
learn to name them as `pointaction finetune STORE` teaches them: by the same loop, batches and
processes. Busy is the share of the time since the first batch in which the loop did not stand still
for the next one. Prints a table and files it under `results/`.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from rich.markdown import Markdown
from torch import Generator

from benchmarks.machine import RESULTS
from pointaction.depth.looming_lifter import with_looming
from pointaction.evaluation.report import Report, Table
from pointaction.extraction.follower import How
from pointaction.models.store import BUILDERS
from pointaction.progress import counting
from pointaction.synthetic.scenes import ExactTracks, Scenes, follow
from pointaction.synthetic.stage import sample_scenes
from pointaction.synthetic.vocabulary import LABELS
from pointaction.tracks import Tracks
from pointaction.trackstore.batches import StoreBatches
from pointaction.trackstore.manifest import AS_GIVEN, NAME
from pointaction.trackstore.sample import Sample
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter
from pointaction.training.division import Division, divide_store
from pointaction.training.loop import Run, optimise
from pointaction.training.objectives import recognise
from pointaction.training.pace import Pace
from pointaction.training.recipes import Settings

COUNT, FRAMES, SIDE = 512, 32, 320
TOGETHER = 16  # clips that are made at once


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tracks", type=int, nargs="+", default=[64, 128, 512])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--store", type=Path, help="where the clips are kept; else made anew")
    parser.add_argument("--builder", choices=list(BUILDERS), default="traction_tiny")
    parser.add_argument("--device", default="cpu")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        store = fill(wish.store or Path(name) / "store", wish.clips)
        division = divide_store(store, share=0.2)
        rows: dict[str, tuple[object, ...]] = {}
        for tracks in wish.tracks:
            for workers in wish.workers:
                settings = Settings(batch=wish.batch, tracks=tracks, steps=wish.steps)
                folder = Path(name) / f"{tracks}-{workers}"
                rows[f"{wish.batch} clips of {tracks} tracks, {workers} workers"] = measured(
                    division, settings, folder, wish.builder, wish.device, workers
                )
    report = Report(
        title="Training fed from a store",
        conditions={
            "store": f"{wish.clips} procedural clips, {COUNT} exact tracks of {FRAMES} frames",
            "model": f"{wish.builder}, {wish.steps} steps, on {wish.device} with "
            f"{torch.get_num_threads()} threads",
        },
        tables={
            "Busy: not waiting for a batch": Table(
                corner="batch", columns=("ms a step", "busy"), rows=rows
            )
        },
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'feeding').name}")


def measured(
    division: Division, settings: Settings, folder: Path, builder: str, device: str, workers: int
) -> tuple[object, ...]:
    """Milliseconds of a step, and the share of the time that is not waiting."""
    recipe = settings.recipe(builder, clips=len(division.taught))
    run = Run(recipe=recipe, folder=folder, workers=workers, device=torch.device(device))
    torch.manual_seed(run.seed)
    model = BUILDERS[builder](len(division.labels))
    batches = StoreBatches(
        division.taught,
        division.labels,
        batch=recipe.batch,
        frames=recipe.frames,
        sizes=recipe.tracks,
        seed=run.seed,
    )
    pace, begun = Pace(), [0.0]
    with counting(folder.name) as progress:

        def told(step: int, measures: dict[str, float]) -> None:
            if step == 1:
                begun[0] = perf_counter()
            progress(step, recipe.steps)

        optimise(
            run,
            model,
            recognise(model, label_smoothing=0.0, contrast=0),
            batches,
            told,
            waited=pace,
        )
    busy = pace.busy or 0.0
    spent = (perf_counter() - begun[0]) / max(1, recipe.steps - 1)
    return f"{1e3 * spent:.0f}", f"{busy:.1%}"


def fill(folder: Path, clips: int) -> TrackStore:
    """A store of so many performances, each of a motion by chance, unless one is there."""
    if (folder / NAME).exists() and len(TrackStore(folder)) == clips:
        return TrackStore(folder)
    making = replace(
        How(tracks=COUNT).making(),
        order=AS_GIVEN,
        notes={"tracks": "exact, of procedural motion"},
    )
    with (
        StoreWriter(TrackStore.create(folder, making)) as writer,
        counting("clips") as progress,
    ):
        for number, (label, tracks) in enumerate(performances(clips)):
            writer.add(Sample(key=f"clips/{number:05d}", tracks=tracks, label=label))
            progress(number + 1, clips)
    return TrackStore(folder)


def performances(clips: int) -> Iterator[tuple[str, Tracks]]:
    """Labels and tracks. All of a batch are made at once, and the last one is cut off."""
    chance = Generator().manual_seed(0)
    for first in range(0, clips, TOGETHER):
        label = torch.randint(len(LABELS), (TOGETHER,), generator=chance)
        scenes = sample_scenes(label, frames=FRAMES, generator=chance)
        exact = follow(scenes, points=COUNT, generator=chance)
        made = map(partial(as_tracks, scenes, exact), range(min(TOGETHER, clips - first)))
        yield from zip((LABELS[number] for number in label.tolist()), made, strict=False)


def as_tracks(scenes: Scenes, exact: ExactTracks, row: int) -> Tracks:
    """One clip in pixels, as a tracker tells it: what is hidden stays where it was last seen."""
    visible = exact.visible[row].numpy()
    seen = np.maximum.accumulate(np.where(visible, np.arange(FRAMES), 0), axis=1)
    xy = np.take_along_axis(exact.xy[row].numpy() * SIDE - 0.5, seen[..., None], axis=1)
    start = exact.frame[row].numpy()
    width, height = (scenes.extent[row] * SIDE).round().int().tolist()
    return with_looming(
        Tracks(
            xy=xy.astype(np.float32),
            visible=visible,
            confidence=visible.astype(np.float32),
            query=np.column_stack([start, xy[np.arange(COUNT), start]]).astype(np.float32),
            size=(height, width),
            times=np.arange(FRAMES) / 12.5,
        )
    )


if __name__ == "__main__":
    main()
