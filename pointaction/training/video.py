"""Training of networks that see pixels: TrajectoryNet, EMIM, and what they are compared with.

Shapes:  B clips   n clips   C labels
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pointaction.errors import InputError
from pointaction.evaluation.metrics import Accuracy, hits
from pointaction.layers.clips import Recognised
from pointaction.layers.trajectory_conv import TrajectoryConv
from pointaction.models.emim import EMIM, EMIMConfig
from pointaction.models.trajectorynet import TrajectoryNet, TrajectoryNetConfig
from pointaction.training.loop import Report, Run, optimise
from pointaction.training.recipes import Recipe
from pointaction.training.reel_batches import Cutting, ReelBatches, Shots, symmetry_of, whole
from pointaction.training.reels import Reels
from pointaction.video_networks import VideoNetwork, watch

_TOLD = 5.0
"""Deviation of the first weights of TrajectoryNet's motion features. Small clips move by fractions
of a cell: from zero, weights would take all of a short training to grow; from 1, it took nearly
twice the steps."""


@dataclass(frozen=True, kw_only=True)
class VideoRecipe(Recipe):
    """A step sees `batch` clips."""

    config: TrajectoryNetConfig | EMIMConfig
    cutting: Cutting = Cutting()

    def build(self, classes: int) -> VideoNetwork:
        """A network that is new."""
        config = replace(self.config, classes=classes)
        if isinstance(config, EMIMConfig):
            return EMIM(config)
        network = TrajectoryNet(config)
        for part in network.modules():
            if isinstance(part, TrajectoryConv) and part.motion is not None:
                nn.init.normal_(part.motion, std=_TOLD)
        return network


FOLLOWING = TrajectoryNetConfig(width=16, blocks=(1, 1, 1), follow=(1, 2, 3))
READING = EMIMConfig(width=48, layers=3, heads=4, local=2, radius=2)


def trajectorynet() -> VideoRecipe:
    """0.1 M parameters, for clips of 64 pixels a side; a quarter of an hour on one core."""
    return VideoRecipe(
        builder="trajectorynet",
        config=FOLLOWING,
        steps=2000,
        batch=16,
        learning_rate=5e-3,
        weight_decay=0.05,
    )


def trajectory_convolution() -> VideoRecipe:
    """Follows motion and is not told of it."""
    config = replace(FOLLOWING, motion_features=False)
    return replace(trajectorynet(), builder="trajectory-convolution", config=config)


def separable() -> VideoRecipe:
    """Does not follow motion: the baseline of TrajectoryNet."""
    config = replace(FOLLOWING, follow=(), motion_features=False)
    return replace(trajectorynet(), builder="separable", config=config)


def emim() -> VideoRecipe:
    """0.1 M parameters, for clips of 64 pixels a side; half an hour on one core."""
    return replace(trajectorynet(), builder="emim", config=READING, learning_rate=3e-3)


def window_attention() -> VideoRecipe:
    """Reads neighbours in the next frame, and is not told where they are."""
    config = replace(READING, attention="window")
    return replace(emim(), builder="window-attention", config=config)


def plain_attention() -> VideoRecipe:
    """Every token reads the whole clip: the baseline of EMIM."""
    config = replace(READING, attention="plain")
    return replace(emim(), builder="plain-attention", config=config)


VIDEO_RECIPES: dict[str, Callable[[], VideoRecipe]] = {
    "separable": separable,
    "trajectory-convolution": trajectory_convolution,
    "trajectorynet": trajectorynet,
    "plain-attention": plain_attention,
    "window-attention": window_attention,
    "emim": emim,
}


def ask(network: VideoNetwork, shots: Shots) -> Recognised:
    """What a network makes of clips."""
    return watch(network, shots.clip, shots.motion)


def name_shots(
    network: VideoNetwork, *, label_smoothing: float
) -> Callable[[Shots, int], dict[str, Tensor]]:
    """Name what is done. Measures: "right", the share of clips that got their name."""

    def objective(batch: Shots, number: int) -> dict[str, Tensor]:
        logits = ask(network, batch).logits
        loss = cross_entropy(logits, batch.label, label_smoothing=label_smoothing)
        return {"loss": loss, "right": (logits.argmax(-1) == batch.label).float().mean()}

    return objective


def train_video(run: Run, report: Report, *, reels: Reels) -> tuple[VideoNetwork, int]:
    """Train a network of the run's recipe; it, and its steps so far. Call again to go on."""
    recipe = run.recipe
    assert isinstance(recipe, VideoRecipe)  # whoever made the run saw to it
    torch.manual_seed(run.seed)  # initial weights
    network = recipe.build(len(reels.labels))
    steps = optimise(
        replace(run, data=reels.name),
        network,
        name_shots(network, label_smoothing=recipe.label_smoothing),
        ReelBatches(reels, recipe.cutting, batch=recipe.batch, seed=run.seed),
        report,
    )
    return network.cpu().eval(), steps


def answers(network: VideoNetwork, reels: Reels, *, batch: int = 32) -> Tensor:
    """Logits (n, C) of all clips, each seen whole and once."""
    with torch.inference_mode():
        return torch.cat(
            [
                ask(network, whole(reels, slice(first, first + batch))).logits
                for first in range(0, len(reels), batch)
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a network knows of clips that it has not seen."""

    top1: Accuracy
    opposites: Accuracy  # how often it prefers a label to what it is called backwards

    def __str__(self) -> str:
        return f"top-1 {self.top1}, told from the opposite {self.opposites}"


def judge(network: VideoNetwork, reels: Reels) -> Judged:
    """Ask about all clips. InputError where their labels are not as many as the network's."""
    if len(reels.labels) != network.config.classes:
        raise InputError(
            f"the network knows {network.config.classes} labels and the reels have "
            f"{len(reels.labels)}; draw reels of all of them"
        )
    logits = answers(network, reels)
    return Judged(
        top1=Accuracy.of(hits(logits, reels.label)),
        opposites=Accuracy.of(told_from_opposites(logits, reels)),
    )


def told_from_opposites(logits: Tensor, reels: Reels) -> Tensor:
    """Flags of those clips whose motion is another one backwards: whether their logit is higher."""
    label = reels.label
    opposite = torch.tensor(symmetry_of(reels.labels).reverse)[label]
    has = (opposite >= 0) & (opposite != label)
    own, other = (logits[has].gather(1, each[has, None])[:, 0] for each in (label, opposite))
    return own > other
