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


def tiny() -> Recipe:
    """The shipped weights: an hour or so on two CPU cores."""
    return Recipe(builder="traction_tiny", steps=2600, batch=64, learning_rate=1e-3)


def full() -> Recipe:
    """The paper's size; for a GPU."""
    return replace(tiny(), builder="traction", steps=30_000, batch=256, learning_rate=4e-4)


def quick() -> Recipe:
    """For trying out a change: a minute on a laptop, and not a good model."""
    return replace(tiny(), steps=60, batch=32)


RECIPES = {"tiny": tiny, "full": full, "quick": quick}
