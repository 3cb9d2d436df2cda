"""Training of our own appearance model: pictures of the same identity are to be alike.

Shapes:  B pictures   P patches   D width
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from pointaction.evaluation.metrics import Accuracy
from pointaction.models.dinov2 import DINOv2, begin, dinov2_tiny
from pointaction.training.appearance_batches import Album, LooksBatches, Pictures
from pointaction.training.loop import Report, Run, optimise
from pointaction.training.objectives import supervised_contrast
from pointaction.training.recipes import Recipe


@dataclass(frozen=True, kw_only=True)
class LooksRecipe(Recipe):
    """A step sees `batch` identities."""

    album: Album = Album()

    @property
    def shown(self) -> Album:
        return replace(self.album, identities=self.batch)


def looks() -> LooksRecipe:
    """From nothing, in some 40 minutes on two quiet cores: one draws, the other learns."""
    return LooksRecipe(
        builder="dinov2_tiny",
        steps=1000,
        batch=16,
        learning_rate=3e-4,
        weight_decay=0.05,
    )


def embed(network: DINOv2, pictures: Tensor) -> Tensor:
    """Pictures (B, 3, h, w) as the mean of their patches in the last layer, (B, D)."""
    (patches,) = network(pictures, (network.config.layers - 1,))
    return patches.mean(1)


def recognise_looks(network: DINOv2) -> Callable[[Pictures, int], dict[str, Tensor]]:
    """Tell identities apart by supervised contrast.

    Measures: "found", the share of pictures whose nearest other shows the same identity.
    """

    def objective(batch: Pictures, number: int) -> dict[str, Tensor]:
        loss, found = supervised_contrast(embed(network, batch.pictures), batch.identity)
        return {"loss": loss, "found": found}

    return objective


def train_looks(
    run: Run, report: Report, *, build: Callable[[], DINOv2] = dinov2_tiny
) -> tuple[DINOv2, int]:
    """Train a network that is new; it, and its steps so far. Call again to go on."""
    network = build()
    begin(network, Generator().manual_seed(run.seed))
    steps = optimise(
        run,
        network,
        recognise_looks(network),
        LooksBatches(_recipe(run).shown, seed=run.seed),
        report,
    )
    return network.cpu().eval(), steps


def find_again(network: DINOv2, run: Run, *, batches: int) -> Accuracy:
    """How often the nearest other picture is of the same identity, among unseen identities."""
    recipe = _recipe(run)
    unseen = LooksBatches(recipe.shown, seed=run.seed)
    right = 0.0
    with torch.inference_mode():
        for number in range(recipe.batches, recipe.batches + batches):
            batch = unseen[number]
            share = recognise_looks(network)(batch, number)["found"].item()
            right += share * len(batch.identity)
    pictures = batches * recipe.batch * recipe.album.views
    return Accuracy(right=round(right), total=pictures)


def _recipe(run: Run) -> LooksRecipe:
    assert isinstance(run.recipe, LooksRecipe)  # whoever made the run saw to it
    return run.recipe
