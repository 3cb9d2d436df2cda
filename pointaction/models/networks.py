"""Open networks of others with weights that were pulled. The registry is a dict, as in `store`."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pointaction.depth.depth_anything import depth_anything_v2_small
from pointaction.depth.video_depth_anything import (
    video_depth_anything_base,
    video_depth_anything_large,
    video_depth_anything_small,
)
from pointaction.errors import DamagedWeights
from pointaction.models.dinov2 import dinov2_base, dinov2_small
from pointaction.models.downloads import Download, verified
from pointaction.tracking.cotracker3 import CoTracker3Offline

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "cotracker3": CoTracker3Offline,
    "dinov2_small": dinov2_small,
    "dinov2_base": dinov2_base,
    "depth_anything_v2_small": depth_anything_v2_small,
    "video_depth_anything_small": video_depth_anything_small,
    "video_depth_anything_base": video_depth_anything_base,
    "video_depth_anything_large": video_depth_anything_large,
}


def open_network(store: Path, download: Download, *, device: str = "cpu") -> nn.Module:
    """The network with its installed weights, in float32, ready to answer."""
    weights = load_file(verified(store, download))
    check_fit(download, weights)
    network = NETWORKS[download.builder]()
    network.load_state_dict(weights, strict=True)
    return network.to(device).eval()


def check_fit(download: Download, weights: Mapping[str, Tensor]) -> None:
    """DamagedWeights names every key that is missing, unexpected or of another shape."""
    with torch.device("meta"):
        wanted = NETWORKS[download.builder]().state_dict()
    complaints = [
        _some("missing", sorted(wanted.keys() - weights.keys())),
        _some("unexpected", sorted(weights.keys() - wanted.keys())),
        _some(
            "of another shape",
            [
                f"{name} {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
                for name, tensor in wanted.items()
                if name in weights and weights[name].shape != tensor.shape
            ],
        ),
    ]
    found = [complaint for complaint in complaints if complaint]
    if found:
        raise DamagedWeights(
            f"these are not the weights of {download.name}: {'; '.join(found)}. Pull the official "
            "file, or give it with --from"
        )


def _some(what: str, names: list[str]) -> str:
    """A few of the names, and how many there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{what}: {', '.join(names[:5])}{more}" if names else ""
