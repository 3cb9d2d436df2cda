"""Depth of a clip's tracks from Depth Anything V2: the lighter choice, every frame by itself.

L. Yang et al., "Depth Anything V2" (2024), through the `transformers` library (extra `depth`). It
needs less work than Video Depth Anything and holds a few frames only. But the disparity of each
frame is in a scale and shift of its own, and so depth trembles from frame to frame.

Shapes:  H, W pixels of the frames
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pointaction.depth.map_lifter import MapLifter
from pointaction.depth.network_input import network_input, network_size
from pointaction.depth.video_depth_anything import enlarge
from pointaction.errors import DamagedWeights, InputError, MissingExtra


def open_depth_anything(folder: Path) -> nn.Module:
    """The network in a folder as `transformers` saves it; never reaches for the network.

    DamagedWeights names parameters that are missing, surplus or of another shape; InputError if
    the network gives metres instead of disparity.
    """
    try:
        from transformers import DepthAnythingForDepthEstimation
    except ImportError as missing:
        raise MissingExtra("Depth Anything V2", extra="depth") from missing
    opened: Any = DepthAnythingForDepthEstimation.from_pretrained(
        folder, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True
    )
    network, info = opened
    wrong = sorted(f"{kind}: {key}" for kind, keys in info.items() for key in keys)
    if wrong:
        raise DamagedWeights(f"{folder} is no Depth Anything V2; {'; '.join(wrong)}")
    if network.config.depth_estimation_type != "relative":
        raise InputError(f"{folder} gives metric depth; take a relative Depth Anything V2")
    return network


class DepthAnything(MapLifter[nn.Module]):
    """A lifter that looks at every frame by itself."""

    def maps(
        self, frames: Iterable[NDArray[np.uint8]], *, size: tuple[int, int]
    ) -> Iterator[Tensor]:
        """Disparity (H, W) on the network's device, for each frame (H, W, 3) RGB of `size`."""
        coming = iter(frames)
        while group := list(islice(coming, self.together)):
            yield from self.disparity(torch.from_numpy(np.stack(group)), size)

    def disparity(self, frames: Tensor, size: tuple[int, int]) -> Tensor:
        pictures = network_input(frames.to(self.device), network_size(size, self.input_size))
        with torch.no_grad(), self.autocast():
            maps = self.network(pixel_values=pictures).predicted_depth
        return enlarge(maps.float()[:, None], size)[:, 0]
