"""`pointaction finetune --from trajectorynet-small`: a user's clips teach a network of pixels.

Clips are read once, made small with their motion, and learnt from as reels are: cut out, lit, and
turned round where their labels say what becomes of them then.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pointaction.count import Count
from pointaction.errors import InputError, PointActionError
from pointaction.evaluation.metrics import Accuracy, hits
from pointaction.models.catalog import CLASSIFICATION, Entry, find, own_store, verify
from pointaction.models.files import name_of, network_in, save_network
from pointaction.motion.network_input import FRAMES, SIDE, Squares, squares
from pointaction.training.clip_folder import (
    LabelledClip,
    expect_lessons,
)
from pointaction.training.finetune import Finetuned, Watcher, Wish, labelled_clips
from pointaction.training.loop import Run, optimise
from pointaction.training.reel_batches import ReelBatches
from pointaction.training.reels import Reels
from pointaction.training.register import prepare_store, register
from pointaction.training.video import VideoRecipe, answers, name_shots
from pointaction.video_networks import LOADERS, VideoNetwork

_BATCH = 16
_FEWEST_STEPS = 100  # for few clips, as with tracks

CARD = """# {name} {version}

{source}.

**Licence.** {licence}, taken over from the weights it began with. Whether the clips allow it is for
whoever has them to say.

| label | clips to learn from | kept for validation |
|---|---|---|
{rows}

{steps} steps of {batch} clips of {frames} frames of {side} x {side} pixels, learning rate {rate},
seed {seed}, {what} trained. {figure}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallClip:
    """A labelled clip as the network takes it."""

    clip: LabelledClip
    squares: Squares


def sees_pixels(store: Path, start: str) -> bool:
    """Whether `start`, a model of the store or a file of weights, is one to be taught here.

    A store that is not there yet begins as a copy of the shipped one.
    """
    path = Path(start)
    if path.suffix == ".safetensors":
        return path.is_file() and network_in(path) in LOADERS
    own_store(store)
    return find(store, start).builder in LOADERS


def finetune_video(wish: Wish, watcher: Watcher) -> Finetuned:
    """Read, train, validate and register. Call again to go on after an interruption."""
    version = prepare_store(wish.store, wish.name, replace=wish.replace)
    start, licence, commercial_use = _start(wish)
    clips = _clips(wish)
    labels = tuple(sorted({clip.label for clip in clips}))
    expect_lessons(wish.source, set(labels), clips)
    small = read_small(clips, progress=watcher.following, failed=watcher.failed)
    taught, kept = (
        [each for each in small if bool(each.clip.validation) is flag] for flag in (False, True)
    )
    expect_lessons(wish.source, set(labels), [each.clip for each in taught])

    reels = as_reels(taught, labels)
    torch.manual_seed(wish.seed)  # the head
    network = with_head(LOADERS[network_in(start)](start), classes=len(labels))
    if wish.head_only:
        network.requires_grad_(False)
        network.head.requires_grad_(True)
    recipe = _recipe(wish, network, len(taught))
    run = Run(
        recipe=recipe,
        folder=wish.folder,
        seed=wish.seed,
        device=wish.device,
        start=start,
        workers=0,
        minutes=wish.minutes,
        data=reels.name,
    )
    steps = optimise(
        run,
        network,
        name_shots(network, label_smoothing=recipe.label_smoothing),
        ReelBatches(reels, recipe.cutting, batch=recipe.batch, seed=run.seed),
        watcher.training(run),
    )
    done = Finetuned(steps=steps, planned=recipe.steps)
    if steps < recipe.steps:
        return done
    network.cpu().eval()
    last = None
    if kept:
        shown = as_reels(kept, labels)
        last = Accuracy.of(hits(answers(network, shown), shown.label))
    place, weights = f"{wish.name}/{version}", run.folder / "weights.safetensors"
    entry = Entry(
        name=wish.name,
        version=version,
        task=CLASSIFICATION,
        builder=recipe.builder,
        file=f"{place}/weights.safetensors",
        sha256=save_network(network, weights),
        licence=licence,
        commercial_use=commercial_use,
        source=f"{Path(wish.start).name}, fine-tuned on {len(small)} clips of {len(labels)} "
        "labels: pointaction finetune",
        parameters=sum(value.numel() for value in network.parameters()),
        labels=labels,
        inputs={"pixels": SIDE, "frames": FRAMES},
        card=f"{place}/README.md",
    )
    register(wish.store, entry, weights, _card(entry, run, wish, small, last))
    return replace(done, entry=entry, last=last)


