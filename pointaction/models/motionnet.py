"""MotionNet: learns from clips alone where pixels go.

Y. Zhu et al., "Hidden Two-Stream Convolutional Networks for Action Recognition" (ACCV 2018), as
TrajectoryNet uses it: stacked frames in, a pyramid of flows between neighbouring frames out. It is
right where the next frame, brought back along the flow, looks like this one: by colour, by
structure (SSIM), and smoothly but for the edges of the picture.

Frames that are only stacked teach convolutions one motion, the mean of all, and no more for a long
time: to tell motions apart is to multiply one frame by another, which they do not. So each level
is also shown how alike the frames are at small displacements, once the next frame has been brought
back along the coarser flow (A. Ranjan and M. Black, "Optical Flow Estimation Using a Spatial
Pyramid Network", 2017; D. Sun et al., "PWC-Net", 2018).

Shapes:  B clips   T frames   S frames in a stack   H, W pixels   h, w pixels of a level
K displacements
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate, leaky_relu, pad

from pointaction.layers.warp import displaced, inside
from pointaction.models.files import load_network
from pointaction.models.limits import expect

_EPSILON, _POWER = 1e-3, 0.45  # of Charbonnier's norm, generalised
_EDGE = 10.0  # a step of 0.1 in brightness lets the flow change about three times as freely
_C1, _C2 = 0.01**2, 0.03**2  # of SSIM, for values 0 to 1
_STRUCTURE, _SMOOTHNESS = 1.0, 0.05  # beside the photometric loss
_COARSER = 0.5  # weight of a level, relative to the next finer one
_RADIUS = 2  # pixels of a level, of the displacements that are compared
_DISPLACEMENTS = (2 * _RADIUS + 1) ** 2  # K
_DECIDED = 4.0  # how much likelier a displacement is that differs less by the mean difference


@dataclass(frozen=True, kw_only=True)
class MotionNetConfig:
    frames: int = 5  # S
    width: int = 32  # channels of the first level; twice as many on the next, and on the next
    levels: int = 4  # halvings of the picture; the finest flow is that of the first

    def __post_init__(self) -> None:
        expect(self, frames=(2, 64), width=(1, 256), levels=(1, 7))


class Losses(NamedTuple):
    """Each a mean over pixels, the finest level counting most."""

    photometric: Tensor
    structure: Tensor
    smoothness: Tensor

    def together(self) -> Tensor:
        return self.photometric + _STRUCTURE * self.structure + _SMOOTHNESS * self.smoothness


class Level(nn.Module):
    """Half the size, and one more look."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halve = nn.Conv2d(inputs, outputs, 5, stride=2, padding=2)
        self.look = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return _bent(self.look(_bent(self.halve(x))))


