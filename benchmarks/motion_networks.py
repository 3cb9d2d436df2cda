"""What motion inside a network is worth, and what it costs: TrajectoryNet and EMIM in steps.

    pointaction reels --out runs/reels --clips 1552
    pointaction reels --out runs/reels --clips 320 --held-out
    python -m benchmarks.motion_networks [--steps 400] [--seeds 1] [--variants separable emim]

Each network comes in three: a baseline, one whose convolutions or attention follow motion, and one
that is also told the motion. All learn from the very same batches, and name the same held-out
clips, by people and in places that they have not seen. Transformers name them once more with their
frames shuffled. Call again to go on after an interruption. Prints tables and files them under
`results/`.
"""

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.markdown import Markdown
from torch import Tensor

from benchmarks.ablations import Difference
from benchmarks.machine import RESULTS
from pointaction.clip import Clip
from pointaction.evaluation.metrics import Accuracy, bootstrap, hits
from pointaction.evaluation.report import Report, Table
from pointaction.models.emim import EMIMConfig
from pointaction.models.trajectorynet import TrajectoryNetConfig
from pointaction.motion.dis import DenseInverseSearch
from pointaction.motion.network_input import CELL, FRAMES, SIDE, squares
from pointaction.progress import counting
from pointaction.synthetic.filming import SECONDS
from pointaction.training.loop import Run
from pointaction.training.reel_batches import Shots
from pointaction.training.reels import HELD_OUT, TRAINING, Reels
from pointaction.training.video import (
    VIDEO_RECIPES,
    VideoRecipe,
    answers,
    ask,
    told_from_opposites,
    train_video,
)
from pointaction.video_networks import VideoNetwork

BASELINES = {
    "separable": "separable",
    "trajectory-convolution": "separable",
    "trajectorynet": "separable",
    "plain-attention": "plain-attention",
    "window-attention": "plain-attention",
    "emim": "plain-attention",
}
_TRANSFORMERS = [name for name, base in BASELINES.items() if base == "plain-attention"]
LARGE = 112  # pixels a side of the clips that the networks in their full size are timed on
_ROUNDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of an answer to one clip, on one thread."""

    ms: float  # of the processor's time, the median of some
    memory_mb: float  # by which a process grows at most, the network included


@dataclass(frozen=True, slots=True, kw_only=True)
class Disorder:
    """What other answers clips get when their frames are shuffled."""

    other: Tensor  # (n,) whether another label is named
    moved: Tensor  # (n,) share of the score that goes to other labels

    @classmethod
    def of(cls, logits: Tensor, after: Tensor) -> "Disorder":
        moved = (logits.softmax(-1) - after.softmax(-1)).abs().sum(-1) / 2
        return cls(other=logits.argmax(-1) != after.argmax(-1), moved=moved)


def main() -> None:
    wish = _arguments()
    torch.set_num_threads(1)
    training, tested = (Reels.read(wish.reels / part) for part in (TRAINING, HELD_OUT))
    names = [
        name for name in BASELINES if name in {*wish.variants, *map(BASELINES.get, wish.variants)}
    ]
    right: dict[str, list[Tensor]] = {name: [] for name in names}
    told: dict[str, list[Tensor]] = {name: [] for name in names}
    disorder: dict[str, list[Disorder]] = {name: [] for name in names if name in _TRANSFORMERS}
    for seed in range(1, wish.seeds + 1):
        for name in names:
            network = learn(name, wish, training, seed=seed)
            logits = answers(network, tested)
            right[name].append(hits(logits, tested.label))
            told[name].append(told_from_opposites(logits, tested))
            if name in disorder:
                disorder[name].append(Disorder.of(logits, answers(network, shuffled(tested))))
    report = Report(
        title="What motion inside a network is worth",
        conditions={
            "training": f"{wish.steps} steps of {wish.batch} out of {len(training)} clips of "
            f"{FRAMES} frames of {SIDE} x {SIDE} pixels, {len(training.labels)} labels, "
            f"{wish.seeds} seeds",
            "tested": f"{len(tested)} clips, other people and places, a network per seed",
            "cost": f"one clip, one thread, the median processor time of {_ROUNDS}; to make a clip "
            f"small and find its motion for TrajectoryNet takes {motion_ms():.0f} ms more",
        },
        tables={
            "Top-1, and points above the baseline on the same clips": accuracy(right, told),
            "Asked again with frames shuffled": after_shuffling(disorder),
            "What it costs": costs(names),
        },
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'motion-networks').name}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reels", type=Path, default=Path("runs/reels"))
    parser.add_argument("--out", type=Path, default=Path("runs/motion-networks"))
    parser.add_argument("--variants", nargs="+", choices=list(BASELINES), default=list(BASELINES))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=1, help="of weights and batches")
    return parser.parse_args()


def learn(name: str, wish: argparse.Namespace, training: Reels, *, seed: int) -> VideoNetwork:
    """A variant that has learnt."""
    run = Run(
        recipe=replace(VIDEO_RECIPES[name](), steps=wish.steps, batch=wish.batch),
        folder=wish.out / f"{name}-seed{seed}",
        seed=seed,
        workers=0,
    )
    with counting(f"{name}, seed {seed}") as progress:
        network, _ = train_video(run, lambda step, told: progress(step, wish.steps), reels=training)
    return network


def shuffled(reels: Reels) -> Reels:
    """The frames of every clip in an order by chance; their motion as it was: none here sees it."""
    order = torch.rand(len(reels), FRAMES, generator=torch.Generator().manual_seed(0)).argsort(1)
    return replace(reels, frames=reels.frames[torch.arange(len(reels))[:, None], order])


def accuracy(right: dict[str, list[Tensor]], told: dict[str, list[Tensor]]) -> Table:
    """A row per variant, from flags (n,) by seed."""
    rows = {}
    for name in right:
        cells: list[object] = []
        for flags in (right, told):
            own, base = torch.cat(flags[name]), torch.cat(flags[BASELINES[name]])
            above = None if name == BASELINES[name] else Difference.of(own, base)
            cells += [Accuracy.of(own), above]
        rows[name] = tuple(cells)
    return Table(
        corner="variant",
        columns=("top-1", "above baseline", "told from the opposite", "above baseline, opposites"),
        rows=rows,
    )


def after_shuffling(disorder: dict[str, list[Disorder]]) -> Table:
    """A row per transformer."""
    rows = {}
    for name, seeds in disorder.items():
        moved = torch.cat([each.moved for each in seeds])
        rows[name] = (
            Accuracy.of(torch.cat([each.other for each in seeds])),
            bootstrap(mean, moved, generator=torch.Generator().manual_seed(0)),
        )
    columns = ("another label is named", "share of the score that moves, in the mean")
    return Table(corner="variant", columns=columns, rows=rows)


def mean(values: Tensor) -> float:
    return float(values.mean())


def costs(names: Sequence[str]) -> Table:
    """A row per variant: the networks that were compared, and in their full size."""
    small = {name: cost(name, large=False) for name in names}
    large = {name: cost(name, large=True) for name in names}
    rows = {}
    for name in names:
        cells: list[object] = [_parameters(name)]
        for found in (small, large):
            base = found[BASELINES[name]]
            more = None if name == BASELINES[name] else f"{found[name].ms / base.ms - 1:+.0%}"
            cells += [f"{found[name].ms:.0f}", more, f"{found[name].memory_mb:.0f}"]
        rows[name] = tuple(cells)
    measured = ("ms", "ms, above baseline", "MB")
    full = tuple(f"full size, {LARGE} px: {what}" for what in measured)
    return Table(corner="variant", columns=("parameters", *measured, *full), rows=rows)


def cost(name: str, *, large: bool) -> Cost:
    """In a process of its own, so that its memory is its own too."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_cost, name, large).result()


