"""Depth of a clip's tracks from Video Depth Anything.

Shapes:  F frames   T frames of the clip   N tracks   H, W pixels of the frames
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointaction.clip import Clip
from pointaction.depth.map_lifter import Halves, MapLifter, Settings, unwatched
from pointaction.depth.network_input import network_input, network_size
from pointaction.depth.video_depth_anything import (
    WINDOW,
    Encoded,
    VideoDepthNetwork,
    enlarge,
)
from pointaction.depth.windows import depth_maps, window_count
from pointaction.timing import seconds


class VideoDepthAnything(MapLifter[VideoDepthNetwork]):
    """A lifter whose depth is steady over the whole clip, however long."""

    def __init__(self, network: VideoDepthNetwork, **how: Unpack[Settings]) -> None:
        super().__init__(network, **how)
        # Channels last: the head's convolutions then take two thirds of the time on a CPU.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def maps(
        self,
        frames: Iterable[NDArray[np.uint8]],
        *,
        size: tuple[int, int],
        halves: Halves = unwatched,
    ) -> Iterator[Tensor]:
        """Disparity (H, W) on the network's device, for each frame (H, W, 3) RGB of `size`.

        In order, larger is nearer, 0 or more, in one scale and shift over all frames. Frames are
        asked for as they are needed, and 32 at most are held, so that a video may have any length.
        """
        finished = depth_maps(
            frames,
            encode=lambda new: self.encode(new, size, halves),
            decode=lambda window, wanted: self.decode(window, wanted, size),
        )
        for each in finished:
            halves(1)
            yield each

    def expected_seconds(self, clip: Clip) -> float:
        """About how long `lift` will take, from one frame looked at and two given their maps."""
        frame, size = [clip.frames[0]], clip.size
        two = self.encode(frame, size) * 2
        look = seconds(lambda: self.encode(frame, size)[0].coarsest.sum().item())
        finish = seconds(lambda: self.decode(two, 2, size).sum().item()) / 2
        frames = len(clip.frames)
        return look * frames + finish * WINDOW * window_count(frames)

    def encode(
        self, frames: list[NDArray[np.uint8]], size: tuple[int, int], halves: Halves = unwatched
    ) -> list[Encoded]:
        wanted = network_size(size, self.input_size)
        encoded: list[Encoded] = []
        coming = iter(frames)
        with torch.no_grad(), self.autocast():
            while group := list(islice(coming, self.together)):
                pixels = torch.from_numpy(np.stack(group)).to(self.device)
                encoded += self.network.encode(network_input(pixels, wanted))
                halves(len(group))
        return encoded

    def decode(self, window: list[Encoded], wanted: int, size: tuple[int, int]) -> Tensor:
        with torch.no_grad(), self.autocast():
            maps = self.network.decode(window, wanted=wanted)
        return enlarge(maps[:, None], size)[:, 0]
