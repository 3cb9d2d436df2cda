"""TrAction: a transformer over point tracks, one token per track.

"TrAction: Action Recognition with Sparse Trajectories", section 3 and appendix D. The paper
leaves open how far the frequency bands reach: ours go from one period over twice the frame's
longer side to one over a thirty-second of it (docs/decisions/0002-frequency-bands.md).

Shapes:  B clips   N tracks   T frames   D width   H heads   R registers   L = 1 + R + N tokens
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True, kw_only=True)
class TrActionConfig:
    frames: int = 32
    bands: int = 16  # each gives a sine and a cosine: 32 values per scalar
    width: int = 288
    layers: int = 6
    heads: int = 4
    registers: int = 4
    dropout: float = 0.1


class Encoded(NamedTuple):
    cls: Tensor  # (B, D) the clip
    tracks: Tensor  # (B, N, D) its tracks
    attention: Tensor  # (B, H, N) last layer, CLS to tracks; each row sums to 1


class FrequencyBands(nn.Module):
    """Scalars (...) as sines and cosines (..., 2 * bands) of geometrically spaced frequencies."""

    frequency: Tensor
    phase: Tensor

    def __init__(self, bands: int, *, octaves: float = 5.0) -> None:
        super().__init__()
        frequency = torch.pi * 2.0 ** torch.linspace(0, octaves, bands)
        # A cosine is a sine a quarter period ahead: one call fills the whole row.
        phase = torch.tensor([0.0, torch.pi / 2]).repeat_interleave(bands)
        self.register_buffer("frequency", frequency.repeat(2), persistent=False)
        self.register_buffer("phase", phase, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.phase, x[..., None], self.frequency).sin()


class TrackTokens(nn.Module):
    """Every track, all its frames at once, becomes one token (equation 1)."""

    def __init__(self, config: TrActionConfig) -> None:
        super().__init__()
        self.encode = FrequencyBands(config.bands)
        channels = 3 * 2 * config.bands + 1  # x, y, z in bands, and whether it is visible
        self.mlp = nn.Sequential(
            nn.Linear(config.frames * channels, config.width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width, config.width),
        )
        # The start point in three sinusoidal parts, x, y and z (appendix D: 3D encoding).
        self.place = FrequencyBands(config.width // 6)

    def forward(self, geometry: Tensor, visible: Tensor) -> Tensor:
        """Tokens (B, N, D) from geometry (B, N, T, 3) and visible (B, N, T)."""
        bands = self.encode(geometry).flatten(-2)  # (B, N, T, 3 * 2 * bands)
        track = torch.cat([bands, visible[..., None].to(bands.dtype)], -1)
        return self.mlp(track.flatten(-2)) + self.place(geometry[:, :, 0]).flatten(-2)


class Block(nn.Module):
    """A transformer encoder layer, normalised before each part."""

    def __init__(self, config: TrActionConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(config.dropout)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(config.dropout),
        )

    def forward(self, x: Tensor, readable: Tensor | None) -> Tensor:
        """x (B, L, D); readable (B, 1, 1, L) is False for tokens that nobody may read."""
        q, k, v = self.split_heads(x)
        y = scaled_dot_product_attention(q, k, v, attn_mask=readable)
        x = x + self.dropout(self.out(y.transpose(1, 2).flatten(2)))
        return x + self.mlp(x)

    def first_reads(self, x: Tensor, readable: Tensor | None, *, skip: int) -> Tensor:
        """What the first token reads, (B, H, L - skip), as shares of all but the `skip` first."""
        q, k, _ = self.split_heads(x)
        scores = (q[:, :, :1] @ k[:, :, skip:].transpose(-2, -1))[:, :, 0] / q.shape[-1] ** 0.5
        if readable is not None:
            scores = scores.masked_fill(~readable[:, 0, :, skip:], -torch.inf)
        return scores.softmax(-1)

    def split_heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        qkv = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1))  # (B, L, 3, H, E)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        return q, k, v  # each (B, H, L, E)


class TrackEncoder(nn.Module):
    def __init__(self, config: TrActionConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = TrackTokens(config)
        self.first = nn.Parameter(torch.randn(1 + config.registers, config.width) * 0.02)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, geometry: Tensor, visible: Tensor, present: Tensor | None = None) -> Encoded:
        """Encode geometry (B, N, T, 3) with visible (B, N, T).

        present (B, N) is False for tracks that only fill up a batch of clips with unequal N;
        they change nothing and get no attention.
        """
        tokens = self.tokens(geometry, visible)
        batch, skip = len(tokens), len(self.first)
        x = torch.cat([self.first.expand(batch, -1, -1), tokens], 1)  # (B, L, D)
        readable = None
        if present is not None:
            first = present.new_ones(batch, skip)
            readable = torch.cat([first, present], 1)[:, None, None]

        for block in self.blocks[:-1]:
            x = block(x, readable)
        last: Block = self.blocks[-1]  # type: ignore[assignment]
        attention = last.first_reads(x, readable, skip=skip)
        x = self.norm(last(x, readable))
        return Encoded(cls=x[:, 0], tracks=x[:, skip:], attention=attention)


class TrAction(nn.Module):
    """The encoder and a linear head on its CLS token."""

    def __init__(self, encoder: TrackEncoder, *, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.width, classes)

    def forward(
        self, geometry: Tensor, visible: Tensor, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and attention (B, H, N), see `TrackEncoder.forward`."""
        encoded = self.encoder(geometry, visible, present)
        return self.head(encoded.cls), encoded.attention


def traction(classes: int) -> TrAction:
    """The paper's size (table 6): 6 layers of width 288, under 8 M parameters."""
    return TrAction(TrackEncoder(TrActionConfig()), classes=classes)


def traction_tiny(classes: int) -> TrAction:
    """About 2 M parameters: trains on two CPU cores in an hour or two.

    No dropout: it never sees a procedural clip twice.
    """
    config = TrActionConfig(width=168, layers=4, dropout=0.0)
    return TrAction(TrackEncoder(config), classes=classes)
