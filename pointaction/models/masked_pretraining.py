"""Masked-trajectory pretraining around a track encoder.

"TrAction: Action Recognition with Sparse Trajectories", section 3, "Self-supervised pretraining",
and table 6: nine tenths of the tracks are hidden, the encoder sees only the rest, and a small
decoder tells from those where the hidden ones went, given where they started.

Shapes:  B clips   N tracks   K kept   T frames   D encoder width   W decoder width
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from pointaction.models.traction import Block, FrequencyBands, TrackEncoder, TrActionConfig


@dataclass(frozen=True, kw_only=True)
class MaskedConfig:
    mask: float = 0.9  # share of the tracks that the encoder does not see
    width: int = 144
    layers: int = 2
    heads: int = 4


class MaskedPretraining(nn.Module):
    """An encoder with a decoder to be thrown away afterwards."""

    def __init__(self, encoder: TrackEncoder, config: MaskedConfig) -> None:
        super().__init__()
        width, inner = config.width, encoder.config.width
        self.mask = config.mask
        self.encoder = encoder
        self.bottleneck = nn.Sequential(nn.Linear(inner, width), nn.GELU(), nn.Linear(width, width))
        self.hidden = nn.Parameter(torch.randn(width) * 0.02)  # stands for every masked track
        self.place = FrequencyBands(width // 6)
        block = TrActionConfig(width=width, heads=config.heads, dropout=0.0)
        self.blocks = nn.ModuleList(Block(block) for _ in range(config.layers))
        self.predict = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, encoder.config.frames * 2),
        )

    def forward(self, geometry: Tensor, visible: Tensor, present: Tensor, kept: Tensor) -> Tensor:
        """Where every track goes, (B, N, T, 2), as told by the tracks `kept` (B, K) alone.

        geometry (B, N, T, 3), visible (B, N, T) and present (B, N) are as for the encoder; of the
        tracks that are not kept only the start point is looked at.
        """
        rows = torch.arange(len(kept), device=kept.device)[:, None]
        seen = self.encoder(geometry[rows, kept], visible[rows, kept], present[rows, kept])
        x = self.hidden.expand(*geometry.shape[:2], -1).clone()  # (B, N, W)
        x[rows, kept] = self.bottleneck(seen.tracks)
        x = x + self.place(geometry[:, :, 0]).flatten(-2)
        for block in self.blocks:
            x = block(x, present[:, None, None])
        return self.predict(x).unflatten(-1, (-1, 2))

    def loss(
        self, geometry: Tensor, visible: Tensor, present: Tensor, *, generator: Generator
    ) -> Tensor:
        """Mean absolute error of x and y over the hidden tracks, in units of the longer side."""
        kept = choose_kept(present, 1 - self.mask, generator=generator)
        told = self(geometry, visible, present, kept)
        hidden = present.clone()
        hidden.scatter_(1, kept, torch.zeros_like(kept, dtype=torch.bool))
        error = (told - geometry[..., :2]).abs().mean((-2, -1))  # (B, N)
        return (error * hidden).sum() / hidden.sum().clamp(min=1)


def choose_kept(present: Tensor, share: float, *, generator: Generator) -> Tensor:
    """Indices (B, K) of a random `share` of the tracks, at least one; absent ones only when a
    clip has too few others. The generator lives on the CPU, whatever the device.
    """
    draw = torch.rand(present.shape, generator=generator).to(present.device)
    count = max(1, round(share * present.shape[1]))
    return (draw + present).topk(count, dim=1).indices
