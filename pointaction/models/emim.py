"""EMIM: a video transformer that reads what each token has become in the next frame.

"A Renaissance of Explicit Motion Information Mining from Transformers for Action Recognition"
(2025), of which only a summary could be read here; sizes and the network around the module are
ours (docs/decisions/0027-motion-in-networks.md). In the first layers a token's keys are its
neighbours in the next frame. The affinity says what to read of them, as in any attention; and since
it holds one number for each displacement, it also says where the token has gone: a small network
makes motion features of it. The other layers read the whole clip.

That affinity tells motion only if what looks alike is alike: places are told after it, not before,
queries begin as keys, and both are of length 1 (docs/decisions/0037-how-emim-learns.md).

Shapes:  B clips   T frames   h, w tokens of a frame   P = h * w   D width   A heads   E = D / A
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, normalize, pad, scaled_dot_product_attention

from pointaction.errors import InputError
from pointaction.layers.clips import Recognised, normalised
from pointaction.layers.cost_volume import Neighbourhood, next_frame
from pointaction.models.dinov2 import MLP
from pointaction.models.files import load_network
from pointaction.models.limits import expect, expect_share
from pointaction.models.traction import FrequencyBands

ATTENTIONS = ("plain", "window", "motion")
_SHARPNESS = 16.0  # at first: a neighbour that is half as like gets a share 3,000 times as small


@dataclass(frozen=True, kw_only=True)
class EMIMConfig:
    classes: int = 174
    width: int = 288
    layers: int = 9
    heads: int = 6
    patch: int = 8  # pixels a side
    attention: str = "motion"  # of the local layers: plain, window, or window and motion features
    local: int = 6  # of the layers, from the first
    radius: int = 3  # tokens
    dropout: float = 0.0  # before the head

    def __post_init__(self) -> None:
        expect(
            self,
            classes=(1, 100_000),
            width=(6, 1536),
            layers=(1, 64),
            heads=(1, 64),
            patch=(1, 64),
            local=(0, 64),
            radius=(0, 16),
        )
        if self.width % 6 or self.width % self.heads:
            raise InputError(f"width must be a multiple of 6 and of heads, got {self.width}")
        if self.attention not in ATTENTIONS:
            raise InputError(f"attention is one of {', '.join(ATTENTIONS)}, not {self.attention!r}")
        expect_share(self.dropout)


class Attention(nn.Module):
    """Every token (B, T, h, w, D) reads the whole clip."""

    def __init__(self, config: EMIMConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.split(x.flatten(1, 3))
        y = scaled_dot_product_attention(q, k, v)  # (B, A, T * P, E)
        return self.proj(y.transpose(1, 2).flatten(2)).view(x.shape)

    def split(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (..., L, D) as queries, keys and values, each (..., A, L, E)."""
        qkv = self.qkv(tokens).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.movedim(-3, 0).transpose(-3, -2)
        return q, k, v


