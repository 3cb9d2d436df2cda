"""`pointaction train`, `pretrain`, `grow`, `average`, `finetune`. Thin: work is imported late.

On several GPUs: `python -m torch.distributed.run --nproc-per-node 4 -m pointaction train full`.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointaction.choices import chosen
from pointaction.errors import InputError
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.terminal import err, out

if TYPE_CHECKING:
    from pointaction.training.loop import Run
    from pointaction.training.run import Outcome
    from pointaction.training.variants import Variant


DEFAULT_START = "traction-tiny"

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
Tracks = Annotated[int, typer.Option(min=16, max=10_000, help="Points per clip.")]
Precision = Annotated[str, typer.Option(help="With stores: fp32 or bf16.")]
WeightDecay = Annotated[float, typer.Option(help="With stores.")]
VariantName = Annotated[
    str | None,
    typer.Option(
        help="With stores, to measure: paper, without-sine, without-position, relative, "
        "without-depth or without-visibility."
    ),
]
Small = Annotated[bool, typer.Option("--small", help="The variant in a size for trying out.")]


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
    learning_rate: Annotated[
        float | None, typer.Option(min=0, help="Instead of the recipe's.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="fp32 or bf16, instead of the recipe's; a CPU with AMX is quicker in it."
        ),
    ] = None,
) -> None:
    """Train on procedural motion. Call again to go on after an interruption."""
    from functools import partial

    from pointaction.training.films import Films
    from pointaction.training.procedural import train as learn
    from pointaction.training.recipes import PRECISIONS, TRAINING

    _carry_out(
        partial(learn, films=Films.read(films)) if films else learn,
        chosen(recipe, TRAINING),
        {
            "steps": steps,
            "batch": batch,
            "accumulate": accumulate,
            "learning_rate": learning_rate,
            "precision": chosen(precision, PRECISIONS) if precision else None,
        },
        folder=folder / f"{recipe}-seed{seed}",
        seed=seed,
        minutes=minutes,
        workers=workers,
        device=device,
        start=start,
    )


def pretrain(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="tiny, full or quick, of procedural motion; or stores of tracks."),
    ] = None,
    folder: RunFolder = Path("runs"),
    seed: Seed = 1,
    steps: Steps = None,
    batch: BatchSize = None,
    accumulate: Accumulate = None,
    minutes: Minutes = None,
    workers: Workers = 1,
    device: Device = "cpu",
    start: Start = None,
    name: Annotated[
        str | None, typer.Option(help="Of the run; else as the first store is called.")
    ] = None,
    epochs: Annotated[float, typer.Option(min=0, help="Rounds over the stores.")] = 300,
    tracks: Tracks = 512,
    mask: Annotated[float, typer.Option(min=0, max=0.99, help="Share of tracks to hide.")] = 0.9,
    learning_rate: Annotated[float, typer.Option(help="With stores.")] = 2e-4,
    weight_decay: WeightDecay = 5e-3,
    precision: Precision = "fp32",
    builder: Annotated[str, typer.Option(help="With stores: traction or traction_tiny.")] = (
        "traction"
    ),
    variant: VariantName = None,
    small: Small = False,
) -> None:
    """Masked-trajectory pretraining; give the weights to `train --from` or `finetune --from`."""
    from pointaction.training.division import find_store
    from pointaction.training.procedural import pretrain as learn
    from pointaction.training.recipes import PRECISIONS, PRETRAINING, Settings

    recipe = " ".join(sources or ["tiny"])
    how: dict[str, Any] = {
        "seed": seed,
        "minutes": minutes,
        "workers": workers,
        "device": device,
        "start": start,
    }
    stores = [store for each in sources or [] if (store := find_store(each)) is not None]
    if stores and len(stores) == len(sources or []):
        from pointaction.training.store_commands import pretrain_on

        settings = Settings(
            epochs=epochs,
            steps=steps,
            batch=batch or 512,
            accumulate=accumulate or 1,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            tracks=tracks,
            precision=chosen(precision, PRECISIONS),
        )
        called = name or name_of(stores[0].url)
        kind = find_variant(variant, small=small)
        pretrain_on(stores, settings, kind or builder, folder=folder, name=called, mask=mask, **how)
        return
    _carry_out(
        learn,
        chosen(recipe, PRETRAINING),
        {"steps": steps, "batch": batch, "accumulate": accumulate},
        folder=folder / f"pretrain-{recipe}-seed{seed}",
        **how,
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


def average(
    before: Annotated[Path, typer.Argument(help="Weights that training began with.")],
    after: Annotated[Path, typer.Argument(help="What came of it.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the way between them.")] = 0.5,
    path: Annotated[Path, typer.Option("--out", "-o", help="Weights.")] = Path(
        "average.safetensors"
    ),
) -> None:
    """Weights between two: much of what was learnt, less of what was unlearnt meanwhile."""
    from pointaction.training.average import average as between
    from pointaction.training.checkpoints import write_weights

    digest = write_weights(between(before, after, share=share), path)
    out.print(f"weights: {path}\nsha256:  {digest}")


def finetune(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder with one folder of clips per label, a CSV, a published data set, or a "
            "store of tracks."
        ),
    ],
    layout: Annotated[
        str, typer.Option(help="As of `extract`: ssv2 or others, files, or what auto recognises.")
    ] = "auto",
    videos: Annotated[
        Path | None, typer.Option(help="Of the data set, unless they lie as its owner lays them.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="A model of the store, traction-tiny if none is named, or weights."
        ),
    ] = None,
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
    tracks: Tracks = 512,
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
    batch: Annotated[int, typer.Option(min=1, help="Clips; with stores.")] = 64,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches per step; with stores.")] = 1,
    weight_decay: WeightDecay = 5e-3,
    warmup: Annotated[float, typer.Option(min=0, max=1, help="Of the steps; with stores.")] = 0.1,
    precision: Precision = "fp32",
    workers: Annotated[int, typer.Option(min=0, help="That make batches; with stores.")] = 1,
    variant: VariantName = None,
    small: Small = False,
    probe_weights: Annotated[
        Path | None, typer.Option(help="With stores and --fuse: a probe that was trained.")
    ] = None,
    looks: Annotated[
        str | None,
        typer.Option(help="With stores and --fuse: the store of the features, if it is another."),
    ] = None,
    middle: Annotated[
        bool, typer.Option("--middle", help="With stores: look at the middle frame alone.")
    ] = False,
    unlisted: Annotated[
        bool,
        typer.Option("--no-register", help="With stores: leave the weights in the run's folder."),
    ] = False,
) -> None:
    """Teach a model your own clips and serve it. Call again to go on after an interruption."""
    import torch

    from pointaction.extraction.layouts import AUTO, FILES
    from pointaction.training.division import find_store
    from pointaction.training.finetune import Wish
    from pointaction.training.finetune import finetune as learn
    from pointaction.training.run import watching
    from pointaction.training.video_folder import finetune_video, sees_pixels

    if probe and fuse:
        raise InputError("--probe trains one branch and --fuse both; give one of them")

    called = name or name_of(source)
    run_folder = folder / f"finetune-{called}-seed{seed}"
    if (stored := find_store(source)) is not None:
        from pointaction.trackstore.store import TrackStore
        from pointaction.training.finetune_store import StoreWish
        from pointaction.training.recipes import PRECISIONS, Settings
        from pointaction.training.store_commands import finetune_on

        if layout not in (AUTO, FILES) or videos or validation or features:
            raise InputError(
                "a store has tracks, splits and features of its own; leave --layout, --videos, "
                "--val and --features out"
            )
        kind = find_variant(variant, small=small)
        wanted = StoreWish(
            clips=stored,
            models=store,
            name=called,
            start=start or (None if kind or fuse else DEFAULT_START),
            variant=kind,
            unlisted=unlisted,
            looks=TrackStore(looks) if looks else None,
            folder=run_folder,
            share=share,
            settings=Settings(
                epochs=epochs,
                steps=steps,
                batch=batch,
                accumulate=accumulate,
                learning_rate=learning_rate or 2e-4,
                weight_decay=weight_decay,
                warmup=warmup,
                tracks=tracks,
                precision=chosen(precision, PRECISIONS),
                freeze=head_only,
            ),
            replace=replace,
            seed=seed,
            device=torch.device(device),
            minutes=minutes,
            workers=workers,
        )
        finetune_on(wanted, probe=probe, fuse=fuse, probe_weights=probe_weights, middle=middle)
        return
    if unlisted:
        raise InputError(f"--no-register is for stores of tracks, and {source} is none")
    wish = Wish(
        source=Path(source),
        layout=_layout(Path(source), layout, videos),
        videos=videos,
        store=store,
        name=called,
        start=start or DEFAULT_START,
        folder=run_folder,
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
        elif sees_pixels(store, wish.start):
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


def name_of(source: str) -> str:
    """What a run is called after a file, a folder or an address."""
    stem = Path(source.rstrip("/")).stem.lower()
    return re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")


def _layout(source: Path, wanted: str, videos: Path | None) -> str | None:
    """The data set that a source is read as, which is told; None: a source as it lies."""
    from pointaction.extraction.layouts import AUTO, FILES, LAYOUTS, recognise

    known = {FILES: None} | {name: name for name in LAYOUTS}
    name = recognise(source) if wanted == AUTO else chosen(wanted, known)
    if name:
        found = LAYOUTS[name]
        err.print(f"{found.title} (--layout {name}): {found.sampling}", soft_wrap=True)
        err.print(f"licence: {found.licence}; commercial use: {found.commercial}", soft_wrap=True)
    elif videos:
        raise InputError(f"--videos needs --layout: {' or '.join(LAYOUTS)}; {source} told none")
    return name


def find_variant(name: str | None, *, small: bool) -> "Variant | None":
    """The variant that was asked for, if any."""
    if name is None:
        if small:
            raise InputError("--small is for a --variant")
        return None
    from pointaction.training.variants import VARIANTS

    variant = chosen(name, VARIANTS)
    return variant.small() if small else variant


def _carry_out(
    learn: Any,
    recipe: Callable[[], Any],
    changes: dict[str, Any],
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
    tell(carry_out(learn, run, err), run)


def tell(outcome: "Outcome | None", run: "Run") -> None:
    """What came of a run; nothing of one that helped the first process."""
    if outcome is None:
        return
    if outcome.steps < run.recipe.steps:
        err.print(f"stopped at step {outcome.steps} of {run.recipe.steps}; call again to go on")
    out.print(f"weights: {outcome.weights}\nsha256:  {outcome.sha256}", soft_wrap=True)
