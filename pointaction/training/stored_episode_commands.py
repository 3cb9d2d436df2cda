"""`pointaction train-episodes NETWORK --clips STORE`."""

import math
from functools import partial
from pathlib import Path

import torch

from pointaction.appearance.frozen import FrozenBackbone
from pointaction.appearance.stored import open_stored
from pointaction.choices import chosen
from pointaction.errors import InputError
from pointaction.models.files import save_network
from pointaction.progress import counting
from pointaction.terminal import err, out
from pointaction.trackstore.store import TrackStore
from pointaction.training.commands import name_of
from pointaction.training.division import split_of
from pointaction.training.episodes import EpisodeRecipe
from pointaction.training.loop import Run
from pointaction.training.pace import Pace
from pointaction.training.processes import is_first
from pointaction.training.stored_episodes import (
    LEAVE_OUT,
    Build,
    Clips,
    Frame,
    learn_episodes,
    seen_frame,
)


def train_on(
    url: str,
    network: str,
    *,
    folder: Path,
    name: str | None,
    episodes: int,
    ways: int,
    shots: int,
    queries: int,
    accumulate: int,
    learning_rate: float,
    weight_decay: float,
    tracks: int,
    cardinalities: str | None,
    without: tuple[str, ...],
    small: bool,
    models: Path,
    seed: int,
    minutes: float | None,
    workers: int,
    device: str,
) -> None:
    """Train on the store's split train, and say where the weights are."""
    store = TrackStore(url)
    part = split_of(store, "train")
    labels = sorted({str(entry.label) for entry in part})
    build = Build(
        network=network,
        small=small,
        cardinalities=as_cardinalities(cardinalities),
        without=tuple(chosen(each, {word: word for word in LEAVE_OUT}) for each in without),
    )
    recipe = EpisodeRecipe(
        builder=f"{build}",
        steps=math.ceil(episodes / accumulate),
        batch=ways * (shots + queries),
        performances=shots + queries,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        accumulate=accumulate,
        ways=ways,
        shots=shots,
        episodes=1,
        tracks=(tracks,),
    )
    run = Run(
        recipe=recipe,
        folder=folder / f"{network}-{name or name_of(url)}-seed{seed}",
        seed=seed,
        device=torch.device(device),
        workers=workers,
        minutes=minutes,
        data=part.digest[:12],
    )
    clips = Clips(part=part, labels=labels, tracks=tracks, frame=frame_of(store, models))
    pace = Pace()
    learn = partial(learn_episodes, clips=clips, build=build, waited=pace)
    with counting(network) as progress:
        learnt, steps = learn(run, lambda step, told: progress(step, recipe.steps))
    if not is_first():
        return
    path = run.folder / "weights.safetensors"
    digest = save_network(learnt, path)
    (run.folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    if pace.busy is not None:
        err.print(f"busy {pace.busy:.1%} of the time, else waiting for clips")
    if steps < recipe.steps:
        err.print(f"stopped at step {steps} of {recipe.steps}; call again to go on")
    out.print(f"weights: {path}\nsha256:  {digest}", soft_wrap=True)


def frame_of(store: TrackStore, models: Path) -> Frame | None:
    """What the backbone of the store's features saw of a frame; None where there are none.

    Raises as `open_stored`, and InputError for a backbone that few-shot networks cannot take.
    """
    told = store.making.backbone
    if told is None:
        return None
    backbone = open_stored(models, str(told["name"]))
    if not isinstance(backbone, FrozenBackbone) or not backbone.timeless:
        raise InputError(
            f"few-shot networks want a backbone that sees frame by frame, not {told['name']}",
            value=told["name"],
        )
    return seen_frame(backbone.native)


def as_cardinalities(told: str | None) -> tuple[int, ...] | None:
    """2,3 as numbers; InputError for what is no such list."""
    if told is None:
        return None
    try:
        return tuple(int(word) for word in told.split(","))
    except ValueError:
        raise InputError(f"{told!r} is no list of numbers such as 2,3", value=told) from None
