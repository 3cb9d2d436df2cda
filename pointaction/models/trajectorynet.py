"""TrajectoryNet: a residual network whose convolutions in time follow what moves.

Y. Zhao, Y. Xiong and D. Lin, "Trajectory Convolution for Action Recognition" (NeurIPS 2018), from
its poster. A ResNet-18 of separable convolutions, 3 x 3 in space and then K in time; in chosen
stages the latter go along trajectories, and the way to each tap is an extra feature beside the
appearance. Motion comes from `pointaction.motion`, or from a `MotionNet` trained along with it.

The poster leaves the rest open. Here time keeps its length throughout, so that heat maps are those
of frames (docs/decisions/0027-motion-in-networks.md).

Shapes:  B clips   T frames   H, W pixels   h, w cells of the last maps   D channels   K taps
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from pointaction.errors import InputError
from pointaction.layers.clips import Recognised, normalised
from pointaction.layers.trajectory_conv import Paths, TrajectoryConv, motion_at, trace
from pointaction.models.files import load_network
from pointaction.models.limits import expect, expect_share


@dataclass(frozen=True, kw_only=True)
class TrajectoryNetConfig:
    classes: int = 174
    width: int = 64  # channels of the first stage; each stage has twice those of the one before
    blocks: tuple[int, ...] = (2, 2, 2, 2)  # in each stage
    kernel: int = 3  # frames
    follow: tuple[int, ...] = (1, 2, 3, 4)  # stages that follow motion; none: the baseline
    motion_features: bool = True  # those stages are also told the motion
    dropout: float = 0.0  # before the head

    def __post_init__(self) -> None:
        expect(self, classes=(1, 100_000), width=(1, 512), blocks=(1, 64), kernel=(2, 33))
        if not 1 <= len(self.blocks) <= 6:
            raise InputError(f"a network has 1 to 6 stages, got {len(self.blocks)}")
        expect(self, follow=(1, len(self.blocks)))
        expect_share(self.dropout)


class Separable(nn.Module):
    """3 x 3 in space, then K in time, along paths where there are any."""

    def __init__(
        self, inputs: int, outputs: int, config: TrajectoryNetConfig, *, stride: int, told: bool
    ) -> None:
        super().__init__()
        self.space = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm_space = nn.BatchNorm2d(outputs)
        self.time = TrajectoryConv(outputs, outputs, config.kernel, told=told)
        self.norm_time = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, frames: int, paths: Paths | None) -> Tensor:
        x = relu(self.norm_space(self.space(x)))
        return self.norm_time(by_frame(self.time(by_clip(x, frames), paths)))


class Block(nn.Module):
    """Two separable convolutions and a way round them."""

    def __init__(
        self, inputs: int, outputs: int, config: TrajectoryNetConfig, *, stride: int, told: bool
    ) -> None:
        super().__init__()
        self.first = Separable(inputs, outputs, config, stride=stride, told=told)
        self.second = Separable(outputs, outputs, config, stride=1, told=told)
        self.round: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.round = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: Tensor, frames: int, paths: Paths | None) -> Tensor:
        y = relu(self.first(x, frames, paths))
        return relu(self.round(x) + self.second(y, frames, paths))


class Stage(nn.Module):
    """Blocks on maps of one size; they share the paths."""

    def __init__(self, inputs: int, config: TrajectoryNetConfig, number: int) -> None:
        super().__init__()
        outputs = config.width * 2 ** (number - 1)
        self.kernel = config.kernel
        self.follows = number in config.follow
        self.stride = 1 if number == 1 else 2
        told = self.follows and config.motion_features
        self.blocks = nn.ModuleList(
            Block(
                outputs if block else inputs,
                outputs,
                config,
                stride=1 if block else self.stride,
                told=told,
            )
            for block in range(config.blocks[number - 1])
        )

    def forward(
        self, x: Tensor, frames: int, motion: Tensor | None, picture: tuple[int, int]
    ) -> Tensor:
        """x (B * T, ., ., .), motion (B, 4, T, ., .) in pixels of a picture of that size."""
        paths = None
        if self.follows and motion is not None:
            height, width = (-(-side // self.stride) for side in x.shape[-2:])
            paths = trace(motion_at(motion, (height, width), of=picture), self.kernel)
        for block in self.blocks:
            x = block(x, frames, paths)
        return x


class TrajectoryNet(nn.Module):
    def __init__(self, config: TrajectoryNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = nn.ModuleList(
            Stage(width if number == 1 else width * 2 ** (number - 2), config, number)
            for number in range(1, len(config.blocks) + 1)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width * 2 ** (len(config.blocks) - 1), config.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | TrajectoryConv):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, clip: Tensor, motion: Tensor | None = None) -> Recognised:
        """Logits and heat maps of clips (B, 3, T, H, W), RGB in 0..1, of any length and size.

        motion (B, 4, T, ., .), in pixels of the clip, as `pointaction.motion` has it; its maps may
        be of any size. None: nothing moves.
        """
        features = self.features(clip, motion)
        logits = self.head(self.dropout(features.mean((2, 3, 4))))
        return Recognised(logits=logits, maps=self._spoke_for(logits.argmax(-1), features))

    def features(self, clip: Tensor, motion: Tensor | None = None) -> Tensor:
        """The last maps (B, D, T, h, w); arguments as of `forward`."""
        frames, size = clip.shape[2], (clip.shape[3], clip.shape[4])
        x = by_frame(normalised(clip)).contiguous(memory_format=torch.channels_last)
        x = self.pool(relu(self.norm(self.stem(x))))
        for stage in self.stages:
            x = stage(x, frames, motion, size)
        return by_clip(x, frames)

    def _spoke_for(self, answer: Tensor, features: Tensor) -> Tensor:
        """How much each place added to the logit of an answer (B,): a class activation map.

        B. Zhou et al., "Learning Deep Features for Discriminative Localization" (CVPR 2016).
        """
        features = features.detach().float()
        weight = self.head.weight.detach().float()[answer]  # (B, D)
        added = torch.einsum("bd,bdthw->bthw", weight, features).clamp(min=0)[:, None]
        total = added.sum((2, 3, 4), keepdim=True)
        # Where nothing spoke for it, all places did equally.
        even = torch.full_like(added, 1 / added[0].numel())
        return torch.where(total > 0, added / total.clamp(min=torch.finfo().tiny), even)


def by_frame(x: Tensor) -> Tensor:
    """(B, D, T, h, w) as pictures (B * T, D, h, w)."""
    return x.transpose(1, 2).flatten(0, 1)


def by_clip(x: Tensor, frames: int) -> Tensor:
    """Pictures (B * T, D, h, w) as (B, D, T, h, w)."""
    return x.unflatten(0, (-1, frames)).transpose(1, 2)


def trajectorynet(classes: int) -> TrajectoryNet:
    """The paper's size: 15 M parameters."""
    return TrajectoryNet(TrajectoryNetConfig(classes=classes))


def trajectorynet_small(classes: int) -> TrajectoryNet:
    """4 M parameters, 8 MB in half precision; for clips of some 112 pixels a side."""
    return TrajectoryNet(TrajectoryNetConfig(classes=classes, width=32))


def load_trajectorynet(path: Path) -> TrajectoryNet:
    """The network of a file, as `files.load_network`."""
    return load_network(
        path, TrajectoryNet, lambda **fields: TrajectoryNet(TrajectoryNetConfig(**fields))
    )


def _built(**fields: Any) -> TrajectoryNet:
    return TrajectoryNet(TrajectoryNetConfig(**fields))
