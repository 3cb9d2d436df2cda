"""`pointaction finetune`: a user's own labelled clips become a model of the store.

Settings are TrAction's for fine-tuning (table 6): random subsets of the tracks in training, all of
them in validation, where the model is asked as it will be when it is served.
"""

import copy
import csv
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from pointaction.count import Count, uncounted
from pointaction.errors import InputError
from pointaction.evaluation.metrics import Accuracy
from pointaction.models.catalog import Entry, find, verify
from pointaction.models.store import BUILDERS
from pointaction.models.traction import TrAction
from pointaction.pipeline import Recogniser
from pointaction.training.card import model_card
from pointaction.training.checkpoints import export_weights, load_encoder
from pointaction.training.clip_folder import (
    FollowedClip,
    LabelledClip,
    divide,
    expect_lessons,
    follow_clips,
    read_clips,
)
from pointaction.training.loop import Report, Run, optimise
from pointaction.training.middle import settle
from pointaction.training.objectives import recognise
from pointaction.training.official_clips import read_official
from pointaction.training.recipes import Recipe, finetuning, official
from pointaction.training.register import prepare_store, register
from pointaction.training.track_batches import TrackBatches


@dataclass(frozen=True, kw_only=True)
class Start:
    """Weights to begin with."""

    name: str  # of a model in the store, or of a file
    weights: Path
    builder: str
    licence: str
    commercial_use: bool

    @classmethod
    def unknown(cls, path: Path, builder: str) -> "Start":
        """A file of weights that no catalogue tells of."""
        return cls(
            name=path.name,
            weights=path,
            builder=builder,
            licence="LicenseRef-unknown",
            commercial_use=False,
        )


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a user asks for."""

    source: Path  # folder/<label>/ or a CSV; with `layout`, the folder of a data set
    layout: str | None = None  # of extraction.layouts
    videos: Path | None = None  # of that data set, where they are not where its owner puts them
    store: Path
    name: str  # of the new model
    start: str  # a model of the store, or a file of weights
    folder: Path  # of the run: tracks, checkpoint, losses
    validation: Path | None = None  # a CSV or folder of clips that are not trained on
    share: float = 0.2  # of each label's clips kept for validation, where `validation` is not given
    epochs: int = 15
    steps: int | None = None  # instead of epochs
    learning_rate: float | None = None
    head_only: bool = False
    replace: bool = False  # a model of the same name
    tracks: int = 512
    seed: int = 1
    device: torch.device = torch.device("cpu")
    minutes: float | None = None
    features: Path | None = None  # where a backbone's are kept; None: in the run's folder


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """Whom to tell how it goes on."""

    following: Count  # of clips
    failed: Callable[[Path, Exception], None]
    training: Callable[[Run], Report]
    looking: Count = uncounted  # at clips, through a backbone


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    steps: int
    planned: int
    entry: Entry | None = None  # None where the time was over before the steps were done
    last: Accuracy | None = None  # of the weights that were registered; None without validation
    best: tuple[int, Accuracy] | None = None  # and the step they were at
    absent: int = 0  # clips of the data set's lists that are not on this disk
    weights: Path | None = None  # where they lie, of what is not registered too


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """What there is to learn from, and what is kept to be asked about."""

    labels: list[str]
    taught: list[FollowedClip]
    kept: list[FollowedClip]
    absent: int  # see `Finetuned`

    @property
    def clips(self) -> list[FollowedClip]:
        return [*self.taught, *self.kept]


@dataclass(frozen=True, kw_only=True)
class Motion:
    """A network that was trained on tracks."""

    model: TrAction
    run: Run
    entry: Entry  # but for the digest
    steps: int  # fewer than the run's where the time was over

    @property
    def done(self) -> bool:
        return self.steps == self.run.recipe.steps


def finetune(wish: Wish, watcher: Watcher) -> Finetuned:
    """Track, train, validate and register. Call again to go on after an interruption."""
    version = prepare_store(wish.store, wish.name, replace=wish.replace)
    start = find_start(wish.store, wish.start)
    lessons = follow_lessons(wish, watcher)
    motion = train_motion(wish, start, version, lessons, watcher)
    done = unfinished(motion, lessons)
    if not motion.done:
        return done
    run = motion.run
    last, best = read_validation(run.folder)
    weights = run.folder / "weights.safetensors"
    entry = replace(motion.entry, sha256=export_weights(motion.model, weights))
    card = model_card(entry, run, [each.clip for each in lessons.clips], last)
    register(wish.store, entry, weights, card)
    return replace(done, entry=entry, last=last, best=best)


def unfinished(motion: Motion, lessons: Lessons) -> Finetuned:
    """What there is to tell before anything is registered."""
    return Finetuned(steps=motion.steps, planned=motion.run.recipe.steps, absent=lessons.absent)


def follow_lessons(wish: Wish, watcher: Watcher) -> Lessons:
    """The clips with their tracks."""
    clips, absent = labelled_clips(wish)
    labels = sorted({clip.label for clip in clips})
    expect_lessons(wish.source, set(labels), clips)
    followed = follow_clips(
        clips,
        tracks=wish.tracks,
        cache=wish.folder / "tracks",
        progress=watcher.following,
        failed=watcher.failed,
    )
    taught = [each for each in followed if not each.clip.validation]
    kept = [each for each in followed if each.clip.validation]
    expect_lessons(wish.source, set(labels), [each.clip for each in taught])
    return Lessons(labels=labels, taught=taught, kept=kept, absent=absent)


def train_motion(
    wish: Wish, start: Start, version: str, lessons: Lessons, watcher: Watcher
) -> Motion:
    """Train from the start's weights as long as may be; on the CPU again afterwards."""
    labels, taught = lessons.labels, lessons.taught
    run = Run(
        recipe=_recipe(wish, start.builder, len(taught)),
        folder=wish.folder,
        seed=wish.seed,
        device=wish.device,
        start=start.weights,
        workers=0 if len(taught) < 64 else 1,
        minutes=wish.minutes,
        data=_digest(lessons.clips),
    )
    torch.manual_seed(run.seed)  # the head
    model = BUILDERS[start.builder](len(labels))
    load_encoder(model.encoder, start.weights)
    entry = motion_entry(
        wish.name,
        version,
        start,
        model,
        labels=labels,
        clips=len(lessons.clips),
        inputs=motion_inputs(wish.tracks, model.encoder.config.frames),
    )
    every = math.ceil(run.recipe.steps / wish.epochs)
    batches = _batches(run, taught, labels)
    steps = optimise(
        run,
        model,
        recognise(model, label_smoothing=run.recipe.label_smoothing, contrast=0),
        batches,
        validated(watcher.training(run), run, entry, model, lessons.kept, every=every),
    )
    if steps == run.recipe.steps and not wish.head_only:
        settle(model.encoder, batches)
    return Motion(model=model.cpu().eval(), run=run, entry=entry, steps=steps)