def read_small(
    clips: Sequence[LabelledClip],
    *,
    progress: Count,
    failed: Callable[[Path, Exception], None],
) -> list[SmallClip]:
    """The clips, small; one that cannot be read is told to `failed` and left out."""
    from pointaction.motion.dis import DenseInverseSearch
    from pointaction.video.decode import decode

    small = []
    for done, clip in enumerate(clips, 1):
        try:
            if clip.path.suffix.lower() == ".npz":
                raise InputError(f"{clip.path} has tracks and no pixels; give the clip itself")
            seen = decode(
                clip.path,
                frames=FRAMES,
                short_side=2 * SIDE,
                start=clip.cut.start,
                end=clip.cut.end,
            )
            small.append(SmallClip(clip=clip, squares=squares(seen, DenseInverseSearch())))
        except (PointActionError, OSError) as error:
            failed(clip.path, error)
        progress(done, len(clips))
    return small


def as_reels(small: Sequence[SmallClip], labels: Sequence[str]) -> Reels:
    """The clips as reels that have the labels given."""
    frames = torch.stack([torch.from_numpy(each.squares.frames) for each in small])
    motion = torch.stack([torch.from_numpy(each.squares.motion).half() for each in small])
    label = torch.tensor([labels.index(each.clip.label) for each in small])
    told = hashlib.sha256(frames.numpy().tobytes() + label.numpy().tobytes())
    return Reels(
        frames=frames,
        motion=motion,
        label=label,
        labels=tuple(labels),
        name=f"clips {told.hexdigest()[:12]}",
    )


def with_head(network: VideoNetwork, *, classes: int) -> VideoNetwork:
    """The same network with a new last layer, for so many labels."""
    network.config = replace(network.config, classes=classes)
    network.head = torch.nn.Linear(network.head.in_features, classes)
    return network


def _start(wish: Wish) -> tuple[Path, str, bool]:
    """Weights to begin with, their licence, and whether it allows commercial use."""
    path = Path(wish.start)
    if path.suffix == ".safetensors":
        return path, "LicenseRef-unknown", False
    entry = find(wish.store, wish.start)
    return verify(wish.store, entry), entry.licence, entry.commercial_use


def _clips(wish: Wish) -> list[LabelledClip]:
    if wish.layout is not None:
        raise InputError(
            f"networks of pixels learn from a folder or a CSV, not from {wish.layout}; give "
            "--layout files to take it as it lies"
        )
    return labelled_clips(wish)[0]


def _recipe(wish: Wish, network: VideoNetwork, clips: int) -> VideoRecipe:
    batch = min(_BATCH, clips)
    return VideoRecipe(
        builder=name_of(type(network)),
        config=network.config,
        steps=wish.steps or max(_FEWEST_STEPS, math.ceil(wish.epochs * clips / batch)),
        batch=batch,
        learning_rate=wish.learning_rate or 5e-4,
        weight_decay=0.05,
    )


def _card(
    entry: Entry, run: Run, wish: Wish, small: Sequence[SmallClip], last: Accuracy | None
) -> str:
    counts = Counter((each.clip.label, bool(each.clip.validation)) for each in small)
    rows = [f"| {name} | {counts[name, False]} | {counts[name, True]} |" for name in entry.labels]
    figure = (
        f"Top-1 on the clips kept for validation, with the 95 % interval: {last}."
        if last
        else "Not measured: no clips were kept for validation."
    )
    return CARD.format(
        name=entry.name,
        version=entry.version,
        source=entry.source,
        licence=entry.licence,
        rows="\n".join(rows),
        steps=run.recipe.steps,
        batch=run.recipe.batch,
        frames=FRAMES,
        side=SIDE,
        rate=run.recipe.learning_rate,
        seed=run.seed,
        what="only the head" if wish.head_only else "all weights",
        figure=figure,
    )
