"""What rounding and bounded memory cost CoTracker3: coordinates against fp32 in one piece.

    python -m benchmarks.rounding CLIPS [--frames 24] [--tracks 100] [--weights FILE]

Every clip of a folder is tracked whole in float32; then in bfloat16, with its points in groups, and
window by window. Tells by how many pixels of the clip the positions differ. Points that share no
group do not know of each other, and a window does not see what comes after it: these differ by
design, not only by rounding. Weights are random unless `--weights` names a checkpoint. Prints
a table and files it under `results/`.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.markdown import Markdown
from safetensors.torch import load_file

from benchmarks.machine import RESULTS
from pointaction.cli import expand
from pointaction.clip import Clip
from pointaction.evaluation.report import Report, Table
from pointaction.progress import bars
from pointaction.tracking.cotracker3 import CoTracker3Offline
from pointaction.tracking.cotracker3_tracker import CoTracker3
from pointaction.tracking.queries import random_queries
from pointaction.video.decode import decode

Way = Callable[[CoTracker3, Clip, NDArray[np.float32]], CoTracker3]

WAYS: dict[str, Way] = {
    "bfloat16": lambda tracker, clip, queries: replace(tracker, precision="bfloat16"),
    "in four groups": lambda tracker, clip, queries: replace(
        tracker, tracks_at_once=-(-len(queries) // 4)
    ),
    "in windows of two thirds": lambda tracker, clip, queries: replace(
        tracker, window=len(clip.frames) * 2 // 3, overlap=len(clip.frames) // 3
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--tracks", type=int, default=100)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    wish = parser.parse_args()
    whole = CoTracker3(model=_model(wish.weights))
    off: dict[str, dict[str, NDArray[np.float32]]] = {way: {} for way in wish.ways}
    paths = [path for path in expand([str(wish.clips)]) if path.suffix != ".npz"]
    with bars() as progress:
        for path in progress.track(paths, description="clips"):
            clip = decode(path, frames=wish.frames, short_side=384, enlarge=False)
            queries = random_queries(clip, wish.tracks)
            exact = whole.track(clip, queries).xy
            for way in wish.ways:
                xy = WAYS[way](whole, clip, queries).track(clip, queries).xy
                off[way][path.name] = np.linalg.norm(xy - exact, axis=-1)
    report = Report(
        title="CoTracker3: what rounding and bounded memory cost",
        conditions={
            "weights": wish.weights.name if wish.weights else "random, seed 0",
            "frames": wish.frames,
            "tracks": wish.tracks,
            "compared with": "float32, all points in one group, all frames in one window",
        },
        tables={
            f"{way}, pixels": Table(
                corner="clip", columns=("median", "99 %", "largest"), rows=_rows(clips)
            )
            for way, clips in off.items()
        },
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'rounding').name}")


def _model(weights: Path | None) -> CoTracker3Offline:
    torch.manual_seed(0)
    model = CoTracker3Offline()
    if weights:
        model.load_state_dict(load_file(weights), strict=True)
    return model.eval()


def _rows(clips: dict[str, NDArray[np.float32]]) -> dict[str, tuple[object, ...]]:
    all_of_them = np.concatenate([off.ravel() for off in clips.values()])
    return {name: _quantiles(off) for name, off in {**clips, "all": all_of_them}.items()}


def _quantiles(off: NDArray[np.float32]) -> tuple[object, ...]:
    return tuple(f"{value:.4f}" for value in (np.median(off), np.quantile(off, 0.99), off.max()))


if __name__ == "__main__":
    main()
