"""`pointaction train`, `pretrain`, `grow`, `finetune`. Thin: the work is imported when asked for.

On several GPUs: `python -m torch.distributed.run --nproc-per-node 4 -m pointaction train full`.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pointaction.choices import chosen
from pointaction.errors import InputError
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store

out = Console()
err = Console(stderr=True)

RecipeName = Annotated[
    str, typer.Argument(help="tiny, full, quick; to train also grown, endless-tiny, endless-full.")
]
RunFolder = Annotated[Path, typer.Option("--out", help="Checkpoints, losses and weights.")]
Seed = Annotated[int, typer.Option(help="Chance of the run.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Clips; instead of the recipe's.")]
Accumulate = Annotated[
    int | None, typer.Option(min=1, help="Batches per step, shared by the processes of torchrun.")
]
Minutes = Annotated[
    float | None, typer.Option(min=0, help="Stop after so long; call again to go on.")
]
Workers = Annotated[int, typer.Option(min=0, help="Processes that make batches.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Start = Annotated[Path | None, typer.Option("--from", help="Weights whose encoder to begin with.")]


def train(
    recipe: RecipeName = "tiny",
    folder: RunFolder = Path("runs"),
    seed: Seed = 1,
    steps: Steps = None,
    batch: BatchSize = None,
    accumulate: Accumulate = None,
    minutes: Minutes = None,
    workers: Workers = 1,
    device: Device = "cpu",
    start: Start = None,
    films: Annotated[
        Path | None, typer.Option(help="Folder that `pointaction film` filled, to train on too.")
    ] = None,
) -> None:
    """Train on procedural motion. Call again to go on after an interruption."""
    from functools import partial

    from pointaction.training.films import Films
    from pointaction.training.procedural import train as learn
    from pointaction.training.recipes import TRAINING

    _carry_out(
        partial(learn, films=Films.read(films)) if films else learn,
        chosen(recipe, TRAINING),
        {"steps": steps, "batch": batch, "accumulate": accumulate},
        folder=folder / f"{recipe}-seed{seed}",
        seed=seed,
        minutes=minutes,
        workers=workers,
        device=device,
        start=start,
    )


def pretrain(
    recipe: RecipeName = "tiny",
    folder: RunFolder = Path("runs"),
    seed: Seed = 1,
    steps: Steps = None,
    batch: BatchSize = None,
    accumulate: Accumulate = None,
    minutes: Minutes = None,
    workers: Workers = 1,
    device: Device = "cpu",
    start: Start = None,
) -> None:
    """Masked-trajectory pretraining; give the weights to `train --from`."""
    from pointaction.training.procedural import pretrain as learn
    from pointaction.training.recipes import PRETRAINING

    _carry_out(
        learn,
        chosen(recipe, PRETRAINING),
        {"steps": steps, "batch": batch, "accumulate": accumulate},
        folder=folder / f"pretrain-{recipe}-seed{seed}",
        seed=seed,
        minutes=minutes,
        workers=workers,
        device=device,
        start=start,
    )


def film(
    folder: Annotated[Path, typer.Option("--out", "-o", help="Where films lie.")] = Path("films"),
    clips: Annotated[int, typer.Option(min=1, help="Sixteen to a file.")] = 4000,
    processes: Annotated[int, typer.Option(min=1, help="That draw and follow.")] = 1,
    seed: Seed = 1,
) -> None:
    """Draw motions and follow them with the tracker, for `train --films`. Call again to go on."""
    from pointaction.evaluation.performances import performers
    from pointaction.progress import counting
    from pointaction.training.films import make_films

    with counting("film") as progress, performers(processes) as pool:
        make_films(folder, clips=clips, seed=seed, progress=progress, pool=pool)


def grow(
    model: Annotated[
        str, typer.Argument(help="Of the store, as small as it is.")
    ] = "traction-tiny",
    builder: Annotated[str, typer.Option("--to", help="What it becomes.")] = "traction",
    path: Annotated[Path, typer.Option("--out", "-o", help="Weights.")] = Path("grown.safetensors"),
    store: Store = DEFAULT_STORE,
    seed: Seed = 1,
) -> None:
    """Lay a small model into a larger one that answers alike; give it to `train grown --from`."""
    import torch

    from pointaction.models.catalog import find
    from pointaction.models.store import BUILDERS, load_model
    from pointaction.training.checkpoints import export_weights
    from pointaction.training.grow import grow as lay

    small = load_model(store, find(store, model))
    torch.manual_seed(seed)  # of what is new
    large = chosen(builder, BUILDERS)(len(small.head.bias))
    lay(small, large)
    digest = export_weights(large, path)
    out.print(f"weights: {path}\nsha256:  {digest}")


def finetune(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder with one folder of clips per label, a CSV, or a data set's lists."
        ),
    ],
    layout: Annotated[
        str, typer.Option(help="folder, csv, ssv2, kinetics or epic-kitchens.")
    ] = "folder",
    videos: Annotated[
        Path | None, typer.Option(help="Of the data set, unless they lie as its owner lays them.")
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help="A model of the store, or a file of weights.")
    ] = "traction-tiny",
    name: Annotated[
        str | None, typer.Option(help="Of the new model; else as the source is called.")
    ] = None,
    store: Store = DEFAULT_STORE,
    folder: RunFolder = Path("runs"),
    validation: Annotated[
        Path | None, typer.Option("--val", help="Clips not to train on, laid out as SOURCE.")
    ] = None,
    share: Annotated[
        float, typer.Option("--val-share", min=0, max=0.9, help="Of each label, without --val.")
    ] = 0.2,
    epochs: Annotated[int, typer.Option(min=1, help="Rounds; at least 100 steps.")] = 15,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of --epochs.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Instead of 2e-4.")] = None,
    head_only: Annotated[
        bool, typer.Option("--head-only", help="Leave the encoder as it is.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a model of that name.")
    ] = False,
    tracks: Annotated[int, typer.Option(min=16, max=10_000, help="Points per clip.")] = 512,
    probe: Annotated[
        str | None,
        typer.Option(help="A backbone of the store: learn what clips look like, and that alone."),
    ] = None,
    fuse: Annotated[
        str | None,
        typer.Option(help="A backbone of the store: learn looks beside motion, and both fused."),
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="Where the backbone's features are kept, to be shared.")
    ] = None,
    seed: Seed = 1,
    minutes: Minutes = None,
    device: Device = "cpu",
) -> None:
    """Teach a model your own clips and serve it. Call again to go on after an interruption."""
    import torch

    from pointaction.datasets.layouts import LAYOUTS
    from pointaction.training.finetune import Wish
    from pointaction.training.finetune import finetune as learn
    from pointaction.training.run import watching
    from pointaction.training.video_folder import finetune_video, sees_pixels

    if probe and fuse:
        raise InputError("--probe trains one branch and --fuse both; give one of them")

    called = name or re.sub(r"[^a-z0-9_-]+", "-", source.stem.lower()).strip("-_")
    wish = Wish(
        source=source,
        layout=chosen(layout, {"folder": None, "csv": None} | dict.fromkeys(LAYOUTS, layout)),
        videos=videos,
        store=store,
        name=called,
        start=start,
        folder=folder / f"finetune-{called}-seed{seed}",
        validation=validation,
        share=share,
        epochs=epochs,
        steps=steps,
        learning_rate=learning_rate,
        head_only=head_only,
        replace=replace,
        tracks=tracks,
        seed=seed,
        device=torch.device(device),
        minutes=minutes,
        features=features,
    )
    with watching(err) as watcher:
        if backbone := probe or fuse:
            from pointaction.training.finetune_looks import finetune_fusion, finetune_probe

            done = (finetune_probe if probe else finetune_fusion)(wish, backbone, watcher)
        elif sees_pixels(store, start):
            done = finetune_video(wish, watcher)
        else:
            done = learn(wish, watcher)
    if done.absent:
        err.print(f"{done.absent} clips of the lists are not on this disk and were left out")
    if done.entry is None:
        err.print(f"stopped at step {done.steps} of {done.planned}; call again to go on")
        return
    out.print(f"{done.entry.name} {done.entry.version}: {len(done.entry.labels)} labels")
    if done.last and done.best:
        out.print(f"validation: {done.last}; best {done.best[1].share:.1%} at step {done.best[0]}")
    out.print(
        f"It is in {store}. A service on that store offers it from now on, without a restart:\n"
        f"  pointaction classify CLIP --model {done.entry.name}",
        soft_wrap=True,
    )


def _carry_out(
    learn: Any,
    recipe: Callable[[], Any],
    changes: dict[str, int | None],
    *,
    device: str,
    **how: Any,
) -> None:
    """Carry the recipe out with those changes that were asked for, and say what came of it."""
    from dataclasses import replace

    import torch

    from pointaction.training.loop import Run
    from pointaction.training.run import carry_out

    asked = {name: value for name, value in changes.items() if value is not None}
    run = Run(recipe=replace(recipe(), **asked), device=torch.device(device), **how)
    outcome = carry_out(learn, run, err)
    if outcome is None:  # a helper of the first process
        return
    if outcome.steps < run.recipe.steps:
        err.print(f"stopped at step {outcome.steps} of {run.recipe.steps}; call again to go on")
    out.print(f"weights: {outcome.weights}\nsha256:  {outcome.sha256}")
