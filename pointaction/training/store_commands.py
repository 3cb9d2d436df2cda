"""`pointaction pretrain` and `finetune` where clips come out of a store of tracks."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pointaction.choices import chosen
from pointaction.errors import InputError
from pointaction.models.masked_pretraining import MaskedConfig
from pointaction.models.store import BUILDERS
from pointaction.models.traction import TrAction
from pointaction.terminal import err, out
from pointaction.trackstore.store import TrackStore
from pointaction.training.commands import tell
from pointaction.training.division import to_pretrain
from pointaction.training.finetune import Finetuned, Watcher
from pointaction.training.finetune_store import StoreWish, finetune_store
from pointaction.training.loop import Run
from pointaction.training.pace import Pace
from pointaction.training.pretrain_store import pretrain_stores
from pointaction.training.processes import is_first
from pointaction.training.recipes import Settings
from pointaction.training.run import carry_out, watching
from pointaction.training.variants import Variant

_BUSY = 0.95  # below, more processes that make batches would help


def pretrain_on(
    stores: Sequence[TrackStore],
    settings: Settings,
    kind: Variant | str,
    *,
    folder: Path,
    name: str,
    mask: float,
    seed: int,
    device: str,
    **how: Any,
) -> None:
    """Pretrain a variant, or what a builder of that name builds, and say what came of it."""
    parts = [to_pretrain(store) for store in stores]
    build: Callable[[int], TrAction]
    if isinstance(kind, Variant):
        build, config, called = kind.build, kind.masked(mask), kind.name
    else:
        build, config, called = chosen(kind, BUILDERS), MaskedConfig(mask=mask), kind
    run = Run(
        recipe=settings.recipe(called, clips=sum(map(len, parts))),
        folder=folder / f"pretrain-{name}-seed{seed}",
        seed=seed,
        device=torch.device(device),
        data=f"{' '.join(part.digest[:12] for part in parts)} mask {mask}",
        **how,
    )
    pace = Pace()
    learn = partial(pretrain_stores, parts=parts, build=build, config=config, waited=pace)
    tell(carry_out(learn, run, err), run)
    _tell_pace(pace)


def finetune_on(
    wish: StoreWish,
    *,
    probe: str | None,
    fuse: str | None,
    probe_weights: Path | None,
    middle: bool,
) -> None:
    """Teach a model, a probe or the layer above both, and say what came of it."""
    from pointaction.training.stored_looks import fuse_store, probe_store

    if fuse and probe_weights is None:
        raise InputError("--fuse on a store wants --probe-weights: a probe that was trained on it")

    def learn(watcher: Watcher) -> Finetuned:
        if probe:
            return probe_store(wish, probe, watcher, middle=middle)
        if fuse and probe_weights:
            return fuse_store(wish, fuse, probe_weights, watcher, middle=middle)
        return finetune_store(wish, watcher)

    if not is_first():
        learn(_SILENT)
        return
    with watching(err) as watcher:
        done = learn(watcher)
    _tell_pace(wish.pace)
    if done.weights is None:
        err.print(f"stopped at step {done.steps} of {done.planned}; call again to go on")
        return
    if done.last:
        out.print(f"validation: {done.last}", highlight=False)
    out.print(f"weights: {done.weights}", soft_wrap=True, highlight=False)
    if done.entry:
        out.print(
            f"{done.entry.name} {done.entry.version}: {len(done.entry.labels)} labels, "
            f"in {wish.models}; a service on that store offers it from now on",
            soft_wrap=True,
        )


def _tell_pace(pace: Pace) -> None:
    if pace.busy is not None and is_first():
        more = "" if pace.busy >= _BUSY else "; give --workers more, 2, 4 or 8"
        err.print(f"busy {pace.busy:.1%} of the time, else waiting for clips{more}")


_SILENT = Watcher(
    following=lambda done, total: None,
    failed=lambda path, error: None,
    training=lambda run: lambda step, measures: None,
)