def find_start(store: Path, start: str) -> Start:
    """A model of the store, or a file of weights, of a pretraining or of a whole model."""
    path = Path(start)
    if path.suffix != ".safetensors":
        entry = find(store, start)
        if entry.builder not in BUILDERS:
            raise InputError(
                f"{start} is not a model of tracks; --from takes one, or a file of weights",
                value=start,
            )
        return Start(
            name=entry.name,
            weights=verify(store, entry),
            builder=entry.builder,
            licence=entry.licence,
            commercial_use=entry.commercial_use,
        )
    if not path.is_file():
        raise InputError(f"{path} is not there; --from is a model of the store or a weights file")
    return Start.unknown(path, _builder(path))


def validated(
    report: Report,
    run: Run,
    entry: Entry,
    model: TrAction,
    kept: Sequence[FollowedClip],
    *,
    every: int,
) -> Report:
    """A report that also asks the model, every so many steps, about the clips that were kept."""
    path = run.folder / "validation.csv"

    def reported(step: int, measures: dict[str, float]) -> None:
        if kept and (step % every == 0 or step == run.recipe.steps):
            accuracy = ask(Recogniser(entry, copy.deepcopy(model).cpu().eval()), kept)
            with path.open("a") as file:
                file.write(f"{step},{accuracy.right},{accuracy.total}\n")
        report(step, measures)

    return reported


def ask(recogniser: Recogniser, clips: Sequence[FollowedClip]) -> Accuracy:
    """How many of the clips the model names rightly, from all their tracks."""
    answers = [next(iter(recogniser.recognise(each.tracks).scores)) for each in clips]
    right = sum(answer == each.clip.label for answer, each in zip(answers, clips, strict=True))
    return Accuracy(right=right, total=len(clips))


