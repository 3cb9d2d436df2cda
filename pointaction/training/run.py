"""`pointaction train` and `pretrain`: a recipe, a progress bar, and weights in the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from pointaction.training.checkpoints import export_weights
from pointaction.training.loop import Report, pretrain, train
from pointaction.training.recipes import PRETRAINING, TRAINING, Recipe

Outcome = tuple[Path, str]  # where the weights are, and their SHA-256


class Learn(Protocol):
    """`loop.train` or `loop.pretrain`."""

    def __call__(
        self, recipe: Recipe, *, seed: int, device: torch.device, checkpoint: Path, report: Report
    ) -> nn.Module: ...


def run_training(name: str, *, start: Path | None, folder: Path, **options: Any) -> Outcome:
    """Train recipe `name` in `folder`, beginning with the encoder of `start` where there is one.

    The other options are those of `_run`.
    """
    return _run(partial(train, start=start), TRAINING[name](), folder / name, **options)


def run_pretraining(name: str, *, folder: Path, **options: Any) -> Outcome:
    """As `run_training`, for masked pretraining; the weights are to start a training with."""
    return _run(pretrain, PRETRAINING[name](), folder / f"pretrain-{name}", **options)


def _run(
    learn: Learn,
    recipe: Recipe,
    place: Path,
    *,
    seed: int,
    steps: int | None,
    device: str,
    console: Console,
) -> Outcome:
    """Learn with a progress bar; `steps` are instead of the recipe's."""
    if steps is not None:
        recipe = replace(recipe, steps=steps)
    place = place.with_name(f"{place.name}-seed{seed}")
    with _progress(recipe, console) as report:
        model = learn(
            recipe,
            seed=seed,
            device=torch.device(device),
            checkpoint=place / "checkpoint.pt",
            report=report,
        )
    path = place / "weights.safetensors"
    return path, export_weights(model, path)


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
