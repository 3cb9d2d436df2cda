"""TrAction's table 4 on the procedural world: what each part of the tokens is worth.

    python -m benchmarks.ablations [--steps 2000] [--seeds 1] [--variants base "without depth"]

Every variant is a small encoder of the same size that learns to name motions, from the very same
batches: all are trained side by side, so that each batch is made once. Then all name the same
held-out performances, varied more widely than in training, from exact tracks and from tracks with
a tracker's noise. Prints a table and files it under `results/`.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from rich.console import Console
from rich.markdown import Markdown
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.machine import RESULTS
from pointaction.evaluation.metrics import Accuracy, hits
from pointaction.evaluation.performances import Inputs, Sight, watch
from pointaction.evaluation.procedural import every_label
from pointaction.evaluation.report import Report, Table
from pointaction.models.masked_pretraining import MaskedConfig, MaskedPretraining
from pointaction.models.traction import TrackEncoder, TrAction, TrActionConfig
from pointaction.progress import counting
from pointaction.synthetic.batches import Mixture, ProceduralBatches
from pointaction.synthetic.noise import TrackerNoise
from pointaction.synthetic.vocabulary import LABELS
from pointaction.training.batch import Batch
from pointaction.training.objectives import Objective, masked, recognise
from pointaction.training.recipes import tiny
from pointaction.training.schedule import warmup_cosine
from pointaction.training.variants import (
    Change,
    FromStart,
    as_it_is,
    without_depth,
    without_visibility,
)

PAPER = "paper (SSv2)"
BASE = TrActionConfig(width=96, layers=3, heads=4, dropout=0.0)  # no clip is seen twice
RECIPE = tiny()
PRETRAINING_TRACKS = 160  # of which the encoder sees 16, as when the tiny model is pretrained
PRETRAINING_SEED = 500_000  # its batches are not those of the training that follows
SIGHTS = {"exact": None, "tracked": TrackerNoise()}


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The base but for one thing, and what it scored in the paper."""

    config: TrActionConfig = BASE
    change: Change = as_it_is
    relative: bool = False  # coordinates, all of which begin at the origin
    pretrained: bool = False  # by masked trajectories, with as many steps again
    paper: float | None = None  # top-1 on Something-Something V2, per cent

    def build(self) -> TrAction:
        model = TrAction(TrackEncoder(self.config), classes=len(LABELS))
        if self.relative:
            model.encoder.tokens.encode = FromStart(model.encoder.tokens.encode)
        return model


VARIANTS = {
    "base": Variant(paper=40.9),
    "pretrained": Variant(pretrained=True, paper=45.8),
    "without sine encoding": Variant(config=replace(BASE, bands=0), paper=40.7),
    "without position encoding": Variant(config=replace(BASE, place=False), paper=38.4),
    "relative coordinates": Variant(relative=True, paper=32.0),
    "without depth": Variant(change=without_depth, paper=31.4),
    "without visibility": Variant(change=without_visibility, paper=39.3),
    "relative motion added": Variant(config=replace(BASE, motion=True)),
    "relative motion alone": Variant(config=replace(BASE, positions=False, motion=True)),
}


