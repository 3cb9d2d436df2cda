"""What lifters have in common that look at whole frames.

Shapes:  H, W pixels of the frames
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypedDict, TypeVar, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pointaction.clip import Clip
from pointaction.count import Count, uncounted
from pointaction.depth.at_tracks import lifted
from pointaction.depth.network_input import INPUT_SIZE
from pointaction.tracks import Tracks

Network = TypeVar("Network", bound=nn.Module)


Halves = Callable[[int], None]
"""Told how many halves of frames' work are done: a frame is looked at, and then has its map."""


def unwatched(halves: int) -> None:
    """Work that nobody watches."""


class Settings(TypedDict, total=False):
    """How a network is run."""

    input_size: int  # short side, in pixels, at which it sees the frames
    device: torch.device | str
    precision: torch.dtype  # of the large products; all else stays in float32
    together: int  # frames that are encoded at once


class MapLifter(ABC, Generic[Network]):
    """An opened network and how to run it.

    An `input_size` of 518 is what the networks were trained on, 196 about the least that is
    sensible, and time grows with its square and more.
    """

    def __init__(self, network: Network, **how: Unpack[Settings]) -> None:
        self.network = network.to(how.get("device", "cpu")).eval()
        self.input_size = how.get("input_size", INPUT_SIZE)
        self.device = torch.device(how.get("device", "cpu"))
        self.precision = how.get("precision", torch.float32)
        self.together = how.get("together", 4)

    def lift(self, clip: Clip, tracks: Tracks, *, count: Count = uncounted) -> Tracks:
        """The tracks of this clip with depth; InputError if they are another clip's."""
        done, total = 0, 2 * len(clip.frames)

        def halves(more: int) -> None:
            nonlocal done
            done += more
            count(done, total)

        return lifted(clip, tracks, self.maps(clip.frames, size=clip.size, halves=halves))

    @abstractmethod
    def maps(
        self,
        frames: Iterable[NDArray[np.uint8]],
        *,
        size: tuple[int, int],
        halves: Halves = unwatched,
    ) -> Iterator[Tensor]:
        """Disparity (H, W) on the network's device, for each frame (H, W, 3) RGB of `size`."""

    @abstractmethod
    def expected_seconds(self, clip: Clip) -> float:
        """About how long `lift` will take, from a little of the same work."""

    def autocast(self) -> torch.autocast:
        enabled = self.precision != torch.float32
        return torch.autocast(self.device.type, self.precision, enabled=enabled)
