"""Depth of a clip's tracks from Video Depth Anything.

Shapes:  F frames   T frames of the clip   N tracks   H, W pixels of the frames
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointaction.clip import Clip
from pointaction.depth.at_tracks import lifted
from pointaction.depth.network_input import INPUT_SIZE, network_input, network_size
from pointaction.depth.video_depth_anything import Encoded, VideoDepthNetwork, enlarge
from pointaction.depth.windows import depth_maps
from pointaction.tracks import Tracks


class VideoDepthAnything:
    """An opened network and how to run it.

    `input_size` is the short side, in pixels, at which the network sees the frames: 518 is what it
    was trained on, 196 about the least that is sensible, and time grows with its square and more.
    `precision` other than float32 is that of the large products only. `together` frames are
    encoded at once.
    """

    def __init__(
        self,
        network: VideoDepthNetwork,
        *,
        input_size: int = INPUT_SIZE,
        device: torch.device | str = "cpu",
        precision: torch.dtype = torch.float32,
        together: int = 4,
    ) -> None:
        # Channels last: the head's convolutions then take two thirds of the time on a CPU.
        self.network = network.to(device).eval()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.input_size = input_size
        self.device = torch.device(device)
        self.precision = precision
        self.together = together

    def lift(self, clip: Clip, tracks: Tracks) -> Tracks:
        """The tracks of this clip with depth; InputError if they are another clip's."""
        return lifted(clip, tracks, self.maps(clip.frames, size=clip.size))

    def maps(
        self, frames: Iterable[NDArray[np.uint8]], *, size: tuple[int, int]
    ) -> Iterator[Tensor]:
        """Disparity (H, W) on the network's device, for each frame (H, W, 3) RGB of `size`.

        In order, larger is nearer, 0 or more, in one scale and shift over all frames. Frames are
        asked for as they are needed, and 32 at most are held, so that a video may have any length.
        """
        return depth_maps(
            frames,
            encode=lambda new: self.encode(new, size),
            decode=lambda window, wanted: self.decode(window, wanted, size),
        )

    def encode(self, frames: list[NDArray[np.uint8]], size: tuple[int, int]) -> list[Encoded]:
        wanted = network_size(size, self.input_size)
        encoded: list[Encoded] = []
        coming = iter(frames)
        with torch.no_grad(), self.autocast():
            while group := list(islice(coming, self.together)):
                pixels = torch.from_numpy(np.stack(group)).to(self.device)
                encoded += self.network.encode(network_input(pixels, wanted))
        return encoded

    def decode(self, window: list[Encoded], wanted: int, size: tuple[int, int]) -> Tensor:
        with torch.no_grad(), self.autocast():
            maps = self.network.decode(window, wanted=wanted)
        return enlarge(maps[:, None], size)[:, 0]

    def autocast(self) -> torch.autocast:
        enabled = self.precision != torch.float32
        return torch.autocast(self.device.type, self.precision, enabled=enabled)
