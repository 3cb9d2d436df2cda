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

from pointaction.clip import Clip
from pointaction.depth.map_lifter import Halves, MapLifter, unwatched
from pointaction.depth.network_input import network_input, network_size
from pointaction.depth.video_depth_anything import enlarge
from pointaction.errors import DamagedWeights, InputError, MissingExtra
from pointaction.timing import seconds


def open_depth_anything(folder: Path) -> nn.Module:
    """The network in a folder as `transformers` saves it; never reaches for the network.

    DamagedWeights names parameters that are missing, surplus or of another shape; InputError if
    the network gives metres instead of disparity.
    """
    opened = _transformers().DepthAnythingForDepthEstimation.from_pretrained(
        folder, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True
    )
    network, info = opened
    wrong = sorted(f"{kind}: {key}" for kind, keys in info.items() for key in keys)
    if wrong:
        raise DamagedWeights(f"{folder} is no Depth Anything V2; {'; '.join(wrong)}")
    if network.config.depth_estimation_type != "relative":
        raise InputError(f"{folder} gives metric depth; take a relative Depth Anything V2")
    return network


def depth_anything_v2_small() -> nn.Module:
    """The network of the smallest published checkpoint, with weights at random."""
    transformers = _transformers()
    backbone = transformers.Dinov2Config(
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=6,
        image_size=518,
        patch_size=14,
        out_indices=[3, 6, 9, 12],
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=384,
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
        head_hidden_size=32,
    )
    network: nn.Module = transformers.DepthAnythingForDepthEstimation(config)
    return network


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as missing:
        raise MissingExtra("Depth Anything V2", extra="depth") from missing
    return transformers


class DepthAnything(MapLifter[nn.Module]):
    """A lifter that looks at every frame by itself."""

    def maps(
        self,
        frames: Iterable[NDArray[np.uint8]],
        *,
        size: tuple[int, int],
        halves: Halves = unwatched,
    ) -> Iterator[Tensor]:
        """Disparity (H, W) on the network's device, for each frame (H, W, 3) RGB of `size`."""
        coming = iter(frames)
        while group := list(islice(coming, self.together)):
            maps = self.disparity(torch.from_numpy(np.stack(group)), size)
            halves(2 * len(group))
            yield from maps

    def expected_seconds(self, clip: Clip) -> float:
        """About how long `lift` will take, from the time that one frame takes."""
        frame = torch.from_numpy(clip.frames[:1].copy())
        return len(clip.frames) * seconds(lambda: self.disparity(frame, clip.size).sum().item())

    def disparity(self, frames: Tensor, size: tuple[int, int]) -> Tensor:
        pictures = network_input(frames.to(self.device), network_size(size, self.input_size))
        with torch.no_grad(), self.autocast():
            maps = self.network(pixel_values=pictures).predicted_depth
        return enlarge(maps.float()[:, None], size)[:, 0]