def labelled_clips(wish: Wish) -> tuple[list[LabelledClip], int]:
    """What to learn from and what to keep, and how many clips of a data set are not there."""
    if wish.layout is not None:
        if wish.validation is not None:
            raise InputError(
                f"{wish.layout} says itself which clips are kept for validation; leave --val out, "
                "or take the folder as it lies with --layout files"
            )
        found = read_official(wish.layout, wish.source, wish.videos)
        return divide(found.clips, share=wish.share), found.absent
    if wish.validation is None:
        return divide(read_clips(wish.source), share=wish.share), 0
    taught = [replace(clip, validation=False) for clip in read_clips(wish.source)]
    kept = [replace(clip, validation=True) for clip in read_clips(wish.validation)]
    return divide([*taught, *kept], share=0), 0


def _recipe(wish: Wish, builder: str, clips: int) -> Recipe:
    settings = finetuning if wish.layout is None else official
    recipe = settings(builder, clips=clips, epochs=wish.epochs)
    sizes = tuple(min(size, wish.tracks) for size in recipe.tracks)
    recipe = replace(recipe, tracks=sizes, freeze=wish.head_only)
    if wish.steps is not None:
        recipe = replace(recipe, steps=wish.steps)
    if wish.learning_rate is not None:
        recipe = replace(recipe, learning_rate=wish.learning_rate)
    return recipe


def _batches(run: Run, taught: Sequence[FollowedClip], labels: list[str]) -> TrackBatches:
    return TrackBatches(
        [each.tracks for each in taught],
        [labels.index(each.clip.label) for each in taught],
        batch=run.recipe.batch,
        frames=run.recipe.frames,
        sizes=run.recipe.tracks,
        seed=run.seed,
    )


def _builder(path: Path) -> str:
    """Whose encoder is in the file."""
    with safe_open(path, framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    for name, build in BUILDERS.items():
        encoder = build(1).encoder.state_dict()
        if all(shapes.get(f"encoder.{part}") == value.shape for part, value in encoder.items()):
            return name
    raise InputError(f"{path} holds no encoder of {', '.join(BUILDERS)}")


def _digest(followed: Sequence[FollowedClip]) -> str:
    """A word that changes with the clips, their labels and what is kept for validation."""
    told = hashlib.sha256()
    for each in followed:
        told.update(f"{each.clip.label}/{each.clip.validation}/".encode())
        told.update(each.tracks.to_bytes())
    return told.hexdigest()[:12]


def read_validation(folder: Path) -> tuple[Accuracy | None, tuple[int, Accuracy] | None]:
    """The last and the best accuracy; a step that was done again after a resume counts once."""
    path = folder / "validation.csv"
    if not path.exists():
        return None, None
    with path.open() as file:
        found = {
            int(step): Accuracy(right=int(right), total=int(total))
            for step, right, total in csv.reader(file)
        }
    best = max(found, key=lambda step: (found[step].right, -step))
    return found[max(found)], (best, found[best])


def motion_entry(
    name: str,
    version: str,
    start: Start,
    model: TrAction,
    *,
    labels: Sequence[str],
    clips: int,
    inputs: dict[str, Any],
    sha256: str = "",
) -> Entry:
    """What the catalogue will say; without a digest while the weights are not there yet."""
    place = f"{name}/{version}"
    return Entry(
        name=name,
        version=version,
        task="classification",
        builder=start.builder,
        file=f"{place}/weights.safetensors",
        sha256=sha256,
        licence=start.licence,
        commercial_use=start.commercial_use,
        source=f"{start.name}, fine-tuned on {clips} clips of {len(labels)} labels: "
        "pointaction finetune",
        parameters=sum(value.numel() for value in model.parameters()),
        labels=tuple(labels),
        inputs=inputs,
        card=f"{place}/README.md",
    )


def motion_inputs(tracks: int, frames: int, depth: str = "looming") -> dict[str, Any]:
    """The input contract of a network of tracks on a clock of so many frames."""
    return {
        "tracks": tracks,
        "frames": frames,
        "channels": ["x", "y", "depth", "visible"],
        "depth": depth,
    }
