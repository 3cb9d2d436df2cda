"""DINOv2: a vision transformer whose patch features know what they look at.

M. Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision" (2023): the models
without registers, small, base and large. Parameters have their official names and shapes, so that
official checkpoints, and those of networks built on this one, load strictly and without a key map
(docs/decisions/0015: why this is not the `transformers` library's).

Shapes:  F pictures   h, w patches   P = h * w   D width   H heads   E = D / H
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention

from pointaction.models.files import load_network

PATCH = 14  # pixels
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB in 0..1
_GRID = 37  # patches a side that the position table was trained on: 518 pixels


@dataclass(frozen=True, kw_only=True)
class DINOv2Config:
    width: int = 384
    layers: int = 12
    heads: int = 6


class PatchEmbed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, stride=PATCH)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.proj(pictures).flatten(2).transpose(1, 2)  # (F, P, D)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))  # (F, 1 + P, 3, H, E)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        return self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(x)))


class LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))


class Block(nn.Module):
    """Attention and a two-layer network, each normalised before and scaled after."""

    def __init__(self, config: DINOv2Config) -> None:
        super().__init__()
        width = config.width
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, config.heads)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLP(width)
        self.ls2 = LayerScale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.addcmul(x, self.attn(self.norm1(x)), self.ls1.gamma)
        return torch.addcmul(x, self.mlp(self.norm2(x)), self.ls2.gamma)


class DINOv2(nn.Module):
    def __init__(self, config: DINOv2Config) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + _GRID**2, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # of its pretraining; unused here
        self.patch_embed = PatchEmbed(width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, pictures: Tensor, layers: tuple[int, ...]) -> list[Tensor]:
        """Patch features (F, P, D) after each of `layers` (from 0, rising), normalised.

        pictures (F, 3, 14 h, 14 w) have ImageNet's mean and deviation taken out.
        """
        height, width = pictures.shape[-2:]
        patches = self.patch_embed(pictures)
        cls = self.cls_token.expand(len(patches), -1, -1)
        x = torch.cat([cls, patches], 1) + self.positions(height // PATCH, width // PATCH)
        features = []
        for layer, block in enumerate(self.blocks[: layers[-1] + 1]):
            x = block(x)
            if layer in layers:
                features.append(self.norm(x)[:, 1:])
        return features

    def positions(self, rows: int, columns: int) -> Tensor:
        """The position table (1, 1 + P, D) for any grid, by bicubic interpolation.

        The models were trained with a tenth of a patch added to the grid's sides, and sampled by
        that ratio; resizing to rows and columns exactly gives slightly other positions.
        """
        if rows == columns == _GRID:
            return self.pos_embed
        table = self.pos_embed[:, 1:].float().unflatten(1, (_GRID, _GRID)).permute(0, 3, 1, 2)
        scale = ((rows + 0.1) / _GRID, (columns + 0.1) / _GRID)
        table = interpolate(table, scale_factor=scale, mode="bicubic")
        table = table.flatten(2).transpose(1, 2).to(self.pos_embed.dtype)
        return torch.cat([self.pos_embed[:, :1], table], 1)


def dinov2_tiny() -> DINOv2:
    """Not one of theirs: the size of our own, 5.7 million parameters."""
    return DINOv2(DINOv2Config(width=192, heads=3))


def dinov2_small() -> DINOv2:
    return DINOv2(DINOv2Config())


def dinov2_base() -> DINOv2:
    return DINOv2(DINOv2Config(width=768, heads=12))


def dinov2_large() -> DINOv2:
    return DINOv2(DINOv2Config(width=1024, layers=24, heads=16))


def load_dinov2(path: Path) -> DINOv2:
    """The network of a file that `files.save_network` wrote; raises as `files.load_network`."""
    return load_network(path, DINOv2, lambda **fields: DINOv2(DINOv2Config(**fields)))


def begin(network: DINOv2, generator: Generator) -> None:
    """Initial weights to learn from nothing with.

    A scale of 1e-5 lets large networks begin as if they had no layers, and they take long to get
    some; here all count from the start, by the scale of 0.1 that H. Touvron et al. take for up to
    18 layers ("Going deeper with image transformers", 2021). Positions begin as sinusoids, which
    are smooth, so that a grid that was never trained on is understood too.
    """
    for part in network.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.trunc_normal_(part.weight, std=0.02, generator=generator)
            assert part.bias is not None  # all of them have one
            nn.init.zeros_(part.bias)
        elif isinstance(part, LayerScale):
            nn.init.constant_(part.gamma, 0.1)
    nn.init.trunc_normal_(network.cls_token, std=0.02, generator=generator)
    with torch.no_grad():
        network.pos_embed[:, 1:] = 0.1 * _sinusoids(network.config.width)


def _sinusoids(width: int) -> Tensor:
    """(_GRID ** 2, D) a quarter each of sines and cosines of the row and of the column."""
    place = torch.arange(_GRID) / _GRID
    cycles = 0.5 * 16 ** torch.linspace(0, 1, width // 4)  # a table: from half a wave to 8
    angle = 2 * torch.pi * place[:, None] * cycles
    waves = torch.cat([angle.sin(), angle.cos()], -1)
    rows, columns = waves[:, None].expand(-1, _GRID, -1), waves.expand(_GRID, -1, -1)
    return torch.cat([rows, columns], -1).flatten(0, 1)
