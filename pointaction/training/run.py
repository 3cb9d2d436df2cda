"""`pointaction train` and `pretrain`: a recipe, a progress bar, and weights in the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pointaction.training.checkpoints import export_weights
from pointaction.training.loop import Report, pretrain, train
from pointaction.training.recipes import PRETRAINING, TRAINING, Recipe


def run_training(
    name: str,
    *,
    folder: Path,
    seed: int,
    steps: int | None,
    device: str,
    start: Path | None,
    console: Console,
) -> tuple[Path, str]:
    """Train recipe `name` in `folder`; returns the weights' path and SHA-256."""
    recipe = _shortened(TRAINING[name](), steps)
    place = folder / f"{name}-seed{seed}"
    with _progress(recipe, console) as report:
        model = train(
            recipe,
            seed=seed,
            device=torch.device(device),
            checkpoint=place / "checkpoint.pt",
            report=report,
            start=start,
        )
    path = place / "weights.safetensors"
    return path, export_weights(model, path)


def run_pretraining(
    name: str, *, folder: Path, seed: int, steps: int | None, device: str, console: Console
) -> tuple[Path, str]:
    """As `run_training`, for masked pretraining; the weights are to start a training with."""
    recipe = _shortened(PRETRAINING[name](), steps)
    place = folder / f"pretrain-{name}-seed{seed}"
    with _progress(recipe, console) as report:
        model = pretrain(
            recipe,
            seed=seed,
            device=torch.device(device),
            checkpoint=place / "checkpoint.pt",
            report=report,
        )
    path = place / "weights.safetensors"
    return path, export_weights(model, path)


def _shortened(recipe: Recipe, steps: int | None) -> Recipe:
    return recipe if steps is None else replace(recipe, steps=steps)


@contextmanager
def _progress(recipe: Recipe, console: Console) -> Iterator[Report]:
    """A bar with running means over some twenty steps."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(recipe.builder, total=recipe.steps, state="")
        means: dict[str, float] = {}

        def report(step: int, loss: float, right: float | None) -> None:
            told = {"loss": loss} | ({} if right is None else {"right": right})
            for name, value in told.items():
                means[name] = means.get(name, value) + 0.05 * (value - means.get(name, value))
            state = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
            progress.update(bar, completed=step, state=state)

        yield report
