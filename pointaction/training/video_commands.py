"""`pointaction reels` and `train-video`. Thin: the work is imported when asked for."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pointaction.choices import chosen
from pointaction.terminal import err, out
from pointaction.training.commands import (
    BatchSize,
    Device,
    Minutes,
    RunFolder,
    Seed,
    Steps,
    Workers,
)

ReelFolder = Annotated[
    Path, typer.Option("--reels", help="Folder that `pointaction reels` filled.")
]


def reels(
    folder: Annotated[Path, typer.Option("--out", "-o", help="Where reels lie.")] = Path("reels"),
    clips: Annotated[int, typer.Option(min=1, help="Sixteen to a file.")] = 2304,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Other people and places, for tests.")
    ] = False,
    processes: Annotated[int, typer.Option(min=1, help="That draw.")] = 1,
    seed: Seed = 1,
) -> None:
    """Draw small clips with their motion, for `train-video`. Call again to go on."""
    from pointaction.evaluation.performances import performers
    from pointaction.progress import counting
    from pointaction.training.reels import HELD_OUT, TRAINING, make_reels

    with counting("reels") as progress, performers(processes) as pool:
        make_reels(
            folder / (HELD_OUT if held_out else TRAINING),
            clips=clips,
            seed=seed,
            held_out=held_out,
            progress=progress,
            pool=pool,
        )


def train_video(
    name: Annotated[
        str,
        typer.Argument(
            help="trajectorynet, emim, what they are compared with (separable, "
            "trajectory-convolution, plain-attention, window-attention), or motionnet."
        ),
    ],
    reels: ReelFolder = Path("reels"),
    folder: RunFolder = Path("runs"),
    steps: Steps = None,
    batch: BatchSize = None,
    width: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    seed: Seed = 1,
    minutes: Minutes = None,
    workers: Workers = 1,
    device: Device = "cpu",
) -> None:
    """Train a network that sees pixels, and test it where reels were held out.

    Call again to go on after an interruption.
    """
    from dataclasses import replace

    import torch

    from pointaction.models.files import save_network
    from pointaction.progress import counting
    from pointaction.training.loop import Run
    from pointaction.training.motion import compare, motionnet, train_motion
    from pointaction.training.processes import is_first
    from pointaction.training.reels import HELD_OUT, TRAINING, Reels
    from pointaction.training.video import VIDEO_RECIPES, judge
    from pointaction.training.video import train_video as train_network

    # Records and networks of two kinds, which go through the same steps.
    recipes: dict[str, Any] = VIDEO_RECIPES | {"motionnet": motionnet}
    learn: Any = train_motion if name == "motionnet" else train_network
    test: Any = compare if name == "motionnet" else judge

    recipe = chosen(name, recipes)()
    recipe = replace(recipe, steps=steps or recipe.steps, batch=batch or recipe.batch)
    if width:
        recipe = replace(recipe, config=replace(recipe.config, width=width))
    shown = Reels.read(reels / TRAINING)
    run = Run(
        recipe=recipe,
        folder=folder / f"{name}-seed{seed}",
        seed=seed,
        device=torch.device(device),
        workers=workers,
        minutes=minutes,
    )
    with counting(name) as progress:
        network, done = learn(run, lambda step, told: progress(step, recipe.steps), reels=shown)
    if not is_first():
        return
    path = run.folder / "weights.safetensors"
    digest = save_network(network, path)
    (run.folder / "labels.txt").write_text("\n".join(shown.labels) + "\n", encoding="utf-8")
    if done < recipe.steps:
        err.print(f"stopped at step {done} of {recipe.steps}; call again to go on")
    elif (reels / HELD_OUT).is_dir():
        unseen = test(network, Reels.read(reels / HELD_OUT))
        out.print(f"held out: {unseen}", highlight=False, soft_wrap=True)
    out.print(f"weights: {path}\nsha256:  {digest}")