def main() -> None:
    wish = _arguments()
    device = torch.device(wish.device)
    names = list(dict.fromkeys(["base", *wish.variants]))  # all are compared with the base
    right: dict[str, list[Tensor]] = {f"{name}, {sight}": [] for name in names for sight in SIGHTS}
    sizes = {name: _parameters(VARIANTS[name].build()) for name in names}
    for seed in range(1, wish.seeds + 1):
        models = train(names, wish, seed=seed, device=device)
        for sight, noise in SIGHTS.items():
            shown, labels = perform(wish, noise, seed=seed)
            for name, model in models.items():
                answers = ask(model, VARIANTS[name].change, shown, device)
                right[f"{name}, {sight}"].append(hits(answers, labels))
    flags = {name: torch.cat(parts) for name, parts in right.items()}
    report = Report(
        title="What each part of the tokens is worth",
        conditions={
            "training": f"{wish.steps} steps of {wish.batch} clips of {wish.tracks} tracks, "
            f"{len(LABELS)} labels, {wish.seeds} seeds",
            "pretraining": f"{wish.steps} steps of {wish.batch} clips of {PRETRAINING_TRACKS} "
            "tracks, before and beside those of the training",
            "encoder": f"width {BASE.width}, {BASE.layers} layers, {BASE.heads} heads",
            "performances": f"{wish.per_class} of each label and seed, wider than in training, "
            f"{wish.test_tracks} tracks",
        },
        tables={"Top-1, and points above the base on the same clips": table(flags, sizes)},
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'ablations').name}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1, help="of weights, batches and tests")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--tracks", type=int, default=64)
    parser.add_argument("--test-tracks", type=int, default=128)
    parser.add_argument("--per-class", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def train(
    names: Sequence[str], wish: argparse.Namespace, *, seed: int, device: torch.device
) -> dict[str, TrAction]:
    """All variants, side by side, after those that are pretrained have been."""
    models = {}
    for name in names:
        torch.manual_seed(seed)  # initial weights
        models[name] = VARIANTS[name].build().to(device)
    for name in names:
        if VARIANTS[name].pretrained:
            models[name].encoder = pretrain(models[name].encoder, wish, seed=seed, device=device)
    learners = {
        name: Learner(
            model,
            recognise(model, label_smoothing=RECIPE.label_smoothing, contrast=0),
            VARIANTS[name].change,
        )
        for name, model in models.items()
    }
    _learn(list(learners.values()), wish, tracks=wish.tracks, seed=seed, device=device)
    return {name: model.eval() for name, model in models.items()}


def pretrain(
    encoder: TrackEncoder, wish: argparse.Namespace, *, seed: int, device: torch.device
) -> TrackEncoder:
    """The encoder after masked-trajectory pretraining (TrAction, section 3)."""
    torch.manual_seed(seed)
    model = MaskedPretraining(encoder, MaskedConfig(width=48)).to(device)
    learner = Learner(model, masked(model, seed=seed), as_it_is)
    _learn([learner], wish, tracks=PRETRAINING_TRACKS, seed=PRETRAINING_SEED + seed, device=device)
    return model.encoder


class Learner:
    """A model, what it is to learn, and from what."""

    def __init__(self, model: nn.Module, objective: Objective, change: Change) -> None:
        self.objective = objective
        self.change = change
        self.parameters = list(model.parameters())
        self.optimiser = torch.optim.AdamW(self.parameters, weight_decay=RECIPE.weight_decay)

    def learn(self, batch: Batch, number: int, rate: float) -> None:
        geometry, visible = self.change(batch.geometry, batch.visible)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        told = self.objective(replace(batch, geometry=geometry, visible=visible), number)
        told["loss"].backward()
        nn.utils.clip_grad_norm_(self.parameters, RECIPE.clip_norm)
        self.optimiser.step()


def _learn(
    learners: Sequence[Learner],
    wish: argparse.Namespace,
    *,
    tracks: int,
    seed: int,
    device: torch.device,
) -> None:
    """Every learner takes every batch once, in the same order."""
    mixture = Mixture(named=wish.batch, tracks=(tracks,))
    loader = DataLoader(
        ProceduralBatches(mixture, seed=seed),
        batch_size=None,
        sampler=range(wish.steps),
        num_workers=wish.workers,
    )
    with counting(f"{len(learners)} learn, seed {seed}") as progress:
        for number, batch in enumerate(loader):
            rate = RECIPE.learning_rate * warmup_cosine(number, steps=wish.steps)
            held = batch.to(device)
            for learner in learners:
                learner.learn(held, number, rate)
            progress(number + 1, wish.steps)


def perform(
    wish: argparse.Namespace, noise: TrackerNoise | None, *, seed: int
) -> tuple[list[Inputs], Tensor]:
    """Held-out performances as all variants are shown them, and their labels (n,)."""
    programme = every_label(LABELS, per_class=wish.per_class, seed=seed, wide=True)
    sight = Sight(points=wish.test_tracks, noise=noise)
    return list(watch(programme, sight, clock=BASE.frames)), programme.labels


def ask(model: TrAction, change: Change, shown: Sequence[Inputs], device: torch.device) -> Tensor:
    """The model's logits (n, C)."""
    with torch.inference_mode():
        changed = (change(part.geometry.to(device), part.visible.to(device)) for part in shown)
        return torch.cat([model(*inputs)[0].cpu() for inputs in changed])


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Points of accuracy by which a variant is above the base on the same clips."""

    value: float
    half_width: float  # of its 95 % interval

    @classmethod
    def of(cls, right: Tensor, base: Tensor) -> "Difference":
        """From flags (n,) of what the variant and the base got right."""
        points = 100 * (right.float() - base.float())
        error = points.std().item() / len(points) ** 0.5
        return cls(value=points.mean().item(), half_width=1.96 * error)

    def agrees(self, paper: float) -> str:
        """Whether its sign is the paper's, as far as that can be told."""
        if abs(self.value) <= self.half_width:
            return "cannot be told"
        return "yes" if self.value * paper > 0 else "no"

    def __str__(self) -> str:
        return f"{self.value:+.1f} ± {self.half_width:.1f}"


def table(right: dict[str, Tensor], sizes: dict[str, int]) -> Table:
    """A row per variant, from flags (n,) by "variant, sight" and numbers of parameters."""
    columns = ["parameters"]
    for sight in SIGHTS:
        columns += [sight, f"{sight}: above base"]
    columns += [PAPER, "paper: above base", *(f"sign agrees, {sight}" for sight in SIGHTS)]
    return Table(
        corner="variant",
        columns=tuple(columns),
        rows={name: tuple(_cells(name, right, size)) for name, size in sizes.items()},
    )


def _cells(name: str, right: dict[str, Tensor], size: int) -> Iterator[object]:
    paper, base = VARIANTS[name].paper, VARIANTS["base"].paper
    above = {
        sight: Difference.of(right[f"{name}, {sight}"], right[f"base, {sight}"])
        for sight in SIGHTS
        if name != "base"
    }
    yield size
    for sight in SIGHTS:
        yield Accuracy.of(right[f"{name}, {sight}"])
        yield above.get(sight)
    yield paper
    if paper is None or base is None or not above:
        yield from [None] * (1 + len(SIGHTS))
        return
    yield round(paper - base, 1)
    for difference in above.values():
        yield difference.agrees(paper - base)


def _parameters(model: nn.Module) -> int:
    return sum(part.numel() for part in model.parameters())


if __name__ == "__main__":
    main()
