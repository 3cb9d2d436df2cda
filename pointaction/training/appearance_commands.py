"""`pointaction train-appearance`. Thin: the work is imported when asked for."""

from pathlib import Path
from typing import Annotated

import typer

from pointaction.terminal import err, out
from pointaction.training.commands import Device, Minutes, RunFolder, Seed, Steps, Workers


def train_appearance(
    folder: RunFolder = Path("runs"),
    steps: Steps = None,
    identities: Annotated[
        int | None, typer.Option(min=2, help="In a step; instead of the recipe's.")
    ] = None,
    seed: Seed = 1,
    minutes: Minutes = None,
    workers: Workers = 1,
    device: Device = "cpu",
    tested: Annotated[int, typer.Option(min=1, help="Batches of the test at the end.")] = 8,
) -> None:
    """Learn what actors and places look like, from drawn frames. Call again to go on."""
    from dataclasses import replace

    import torch

    from pointaction.models.files import save_network
    from pointaction.progress import counting
    from pointaction.training.appearance import find_again, looks, train_looks
    from pointaction.training.loop import Run
    from pointaction.training.processes import is_first

    recipe = looks()
    recipe = replace(recipe, steps=steps or recipe.steps, batch=identities or recipe.batch)
    run = Run(
        recipe=recipe,
        folder=folder / f"appearance-seed{seed}",
        seed=seed,
        device=torch.device(device),
        workers=workers,
        minutes=minutes,
    )
    with counting("appearance") as progress:
        network, done = train_looks(run, lambda step, told: progress(step, recipe.steps))
    if not is_first():
        return
    path = run.folder / "weights.safetensors"
    digest = save_network(network, path)
    if done < recipe.steps:
        err.print(f"stopped at step {done} of {recipe.steps}; call again to go on")
    else:
        found = find_again(network, run, batches=tested)
        out.print(f"found again among {recipe.batch} unseen identities: {found}")
    out.print(f"weights: {path}\nsha256:  {digest}")