def _cost(name: str, large: bool) -> Cost:
    torch.set_num_threads(1)
    side = LARGE if large else SIDE
    chance = torch.Generator().manual_seed(0)
    shots = Shots(
        clip=torch.rand(1, 3, FRAMES, side, side, generator=chance),
        motion=torch.randn(1, 4, FRAMES, side // CELL, side // CELL, generator=chance),
        label=torch.zeros(1, dtype=torch.long),
    )
    before = _peak()
    network = _recipe(name, large=large).build(classes=16).eval()
    times = []
    with torch.inference_mode():
        for _ in range(_ROUNDS):
            began = time.process_time()
            ask(network, shots)
            times.append(time.process_time() - began)
    return Cost(ms=1000 * median(times), memory_mb=_peak() - before)


def _recipe(name: str, *, large: bool) -> VideoRecipe:
    """The one that was trained, or with the sizes that the network has by default."""
    recipe = VIDEO_RECIPES[name]()
    if not large:
        return recipe
    config = recipe.config
    if isinstance(config, EMIMConfig):
        return replace(recipe, config=EMIMConfig(attention=config.attention))
    full = TrajectoryNetConfig(motion_features=config.motion_features)
    return replace(recipe, config=full if config.follow else replace(full, follow=()))


def _peak() -> float:
    """The most memory that this process has had, MB; without that of its parent, as rusage has."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _parameters(name: str) -> int:
    network = VIDEO_RECIPES[name]().build(classes=16)
    return sum(part.numel() for part in network.parameters())


def motion_ms() -> float:
    """Processor time in which a clip is made small and its motion found, the median of some."""
    chance = np.random.default_rng(0)
    frames = chance.integers(0, 256, (FRAMES, 256, 340, 3), np.uint8)
    clip = Clip.from_frames(frames, fps=FRAMES / SECONDS)
    times = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        squares(clip, DenseInverseSearch())
        times.append(time.process_time() - began)
    return 1000 * median(times)


if __name__ == "__main__":
    main()
