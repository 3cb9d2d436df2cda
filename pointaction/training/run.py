"""`pointaction train`: a recipe, a progress bar, and weights in the end."""

from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pointaction.training.checkpoints import export_weights
from pointaction.training.loop import train
from pointaction.training.recipes import RECIPES


def run(
    name: str, *, folder: Path, seed: int, steps: int | None, device: str, console: Console
) -> tuple[Path, str]:
    """Train recipe `name` in `folder`; returns the weights' path and SHA-256."""
    recipe = RECIPES[name]()
    if steps is not None:
        recipe = replace(recipe, steps=steps)
    place = folder / f"{name}-seed{seed}"
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  right {task.fields[right]:.0%}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(recipe.builder, total=recipe.steps, loss=0.0, right=0.0)
        mean = {"loss": 0.0, "right": 0.0}

        def report(step: int, loss: float, right: float) -> None:
            share = 0.05 if step > 1 else 1.0  # a running mean over some twenty steps
            mean["loss"] += share * (loss - mean["loss"])
            mean["right"] += share * (right - mean["right"])
            progress.update(bar, completed=step, loss=mean["loss"], right=mean["right"])

        model = train(
            recipe,
            seed=seed,
            device=torch.device(device),
            checkpoint=place / "checkpoint.pt",
            report=report,
        )
    path = place / "weights.safetensors"
    return path, export_weights(model, path)
