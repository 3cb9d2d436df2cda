"""Video Depth Anything: depth of every pixel of a short run of frames, steady over time.

S. Chen et al., "Video Depth Anything: Consistent Depth Estimation for Super-Long Videos" (2025):
DINOv2 sees every frame alone, a DPT head (R. Ranftl et al., 2021) makes one map of four of its
layers, and four motion modules in the head let each place look at itself in the other frames.
Parameters have their official names and shapes; official checkpoints load strictly.

What leaves the frames alone is split from what mixes them (`encode`, `decode`), so that a frame
that is part of two windows is encoded once. Two steps are done in another order than in the
original, with the same result: a 1x1 convolution before the map is enlarged rather than after it,
and the residual units of the two finest maps in `encode`.

Shapes:  B clips   F frames   H, W pixels   h, w patches of 14   C channels   S places (h * w)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, relu, scaled_dot_product_attention

from pointaction.models.dinov2 import PATCH, DINOv2, dinov2_base, dinov2_large, dinov2_small

WINDOW = 32  # frames that the motion modules can hold
_HEADS = 8  # of the motion modules
_TOGETHER = 4  # frames that are encoded, or finished, at once
_TOKENS = 16_384  # places times frames that a motion module handles at once


@dataclass(frozen=True, kw_only=True)
class DepthHeadConfig:
    layers: tuple[int, int, int, int] = (2, 5, 8, 11)  # of the backbone, from 0
    channels: tuple[int, int, int, int] = (48, 96, 192, 384)  # of their four maps, fine to coarse
    width: int = 64  # of the maps once they are fused


class Encoded(NamedTuple):
    """What is known of one frame before it meets the others; finest map first."""

    finest: Tensor  # (width, 4h, 4w)
    fine: Tensor  # (width, 2h, 2w)
    coarse: Tensor  # (C3, h, w)
    coarsest: Tensor  # (C4, ceil(h / 2), ceil(w / 2))


class FrameNumbers(nn.Module):
    """A fixed table of sines (even channels) and cosines (odd) that tells frames apart."""

    pe: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        time = torch.arange(WINDOW)[:, None]
        frequency = 10_000 ** (-torch.arange(0, channels, 2) / channels)
        table = torch.stack([(time * frequency).sin(), (time * frequency).cos()], -1)
        self.register_buffer("pe", table.flatten(1)[None])  # (1, WINDOW, C)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.pe[:, : x.shape[1]].to(x.dtype)


class TimeAttention(nn.Module):
    """Every place looks at itself in the other frames."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Sequential(nn.Linear(channels, channels))
        self.pos_encoder = FrameNumbers(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pos_encoder(x)  # (S, F, C)
        q, k, v = (
            part(x).unflatten(-1, (_HEADS, -1)).transpose(1, 2)
            for part in (self.to_q, self.to_k, self.to_v)
        )
        y = scaled_dot_product_attention(q, k, v)  # (S, heads, F, C / heads)
        return self.to_out(y.transpose(1, 2).flatten(2))


class GEGLU(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 8 * channels)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, -1)
        return value * gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        # The original has a dropout of 0 between the two.
        self.net = nn.Sequential(GEGLU(channels), nn.Identity(), nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class TimeBlock(nn.Module):
    """Attention over time, twice, and a feed-forward network: x (S, F, C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList(TimeAttention(channels) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.ff = FeedForward(channels)
        self.ff_norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        for norm, attention in zip(self.norms, self.attention_blocks, strict=True):
            x = x + attention(norm(x))
        return x + self.ff(self.ff_norm(x))


class TimeTransformer(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([TimeBlock(channels)])
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        frames, _, height, width = maps.shape
        places = self.norm(maps).flatten(2).permute(2, 0, 1)  # (S, F, C)
        mixed = torch.cat([self.mix(part) for part in places.split(max(1, _TOKENS // frames))])
        return maps + mixed.permute(1, 2, 0).unflatten(2, (height, width))

    def mix(self, x: Tensor) -> Tensor:
        x = self.proj_in(x)
        for block in self.transformer_blocks:
            x = block(x)
        return self.proj_out(x)


class MotionModule(nn.Module):
    """Maps (F, C, h, w) of up to 32 frames, each place told of its other frames."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.temporal_transformer = TimeTransformer(channels)

    def forward(self, maps: Tensor) -> Tensor:
        return self.temporal_transformer(maps)


class ResidualUnit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(relu(self.conv1(relu(x))))


class Fusion(nn.Module):
    """One step from coarse to fine; the finer map joins through `resConfUnit1`.

    The coarsest step has no map to join, and keeps that unit for the checkpoint's sake.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.resConfUnit1 = ResidualUnit(width)
        self.resConfUnit2 = ResidualUnit(width)
        self.out_conv = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return enlarge(self.out_conv(self.resConfUnit2(x)), size)


def enlarge(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (F, C, h, w) at another size: bilinear, corner pixels on corner pixels."""
    return interpolate(maps, tuple(size), mode="bilinear", align_corners=True)


class Scratch(nn.Module):
    """The part of the head in which all maps have the same width."""

    def __init__(self, config: DepthHeadConfig) -> None:
        super().__init__()
        width = config.width
        first, second, third, fourth = config.channels
        self.layer1_rn = nn.Conv2d(first, width, 3, padding=1, bias=False)
        self.layer2_rn = nn.Conv2d(second, width, 3, padding=1, bias=False)
        self.layer3_rn = nn.Conv2d(third, width, 3, padding=1, bias=False)
        self.layer4_rn = nn.Conv2d(fourth, width, 3, padding=1, bias=False)
        self.refinenet1 = Fusion(width)
        self.refinenet2 = Fusion(width)
        self.refinenet3 = Fusion(width)
        self.refinenet4 = Fusion(width)
        self.output_conv1 = nn.Conv2d(width, width // 2, 3, padding=1)
        self.output_conv2 = nn.Sequential(
            nn.Conv2d(width // 2, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 1),
            nn.ReLU(),
        )


class DepthHead(nn.Module):
    def __init__(self, config: DepthHeadConfig, *, inputs: int) -> None:
        super().__init__()
        first, second, third, fourth = config.channels
        self.projects = nn.ModuleList(nn.Conv2d(inputs, out, 1) for out in config.channels)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(first, first, 4, stride=4),
                nn.ConvTranspose2d(second, second, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(fourth, fourth, 3, stride=2, padding=1),
            ]
        )
        self.scratch = Scratch(config)
        self.motion_modules = nn.ModuleList(
            MotionModule(channels) for channels in (third, fourth, config.width, config.width)
        )

    def encode(self, features: list[Tensor], *, rows: int) -> list[Encoded]:
        """Four layers' features (F, S, D), on `rows` rows of patches, frame by frame."""
        scratch = self.scratch
        finest, fine, coarse, coarsest = (
            resize(project(layer.transpose(1, 2).unflatten(2, (rows, -1))))
            for layer, project, resize in zip(
                features, self.projects, self.resize_layers, strict=True
            )
        )
        finest = scratch.refinenet1.resConfUnit1(scratch.layer1_rn(finest))
        fine = scratch.refinenet2.resConfUnit1(scratch.layer2_rn(fine))
        return [Encoded(*maps) for maps in zip(finest, fine, coarse, coarsest, strict=True)]

    def decode(self, frames: Sequence[Encoded], wanted: int) -> Tensor:
        """Inverse depth (wanted, H, W) of the first `wanted` of up to 32 frames."""
        fused = self.mix(frames)[:wanted]
        pairs = zip(fused.split(_TOGETHER), _groups(frames[:wanted]), strict=True)
        return torch.cat([self.finish(maps, group) for maps, group in pairs])

    def mix(self, frames: Sequence[Encoded]) -> Tensor:
        """All that crosses time: maps (F, width, 2h, 2w)."""
        scratch = self.scratch
        coarse = self.motion_modules[0](torch.stack([frame.coarse for frame in frames]))
        coarsest = self.motion_modules[1](torch.stack([frame.coarsest for frame in frames]))
        fused = scratch.refinenet4(scratch.layer4_rn(coarsest), coarse.shape[-2:])
        fused = self.motion_modules[2](fused)
        fused = fused + scratch.refinenet3.resConfUnit1(scratch.layer3_rn(coarse))
        fused = scratch.refinenet3(fused, frames[0].fine.shape[-2:])
        return self.motion_modules[3](fused)

    def finish(self, fused: Tensor, frames: Sequence[Encoded]) -> Tensor:
        """From maps (F, width, 2h, 2w) of frames, each by itself, to inverse depth (F, H, W)."""
        scratch = self.scratch
        fine = torch.stack([frame.fine for frame in frames])
        finest = torch.stack([frame.finest for frame in frames])
        height, width = finest.shape[-2:]
        fused = scratch.refinenet2(fused + fine, (height, width))
        fused = scratch.refinenet1(fused + finest, (2 * height, 2 * width))
        picture = (height // 4 * PATCH, width // 4 * PATCH)
        fused = enlarge(scratch.output_conv1(fused), picture)
        # Whatever the precision so far: the last layers decide how finely depth is graded.
        with torch.autocast(fused.device.type, enabled=False):
            return scratch.output_conv2(fused.float())[:, 0]


def _groups(frames: Sequence[Encoded]) -> list[Sequence[Encoded]]:
    return [frames[at : at + _TOGETHER] for at in range(0, len(frames), _TOGETHER)]


class VideoDepthNetwork(nn.Module):
    def __init__(self, backbone: DINOv2, config: DepthHeadConfig) -> None:
        super().__init__()
        self.config = config
        self.pretrained = backbone
        self.head = DepthHead(config, inputs=backbone.config.width)

    def forward(self, video: Tensor) -> Tensor:
        """Inverse depth (B, F, H, W), larger is nearer, of video (B, F <= 32, 3, H, W).

        Up to an unknown scale and shift per clip. H and W are multiples of 14; the pictures have
        ImageNet's mean and deviation taken out.
        """
        encoded = (
            [f for part in clip.split(_TOGETHER) for f in self.encode(part)] for clip in video
        )
        return torch.stack([self.decode(frames) for frames in encoded])

    def encode(self, pictures: Tensor) -> list[Encoded]:
        """What is to be known of each of the pictures (F, 3, H, W) by itself."""
        features = self.pretrained(pictures, self.config.layers)
        return self.head.encode(features, rows=pictures.shape[-2] // PATCH)

    def decode(self, frames: Sequence[Encoded], *, wanted: int = WINDOW) -> Tensor:
        """Inverse depth (F, H, W) of up to 32 frames in order, or of the first `wanted` alone.

        Every frame counts for every other's depth, wanted or not.
        """
        return self.head.decode(frames, wanted)


def video_depth_anything_small() -> VideoDepthNetwork:
    return VideoDepthNetwork(dinov2_small(), DepthHeadConfig())


def video_depth_anything_base() -> VideoDepthNetwork:
    config = DepthHeadConfig(channels=(96, 192, 384, 768), width=128)
    return VideoDepthNetwork(dinov2_base(), config)


def video_depth_anything_large() -> VideoDepthNetwork:
    config = DepthHeadConfig(layers=(4, 11, 17, 23), channels=(256, 512, 1024, 1024), width=256)
    return VideoDepthNetwork(dinov2_large(), config)
