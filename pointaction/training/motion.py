"""Training of MotionNet on clips alone: nobody tells it how anything moves.

Shapes:  B clips   S frames of a stack
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool3d

from pointaction.models.motionnet import MotionNet, MotionNetConfig, losses
from pointaction.training.loop import Report, Run, optimise
from pointaction.training.recipes import Recipe
from pointaction.training.reel_batches import Cutting, ReelBatches, Shots, whole
from pointaction.training.reels import Reels


@dataclass(frozen=True, kw_only=True)
class MotionRecipe(Recipe):
    """A step sees a stack out of each of `batch` clips."""

    config: MotionNetConfig = MotionNetConfig(width=16)
    cutting: Cutting = Cutting()


def motionnet() -> MotionRecipe:
    """0.6 M parameters; some minutes on one core."""
    return MotionRecipe(
        builder="motionnet", steps=600, batch=8, learning_rate=1e-3, weight_decay=0.0
    )


def explain(network: MotionNet) -> Callable[[Shots, int], dict[str, Tensor]]:
    """Bring each frame's next one back to it. Batches take turns in where their stacks begin."""

    def objective(batch: Shots, number: int) -> dict[str, Tensor]:
        frames = network.config.frames
        begin = number % max(batch.clip.shape[2] - frames + 1, 1)
        stack = batch.clip[:, :, begin : begin + frames]
        found = losses(stack, network(stack))
        return {"loss": found.together()} | found._asdict()

    return objective


def train_motion(run: Run, report: Report, *, reels: Reels) -> tuple[MotionNet, int]:
    """Train a network that is new; it, and its steps so far. Call again to go on."""
    recipe = run.recipe
    assert isinstance(recipe, MotionRecipe)  # whoever made the run saw to it
    torch.manual_seed(run.seed)  # initial weights
    network = MotionNet(recipe.config)
    batches = ReelBatches(reels, recipe.cutting, batch=recipe.batch, seed=run.seed)
    steps = optimise(replace(run, data=reels.name), network, explain(network), batches, report)
    return network.cpu().eval(), steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far motion is from that of the reels: pixels, the mean over all that is on them."""

    network: float
    none: float  # of no motion at all

    def __str__(self) -> str:
        return (
            f"{self.network:.2f} pixels from what the reels say; no motion at all would be "
            f"{self.none:.2f} from it"
        )


def compare(network: MotionNet, reels: Reels, *, batch: int = 32) -> Agreement:
    """With dense inverse search, which is no truth either but was not learnt."""
    far = torch.zeros(2)
    for first in range(0, len(reels), batch):
        shots = whole(reels, slice(first, first + batch))
        cells = shots.motion.shape[2], shots.motion.shape[3], shots.motion.shape[4]
        with torch.inference_mode():
            found = adaptive_avg_pool3d(network.motion(shots.clip), cells)
        for kind, motion in enumerate((found, torch.zeros_like(found))):
            apart = (motion - shots.motion).unflatten(1, (2, 2)).norm(dim=2)
            far[kind] += apart.mean((1, 2, 3, 4)).sum()
    learnt, none = (far / len(reels)).tolist()
    return Agreement(network=learnt, none=none)
