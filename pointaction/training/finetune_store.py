"""`pointaction finetune STORE`: the labelled tracks of a store become a model.

Settings are TrAction's (table 6): so many tracks of each clip by chance in training, all of them in
validation. Under torchrun the processes share the clips, and the first one does all else.
"""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from pointaction.evaluation.metrics import Accuracy
from pointaction.evaluation.stored import ask_all, naming, top
from pointaction.models.store import BUILDERS
from pointaction.models.traction import TrAction
from pointaction.trackstore.batches import StoreBatches
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.whole import WholeClips
from pointaction.training.card import model_card
from pointaction.training.checkpoints import export_weights, load_encoder
from pointaction.training.division import Division, divide_store
from pointaction.training.finetune import (
    Finetuned,
    Start,
    Watcher,
    find_start,
    motion_entry,
    motion_inputs,
    read_validation,
)
from pointaction.training.loop import Report, Run, optimise
from pointaction.training.middle import settle
from pointaction.training.objectives import recognise
from pointaction.training.pace import Pace
from pointaction.training.processes import is_first
from pointaction.training.recipes import Settings
from pointaction.training.register import prepare_store, register
from pointaction.training.variants import Variant

_LEAST = 100  # steps, for few clips, as in appendix D


@dataclass(frozen=True, kw_only=True)
class StoreWish:
    """What a user asks for."""

    clips: TrackStore
    models: Path  # the model store
    name: str  # of the new model
    start: str | None  # a model of the store, or a file of weights; None: with a variant, nothing
    variant: Variant | None = None  # to measure; what comes of it is not registered
    unlisted: bool = False  # neither is what comes of this
    looks: TrackStore | None = None  # with --fuse: where the features of the same clips are
    folder: Path  # of the run
    share: float = 0.2  # of each label's clips that are kept, where the store does not say which
    settings: Settings = Settings()
    replace: bool = False  # a model of the same name
    seed: int = 1
    device: torch.device = torch.device("cpu")
    minutes: float | None = None
    workers: int = 1
    pace: Pace = field(default_factory=Pace)

    def version(self) -> str | None:
        """That of the model to be registered, by one process; as `prepare_store`. None: of none."""
        if self.variant is not None or self.unlisted or not is_first():
            return None
        return prepare_store(self.models, self.name, replace=self.replace)


def finetune_store(wish: StoreWish, watcher: Watcher) -> Finetuned:
    """Train, validate, and register what is no variant. Call again to go on."""
    version = wish.version()
    division = divide_store(wish.clips, share=wish.share)
    start = find_start(wish.models, wish.start or "") if wish.variant is None else None
    run = _run(wish, division, start)
    model = _begun(wish, division, start)
    batches = StoreBatches.of_run(division.taught, division.labels, run)
    steps = optimise(
        run,
        model,
        recognise(model, label_smoothing=run.recipe.label_smoothing, contrast=0),
        batches,
        _validated(watcher.training(run), run, model, division, wish.settings),
        waited=wish.pace,
    )
    done = Finetuned(steps=steps, planned=run.recipe.steps)
    if steps < run.recipe.steps or not is_first():
        return done
    if not run.recipe.freeze:
        settle(model.encoder, batches)
    return _finished(wish, done, run, model.cpu().eval(), division, start, version)


def _run(wish: StoreWish, division: Division, start: Start | None) -> Run:
    named = start.builder if start else wish.variant.name if wish.variant else ""
    weights = start.weights if start else Path(wish.start) if wish.start else None
    return Run(
        recipe=wish.settings.recipe(named, clips=len(division.taught), least=_LEAST),
        folder=wish.folder,
        seed=wish.seed,
        device=wish.device,
        start=weights,
        workers=wish.workers,
        minutes=wish.minutes,
        data=division.digest,
    )


def _begun(wish: StoreWish, division: Division, start: Start | None) -> TrAction:
    """The model before the first step."""
    torch.manual_seed(wish.seed)  # the head, and all of it without a start
    build = wish.variant.build if wish.variant else BUILDERS[start.builder if start else ""]
    model = build(len(division.labels))
    weights = start.weights if start else wish.start
    if weights:
        load_encoder(model.encoder, Path(weights))
    return model


def _validated(
    report: Report, run: Run, model: TrAction, division: Division, settings: Settings
) -> Report:
    """A report that also asks the model, once an epoch, about the clips that were kept."""
    path = run.folder / "validation.csv"
    every = math.ceil(run.recipe.steps / max(1, settings.epochs))

    def reported(step: int, measures: dict[str, float]) -> None:
        if len(division.kept) and (step % every == 0 or step == run.recipe.steps):
            accuracy = _ask(model, division, workers=run.workers)
            with path.open("a") as file:
                file.write(f"{step},{accuracy.right},{accuracy.total}\n")
        report(step, measures)

    return reported


def _ask(model: TrAction, division: Division, *, workers: int) -> Accuracy:
    clips = WholeClips(division.kept, division.labels, frames=model.encoder.config.frames)
    return top(*ask_all(naming(model), model, clips, workers=workers))


def _finished(
    wish: StoreWish,
    done: Finetuned,
    run: Run,
    model: TrAction,
    division: Division,
    start: Start | None,
    version: str | None,
) -> Finetuned:
    last, best = read_validation(run.folder)
    weights = run.folder / "weights.safetensors"
    sha256 = export_weights(model, weights)
    (run.folder / "labels.txt").write_text("\n".join(division.labels) + "\n", encoding="utf-8")
    entry = None
    if start is not None and version is not None:
        entry = motion_entry(
            wish.name,
            version,
            start,
            model,
            labels=division.labels,
            clips=len(division.clips),
            inputs=stored_inputs(wish.clips, model),
            sha256=sha256,
        )
        register(wish.models, entry, weights, model_card(entry, run, division.clips, last))
    return replace(done, entry=entry, last=last, best=best, weights=weights)


def stored_inputs(clips: TrackStore, model: TrAction) -> dict[str, Any]:
    """The input contract of a model that was trained on the tracks of a store."""
    depth = (clips.making.depth or {}).get("name", "looming")
    return motion_inputs(clips.making.tracks, model.encoder.config.frames, str(depth))
