"""From maps of inverse depth to the depth of tracks.

Networks of this kind give disparity: inverse depth, larger is nearer, up to a scale and a shift
that nobody knows. One over it would be depth only if the shift were 0, and runs away where the
disparity is 0, as it is in every sky. So disparity is turned round, not inverted: depth is
2 - disparity / mean, the tangent to mean / disparity at the mean. It is larger for what is
farther, its mean is 1, and tokens, which take out shift and scale, learn from it just what
TrAction's learn from the network, save the sign (docs/decisions/0016).

Shapes:  N tracks   T frames   H, W pixels
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from pointaction.clip import Clip
from pointaction.depth.hold import hold
from pointaction.errors import InputError
from pointaction.tracks import Tracks


def lifted(clip: Clip, tracks: Tracks, maps: Iterable[Tensor]) -> Tracks:
    """Tracks with depth, from one map (H, W) of disparity per frame of their clip.

    InputError if the tracks are those of another clip.
    """
    if (tracks.size, len(tracks.times)) != (clip.size, len(clip.frames)):
        raise InputError(
            f"the tracks are of {len(tracks.times)} frames of {tracks.size} pixels, the clip "
            f"has {len(clip.frames)} of {clip.size}",
            kind="invalid-tracks",
        )
    disparity = along_tracks(maps, tracks.xy)
    return replace(tracks, depth=turned_round(disparity, tracks.visible))


def along_tracks(maps: Iterable[Tensor], xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """The maps' values (N, T) at xy (N, T, 2) in pixels; one map is needed at a time."""
    places = torch.from_numpy(np.ascontiguousarray(xy.swapaxes(0, 1)))
    columns = [at(each, place).cpu() for each, place in zip(maps, places, strict=True)]
    return torch.stack(columns, 1).numpy()


def at(values: Tensor, xy: Tensor) -> Tensor:
    """Values (H, W) at places xy (N, 2), bilinear; beyond the border, the border's."""
    height, width = values.shape
    side = torch.tensor([width - 1, height - 1]).clamp(min=1)
    grid = (2 * xy / side - 1).to(values)  # -1 and 1 are the centres of the outermost pixels
    sampled = grid_sample(
        values[None, None], grid[None, None], padding_mode="border", align_corners=True
    )
    return sampled[0, 0, 0]


def turned_round(disparity: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Depth (N, T), larger is farther and 1 in the mean, from disparity and visibility (N, T).

    What is seen at a hidden point's place is whatever hides it. So a point keeps the depth of its
    last visible frame, before its first that of the first, and has depth 1 if it never is.
    """
    mean = disparity[visible].mean() if visible.any() else 0.0
    if mean <= 0:
        return np.ones_like(disparity)
    depth = 2 - hold(torch.tensor(disparity), torch.tensor(visible)).numpy() / mean
    return np.where(visible.any(1, keepdims=True), depth, 1).astype(np.float32)
