"""`pointaction train-episodes`. Thin: the work is imported when asked for."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointaction.choices import chosen
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.terminal import err, out
from pointaction.training.commands import (
    Accumulate,
    Device,
    Minutes,
    RunFolder,
    Seed,
    WeightDecay,
    Workers,
)

if TYPE_CHECKING:
    from pointaction.evaluation.fewshot import FewShot


def train_episodes(
    network: Annotated[str, typer.Argument(help="trokens or strm; with --clips also trx.")],
    folder: RunFolder = Path("runs"),
    episodes: Annotated[
        int | None, typer.Option(min=1, help="In all; instead of the recipe's.")
    ] = None,
    ways: Annotated[int | None, typer.Option(min=2, help="Classes in an episode.")] = None,
    shots: Annotated[int, typer.Option(min=1, help="Examples of each class.")] = 1,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Episodes out of one batch of clips.")
    ] = None,
    accumulate: Accumulate = None,
    learning_rate: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    seed: Seed = 1,
    start: Annotated[Path | None, typer.Option("--from", help="Weights to begin with.")] = None,
    tested: Annotated[int, typer.Option(min=2, help="Episodes of the test at the end.")] = 1000,
    minutes: Minutes = None,
    workers: Workers = 1,
    device: Device = "cpu",
    clips: Annotated[
        str | None, typer.Option(help="A store to learn from, of its split train.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the run; with --clips.")] = None,
    queries: Annotated[int, typer.Option(min=1, help="Of a class; with --clips.")] = 5,
    tracks: Annotated[int, typer.Option(min=16, help="Of a clip; with --clips.")] = 256,
    weight_decay: WeightDecay = 0.05,
    cardinalities: Annotated[
        str | None, typer.Option(help="Of tuples, such as 2,3; with --clips.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="ple, fle or query-class of strm; with --clips.")
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="For trying out; with --clips.")] = False,
    store: Store = DEFAULT_STORE,
) -> None:
    """Learn to tell motions apart from few examples. Call again to go on after an interruption."""
    from dataclasses import replace

    import torch

    from pointaction.evaluation.fewshot import Trial
    from pointaction.models.files import save_network
    from pointaction.progress import counting
    from pointaction.training.episodes import RECIPES, examine
    from pointaction.training.episodes import train_episodes as learn
    from pointaction.training.loop import Run
    from pointaction.training.processes import is_first

    if clips is not None:
        from pointaction.training.stored_episode_commands import train_on

        train_on(
            clips,
            network,
            folder=folder,
            name=name,
            episodes=episodes or 10_000,
            ways=ways or 5,
            shots=shots,
            queries=queries,
            accumulate=accumulate or 1,
            learning_rate=learning_rate or 1e-4,
            weight_decay=weight_decay,
            tracks=tracks,
            cardinalities=cardinalities,
            without=tuple(without or ()),
            small=small,
            models=store,
            seed=seed,
            minutes=minutes,
            workers=workers,
            device=device,
        )
        return
    recipe = chosen(network, RECIPES)()
    asked: dict[str, Any] = {
        "ways": ways,
        "episodes": at_once,
        "accumulate": accumulate,
        "learning_rate": learning_rate,
        "shots": shots,
        "performances": recipe.performances - recipe.shots + shots,
    }
    recipe = replace(recipe, **{name: value for name, value in asked.items() if value is not None})
    if episodes is not None:
        recipe = replace(recipe, steps=math.ceil(episodes / (recipe.episodes * recipe.accumulate)))
    run = Run(
        recipe=recipe,
        folder=folder / f"{network}-episodes-seed{seed}",
        seed=seed,
        device=torch.device(device),
        start=start,
        workers=workers,
        minutes=minutes,
    )
    with counting(network) as progress:
        learnt = learn(
            run,
            lambda step, told: progress(step, recipe.steps),
            trial=Trial(queries=recipe.performances - shots, episodes=300),
            examined=_tell,
        )
    if not is_first():
        return
    path = run.folder / "weights.safetensors"
    digest = save_network(learnt.network, path)
    if learnt.steps < recipe.steps:
        err.print(f"stopped at step {learnt.steps} of {recipe.steps}; call again to go on")
    else:
        for count in (1, 5):
            found = examine(learnt.network, recipe, Trial(episodes=tested), shots=count)
            out.print(f"5-way {count}-shot on test classes: {found}")
    out.print(f"weights: {path}\nsha256:  {digest}")


def _tell(step: int, found: "FewShot") -> None:
    err.print(f"step {step}: {found} on validation classes")
