"""One function per training run. To change a recipe, change Python."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW with cosine decay (TrAction, table 6); the rate is higher and the decay stronger
    than the paper's, because a tiny model sees each procedural clip once."""

    builder: str
    steps: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    clip_norm: float = 1.0
    frames: int = 32
    tracks: tuple[int, ...] = (48, 96, 192)  # per clip; batches take turns


def tiny() -> Recipe:
    """The shipped weights: an hour or so on two CPU cores."""
    return Recipe(builder="traction_tiny", steps=2600, batch=64, learning_rate=1e-3)


def full() -> Recipe:
    """The paper's size; for a GPU."""
    return replace(tiny(), builder="traction", steps=30_000, batch=256, learning_rate=4e-4)


def quick() -> Recipe:
    """For trying out a change: a minute on a laptop, and not a good model."""
    return replace(tiny(), steps=60, batch=32)


def pretrain_tiny() -> Recipe:
    """Masked pretraining of the tiny encoder, which sees 26 of 256 tracks."""
    return replace(tiny(), steps=3000, tracks=(256,))


def pretrain_full() -> Recipe:
    """The paper's size and number of tracks; for a GPU."""
    return replace(full(), steps=60_000, batch=512, tracks=(512,))


def pretrain_quick() -> Recipe:
    """For trying out a change."""
    return replace(pretrain_tiny(), steps=60, batch=32)


TRAINING = {"tiny": tiny, "full": full, "quick": quick}
PRETRAINING = {"tiny": pretrain_tiny, "full": pretrain_full, "quick": pretrain_quick}
