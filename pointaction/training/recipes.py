"""One function per training run. To change a recipe, change Python."""

import math
from dataclasses import dataclass, replace
from typing import Literal

Precision = Literal["fp32", "bf16"]
PRECISIONS: dict[str, Precision] = {"fp32": "fp32", "bf16": "bf16"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW with cosine decay (TrAction, table 6); the rate is higher and the decay stronger
    than the paper's, because a tiny model sees each procedural clip once."""

    builder: str
    steps: int
    learning_rate: float
    batch: int  # clips with a name
    programs: int = 0  # motions without a name beside them, none seen in two batches
    performances: int = 3  # clips of each
    contrast: float = 1.0  # weight of telling motions apart against naming them
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    warmup: float = 0.1  # share of the steps over which the rate rises
    clip_norm: float = 1.0
    accumulate: int = 1  # batches per step; several processes share them
    precision: Precision = "fp32"  # of the matrix products; weights are fp32
    compile: bool = False  # the encoder, with torch.compile
    freeze: bool = False  # the encoder stays as it began
    frames: int = 32
    tracks: tuple[int, ...] = (48, 96, 192)  # per clip; batches take turns

    @property
    def batches(self) -> int:
        """All that a run sees; those from this number on are unseen."""
        return self.steps * self.accumulate


def tiny() -> Recipe:
    """Named motions beside motions without a name: the last step to the shipped weights."""
    return Recipe(
        builder="traction_tiny",
        steps=5500,
        learning_rate=1e-3,
        batch=32,
        programs=3,
        accumulate=2,  # one for each of two processes, as torchrun starts them
        contrast=0.1,
        tracks=(32, 32, 48, 48, 64, 64, 96, 96),  # in pairs, so that neither process waits
    )


def full() -> Recipe:
    """The paper's size; for a GPU."""
    return replace(
        tiny(),
        builder="traction",
        steps=30_000,
        learning_rate=4e-4,
        batch=256,
        programs=64,
        accumulate=1,
        tracks=(128, 256, 512),
        precision="bf16",
    )


def grown() -> Recipe:
    """The paper's size from where `tiny` stands (`pointaction grow`), as far as a CPU goes."""
    return replace(tiny(), builder="traction", steps=3000, learning_rate=3e-4)


def quick() -> Recipe:
    """For trying out a change: a minute on a laptop, and not a good model."""
    return replace(tiny(), steps=60, batch=16, programs=6, accumulate=1)


def endless_tiny() -> Recipe:
    """Motions without a name alone, before `tiny`: an eye for motion, for few-shot learning."""
    return replace(tiny(), steps=2600, batch=0, programs=24, contrast=1.0, accumulate=1)


def endless_full() -> Recipe:
    """As `endless_tiny`, for the paper's size and a GPU."""
    return replace(full(), batch=0, programs=128, contrast=1.0)


def pretrain_tiny() -> Recipe:
    """Masked pretraining of the tiny encoder, which sees 16 of 160 tracks."""
    return replace(
        tiny(), steps=450, batch=48, programs=16, performances=1, tracks=(160,), accumulate=1
    )


def pretrain_full() -> Recipe:
    """The paper's size and number of tracks; for a GPU."""
    return replace(full(), steps=60_000, programs=256, performances=1, tracks=(512,))


def pretrain_quick() -> Recipe:
    """For trying out a change."""
    return replace(pretrain_tiny(), steps=60, batch=16, programs=8)


def finetuning(builder: str, *, clips: int, epochs: int = 15) -> Recipe:
    """TrAction, table 6, on a user's clips; for few clips at least 100 steps, as in appendix D."""
    batch = min(64, clips)
    return Recipe(
        builder=builder,
        steps=max(100, math.ceil(epochs * clips / batch)),
        batch=batch,
        learning_rate=2e-4,
        weight_decay=5e-3,
        label_smoothing=0.0,
        tracks=(64, 128, 256),
    )


def official(builder: str, *, clips: int, epochs: int = 15) -> Recipe:
    """TrAction, table 6, on a published data set: as many tracks as the paper takes."""
    return replace(finetuning(builder, clips=clips, epochs=epochs), tracks=(512,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be asked for where clips come out of a store; as it is, TrAction, table 6."""

    epochs: float = 15
    steps: int | None = None  # instead of epochs
    batch: int = 64
    accumulate: int = 1  # batches a step
    learning_rate: float = 2e-4
    weight_decay: float = 5e-3
    warmup: float = 0.1
    tracks: int = 512
    precision: Precision = "fp32"
    freeze: bool = False

    def recipe(self, builder: str, *, clips: int, least: int = 1) -> Recipe:
        """For a store of so many clips, in `least` steps or more."""
        batch = min(self.batch, clips)
        steps = max(least, math.ceil(self.epochs * clips / (batch * self.accumulate)))
        return Recipe(
            builder=builder,
            steps=self.steps or steps,
            batch=batch,
            accumulate=self.accumulate,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            label_smoothing=0.0,
            tracks=(self.tracks,),
            precision=self.precision,
            freeze=self.freeze,
        )


TRAINING = {
    "tiny": tiny,
    "full": full,
    "quick": quick,
    "grown": grown,
    "endless-tiny": endless_tiny,
    "endless-full": endless_full,
}
PRETRAINING = {"tiny": pretrain_tiny, "full": pretrain_full, "quick": pretrain_quick}