class Finer(nn.Module):
    """What a level knows, with what the coarser ones have found, becomes a flow."""

    def __init__(self, own: int, coarser: int, flows: int) -> None:
        super().__init__()
        alike = flows // 2 * _DISPLACEMENTS
        self.join = nn.Conv2d(own + coarser + flows + alike, own, 3, padding=1)
        # It sees the shares themselves too: a displacement is their weighted sum.
        self.flow = nn.Conv2d(own + alike, flows, 3, padding=1)
        # At first nothing moves: a flow by chance is worse than none.
        for parameter in self.flow.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, own: Tensor, coarser: Tensor, flow: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Features and flow of this level, in its pixels, from those of the next coarser one.

        frames (B, S, 3, h, w) are the stack at this level's size.
        """
        coarser = torch.cat([coarser, 2 * flow], 1)
        coarser = interpolate(coarser, size=own.shape[-2:], mode="bilinear", align_corners=False)
        found = coarser[:, -flow.shape[1] :]
        alike = likeness(frames, found.detach().unflatten(1, (-1, 2))).flatten(1, 2)
        known = _bent(self.join(torch.cat([own, coarser, alike], 1)))
        return known, found + self.flow(torch.cat([known, alike], 1))


class MotionNet(nn.Module):
    def __init__(self, config: MotionNetConfig) -> None:
        super().__init__()
        self.config = config
        self.flows = 2 * (config.frames - 1)
        widths = [config.width * 2 ** min(level, 2) for level in range(config.levels)]
        self.down = nn.ModuleList(
            Level(inputs, outputs)
            for inputs, outputs in zip([3 * config.frames, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(
            Finer(own, coarser, self.flows)
            for own, coarser in zip(widths, [*widths[1:], 0], strict=True)
        )

    def forward(self, stack: Tensor) -> list[Tensor]:
        """The pyramid of a stack (B, 3, S, H, W), RGB in 0..1: flows (B, S - 1, 2, h, w).

        From fine to coarse, each half the size of the one before, from H / 2 on (rounded up). Each
        is (x, y) to the next frame in pixels of its own level.
        """
        x = stack.flatten(1, 2) - 0.5
        known = []
        for level in self.down:
            x = level(x)
            known.append(x)
        features, flow = x[:, :0], x.new_zeros(len(x), self.flows, *x.shape[-2:])
        frames = stack.transpose(1, 2)
        pyramid = []
        for own, finer in zip(reversed(known), reversed(self.up), strict=True):
            features, flow = finer(own, features, flow, _shrunk(frames, own.shape[-2:]))
            pyramid.append(flow.unflatten(1, (-1, 2)))
        return pyramid[::-1]

    def motion(self, clip: Tensor) -> Tensor:
        """Motion (B, 4, T, H, W) in pixels of clips (B, 3, T, H, W), RGB in 0..1, any T.

        (x, y) to the next frame, then to the one before: that is the flow of the clip played
        backwards. 0 where there is no such frame.
        """
        ahead = self._ahead(clip)
        behind = self._ahead(clip.flip(2)).flip(2)
        return torch.cat([ahead, behind], 1)

    def _ahead(self, clip: Tensor) -> Tensor:
        """(B, 2, T, H, W): stack after stack, each beginning with the last frame of another."""
        frames, stack = clip.shape[2], self.config.frames
        clip, size = _at_rest_to(clip, stack), clip.shape[-2:]
        flows = []
        for first in range(0, max(frames - 1, 0), stack - 1):
            begin = min(first, clip.shape[2] - stack)
            flow = self(clip[:, :, begin : begin + stack])[0].transpose(1, 2)
            flows.append(flow[:, :, first - begin :])
        found = torch.cat([clip.new_zeros(len(clip), 2, 0, *_half(size)), *flows], 2)
        found = pad(found[:, :, : frames - 1], (0, 0, 0, 0, 0, 1))  # the last frame leads nowhere
        scale = found.new_tensor([size[1] / found.shape[-1], size[0] / found.shape[-2]])
        found = found * scale.view(2, 1, 1, 1)
        whole = interpolate(
            found.transpose(1, 2).flatten(0, 1), size=size, mode="bilinear", align_corners=False
        )
        return whole.unflatten(0, (len(clip), frames)).transpose(1, 2)


def losses(stack: Tensor, pyramid: list[Tensor]) -> Losses:
    """How far the flows of `MotionNet.forward` are from explaining the stack (B, 3, S, H, W).

    Pixels that leave the picture are left out.
    """
    frames = stack.transpose(1, 2)  # (B, S, 3, H, W)
    weights = [_COARSER**level for level in range(len(pyramid))]
    levels = [_level_losses(frames, flow) for flow in pyramid]
    sums = [
        sum((w * loss for w, loss in zip(weights, kind, strict=True)), stack.new_zeros(()))
        for kind in zip(*levels, strict=True)
    ]
    return Losses(*(each / sum(weights) for each in sums))


def _level_losses(frames: Tensor, flow: Tensor) -> Losses:
    """Of frames (B, S, 3, H, W) and flow (B, S - 1, 2, h, w)."""
    flow_maps = flow.flatten(0, 1)
    small = _shrunk(frames, flow.shape[-2:])
    here, there = small[:, :-1].flatten(0, 1), small[:, 1:].flatten(0, 1)
    back = displaced(there, flow_maps)
    seen = inside(flow_maps)[:, None].to(flow.dtype)
    share = seen.mean().clamp(min=1e-3)
    return Losses(
        photometric=(charbonnier(here - back) * seen).mean() / share,
        structure=((1 - structural_similarity(here, back)) / 2 * seen).mean() / share,
        smoothness=unevenness(flow_maps, here),
    )


def likeness(frames: Tensor, flow: Tensor) -> Tensor:
    """How alike frames (B, S, 3, h, w) are at each displacement around flow (B, S - 1, 2, h, w).

    (B, S - 1, K, h, w): shares that sum to 1, over 3 x 3 pixels around each and whatever the
    contrast; even where there is none. Displacements go row by row, as in `layers.cost_volume`.
    """
    here, there = frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1)
    back = pad(displaced(there, flow.flatten(0, 1)), (_RADIUS,) * 4, mode="replicate")
    height, width = here.shape[-2:]
    side = range(2 * _RADIUS + 1)
    differences = torch.stack(
        [
            (here - back[..., y : y + height, x : x + width]).abs().mean(1)
            for y in side
            for x in side
        ],
        1,
    )
    differences = _local(differences)
    typical = differences.mean(1, keepdim=True) + _EPSILON
    shares = (-_DECIDED * differences / typical).softmax(1)
    return shares.unflatten(0, flow.shape[:2])


def charbonnier(difference: Tensor) -> Tensor:
    """About the root of the difference, but round at 0: (d^2 + e^2) ^ 0.45."""
    return (difference.square() + _EPSILON**2) ** _POWER


def structural_similarity(a: Tensor, b: Tensor) -> Tensor:
    """SSIM of maps (N, C, h, w) in 0..1, over 3 x 3 pixels around each: 1 where they are equal.

    Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity"
    (2004).
    """
    mean_a, mean_b = _local(a), _local(b)
    variance_a = (_local(a * a) - mean_a.square()).clamp(min=0)
    variance_b = (_local(b * b) - mean_b.square()).clamp(min=0)
    together = _local(a * b) - mean_a * mean_b
    shared = (2 * mean_a * mean_b + _C1) * (2 * together + _C2)
    return shared / ((mean_a.square() + mean_b.square() + _C1) * (variance_a + variance_b + _C2))


def unevenness(flow: Tensor, picture: Tensor) -> Tensor:
    """How much a flow (N, 2, h, w) changes from pixel to pixel where the picture does not."""
    found = flow.new_zeros(())
    for axis in (-1, -2):
        if flow.shape[axis] > 1:
            edge = picture.diff(dim=axis).abs().mean(1, keepdim=True)
            found = found + (charbonnier(flow.diff(dim=axis)) * (-_EDGE * edge).exp()).mean()
    return found


def _bent(x: Tensor) -> Tensor:
    return leaky_relu(x, 0.1)


def _local(x: Tensor) -> Tensor:
    """The mean of maps (N, C, h, w) over 3 x 3 pixels around each."""
    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _shrunk(frames: Tensor, size: torch.Size) -> Tensor:
    """Frames (B, S, 3, H, W) at the size (h, w) of a level."""
    small = adaptive_avg_pool2d(frames.flatten(0, 1), (size[0], size[1]))
    return small.unflatten(0, frames.shape[:2])


def _at_rest_to(clip: Tensor, frames: int) -> Tensor:
    """A clip (B, 3, T, H, W) that is too short stays on its last frame."""
    short = max(frames - clip.shape[2], 0)
    return torch.cat([clip, clip[:, :, -1:].expand(-1, -1, short, -1, -1)], 2)


def _half(size: torch.Size) -> tuple[int, int]:
    return -(-size[0] // 2), -(-size[1] // 2)


def motionnet(frames: int = 5) -> MotionNet:
    """2 M parameters."""
    return MotionNet(MotionNetConfig(frames=frames))


def load_motionnet(path: Path) -> MotionNet:
    """The network of a file, as `files.load_network`."""
    return load_network(path, MotionNet, _built)


def _built(**fields: Any) -> MotionNet:
    return MotionNet(MotionNetConfig(**fields))
