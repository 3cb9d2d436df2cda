"""CoTracker3 with the weights that the reference outputs were made with, and their video."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from pointaction.tracking.cotracker3 import CoTracker3Offline
from tests.formulas import fill, film


def scale(name: str, shape: torch.Size) -> tuple[float, float]:
    """Offset and scale of a parameter's values."""
    if name.endswith("norm_context.weight"):
        return 1.0, 0.1
    if name == "updateformer.virual_tracks":
        return 0.0, 1.0
    if len(shape) == 1:
        return 0.0, 0.1
    gains = {
        "updateformer.flow_head.weight": 0.5,
        "updateformer.vis_conf_head.weight": 0.1,
        "corr_mlp.fc1.weight": 4.0,
    }
    return 0.0, gains.get(name, 1.0) * float(np.sqrt(3 / np.prod(shape[1:])))


@cache
def filled() -> CoTracker3Offline:
    """The model with its weights filled in; shared by the tests, which do not change it."""
    model = CoTracker3Offline()
    fill(model, scale)
    return model.eval()


def video(frames: int, height: int, width: int) -> Tensor:
    """The same as the model takes it: (1, T, 3, H, W), float."""
    return torch.from_numpy(film(frames, height, width))[None].float()