class NextFrameAttention(Attention):
    """Every token reads its neighbours in the next frame, and is told where they are like it."""

    def __init__(self, config: EMIMConfig) -> None:
        super().__init__(config)
        self.radius = config.radius
        self.sharpness = nn.Parameter(torch.full((config.heads, 1, 1), _SHARPNESS))
        width = config.width
        with torch.no_grad():
            self.qkv.weight[width : 2 * width] = self.qkv.weight[:width]
            self.qkv.bias[: 2 * width] = 0
        self.motion: nn.Sequential | None = None
        if config.attention == "motion":
            displacements = config.heads * (2 * config.radius + 1) ** 2
            last = nn.Linear(width, width)
            # Normalised over tokens: most stand still, and those that do not must be heard.
            self.motion = nn.Sequential(
                nn.BatchNorm1d(displacements), nn.Linear(displacements, width), nn.GELU(), last
            )
            # From zero it takes several times the steps: nothing flows back until it has grown.
            nn.init.normal_(last.weight, std=2 / width**0.5)
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        affinity, v = self.affinity(x)
        near = self._neighbourhood(x)
        y = near.read(affinity, next_frame(v))  # (B, T, A, P, E)
        y = self.proj(y.transpose(2, 3).flatten(3))
        if self.motion is not None:
            displacements = affinity.transpose(2, 3).flatten(3)  # (B, T, P, A * K)
            y = y + self.motion(displacements.flatten(0, 2)).view(y.shape)
        return y.view(x.shape)

    def affinity(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Each token's with its neighbours, (B, T, A, P, K); and all values (B, T, A, P, E).

        Cosines, times a learned factor of each head.
        """
        q, k, v = self.split(x.flatten(2, 3))
        q = normalize(q, dim=-1) * (self.sharpness * q.shape[-1] ** 0.5)
        k = normalize(k, dim=-1)
        return self._neighbourhood(x).affinity(q, next_frame(k)), v

    def _neighbourhood(self, x: Tensor) -> Neighbourhood:
        return Neighbourhood((x.shape[2], x.shape[3]), self.radius, x.device)


class Block(nn.Module):
    """Attention and a two-layer network, each normalised before."""

    def __init__(self, config: EMIMConfig, attention: Attention) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(config.width)
        self.attention = attention
        self.norm_mlp = nn.LayerNorm(config.width)
        self.mlp = MLP(config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm_attention(x))
        return x + self.mlp(self.norm_mlp(x))


class Tokens(nn.Module):
    """Patches, each with what it looks like."""

    def __init__(self, config: EMIMConfig) -> None:
        super().__init__()
        self.patch = config.patch
        # Half a patch of overlap: a thing that crosses a patch's edge is seen by both.
        side = config.patch + 2 * (config.patch // 2)
        self.overlap = config.patch // 2
        self.look = nn.Conv2d(3, config.width // 4, side, stride=config.patch)
        self.proj = nn.Linear(config.width // 4, config.width)
        # Filters begin smooth: to others a texture that has moved by a few pixels is another one.
        coarse = torch.randn(config.width // 4, 3, 4, 4)
        smooth = interpolate(coarse, size=(side, side), mode="bicubic")
        smooth = smooth - smooth.mean((2, 3), keepdim=True)
        with torch.no_grad():
            self.look.weight.copy_(normalize(smooth.flatten(1), dim=1).view_as(smooth))

    def forward(self, clip: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) as (B, T, h, w, D); last pixels fill up the last patches."""
        frames = normalised(clip).transpose(1, 2).flatten(0, 1)
        height, width = frames.shape[-2:]
        lower, right = -height % self.patch + self.overlap, -width % self.patch + self.overlap
        frames = pad(frames, (self.overlap, right, self.overlap, lower), mode="replicate")
        look = gelu(self.look(frames)).unflatten(0, (len(clip), -1))  # (B, T, D / 4, h, w)
        return self.proj(look.permute(0, 1, 3, 4, 2))


class Places(nn.Module):
    """Tells tokens when and where they are."""

    def __init__(self, config: EMIMConfig) -> None:
        super().__init__()
        self.bands = FrequencyBands(config.width // 6)

    def forward(self, x: Tensor) -> Tensor:
        """Adds to (B, T, h, w, D) sines and cosines of time, row and column, 0 to 1 over a clip."""
        axes = [(torch.arange(count, device=x.device) + 0.5) / count for count in x.shape[1:4]]
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
        return x + self.bands(grid.to(x.dtype)).flatten(-2)


class ReadOut(nn.Module):
    """One learned query per head reads the clip."""

    def __init__(self, config: EMIMConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Parameter(torch.randn(config.heads, config.width // config.heads))
        self.kv = nn.Linear(config.width, 2 * config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, h, w, D) gives the clip (B, D) and what was read, (B, A, T, h, w)."""
        k, v = self.kv(x.flatten(1, 3)).unflatten(-1, (2, self.heads, -1)).unbind(2)
        scores = (k * self.query).sum(-1) / k.shape[-1] ** 0.5  # (B, T * P, A)
        share = scores.softmax(1)
        read = torch.einsum("bla,blae->bae", share, v).flatten(1)
        return self.proj(read), share.transpose(1, 2).unflatten(-1, x.shape[1:4])


class EMIM(nn.Module):
    def __init__(self, config: EMIMConfig) -> None:
        super().__init__()
        self.config = config
        near = 0 if config.attention == "plain" else min(config.local, config.layers)
        self.tokens = Tokens(config)
        self.near = nn.ModuleList(Block(config, NextFrameAttention(config)) for _ in range(near))
        self.places = Places(config)
        self.whole = nn.ModuleList(
            Block(config, Attention(config)) for _ in range(config.layers - near)
        )
        self.norm = nn.LayerNorm(config.width)
        self.read_out = ReadOut(config)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.width, config.classes)

    def forward(self, clip: Tensor) -> Recognised:
        """Logits and attention maps of clips (B, 3, T, H, W), RGB in 0..1, of any length and size.

        Meant for some 8 to 16 frames of up to 30 patches a side: the last layers compare all
        tokens of the clip.
        """
        read, maps = self.read_out(self.features(clip).movedim(1, -1))
        return Recognised(logits=self.head(self.dropout(read)), maps=maps.detach())

    def features(self, clip: Tensor) -> Tensor:
        """The last maps (B, D, T, h, w); the clip as of `forward`."""
        x = self.tokens(clip)
        for block in self.near:
            x = block(x)
        x = self.places(x)
        for block in self.whole:
            x = block(x)
        return self.norm(x).movedim(-1, 1)


def emim(classes: int) -> EMIM:
    """10 M parameters."""
    return EMIM(EMIMConfig(classes=classes))


def emim_small(classes: int) -> EMIM:
    """3 M parameters, 7 MB in half precision; for clips of some 112 pixels a side."""
    return EMIM(EMIMConfig(classes=classes, width=192, layers=6, local=4))


def load_emim(path: Path) -> EMIM:
    """The network of a file, as `files.load_network`."""
    return load_network(path, EMIM, _built)


def _built(**fields: Any) -> EMIM:
    return EMIM(EMIMConfig(**fields))
