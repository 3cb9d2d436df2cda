"""Late fusion: what a clip looks like beside how its points move, joined by one linear layer.

"TrAction: Action Recognition with Sparse Trajectories", section 4 and appendices C and D, after
the protocol of Chirality in Action: encoder and probe are trained each by itself, both are frozen,
and a new linear layer is trained on the probe's pooled features and the CLS token side by side. It
replaces the last layers of both; we keep these too, so that an answer tells what either branch
says alone.

Shapes:  B clips   N tracks   T frames   S tokens   D width of motion   C width of appearance
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pointaction.errors import InputError
from pointaction.models.files import load_network
from pointaction.models.probe import AttentiveProbe, ProbeConfig
from pointaction.models.traction import TrackEncoder, TrAction, TrActionConfig


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    motion: TrActionConfig
    probe: ProbeConfig  # its classes are the motion branch's too


class Scores(NamedTuple):
    """Logits (B, classes) of both branches and of the two together."""

    motion: Tensor
    appearance: Tensor
    fused: Tensor


class LateFusion(nn.Module):
    """Two trained branches, which stay as they are, and a linear layer to train."""

    def __init__(self, motion: TrAction, probe: AttentiveProbe) -> None:
        super().__init__()
        if motion.head.out_features != probe.config.classes:
            raise InputError(
                f"both branches must tell the same classes; motion has "
                f"{motion.head.out_features}, appearance {probe.config.classes}"
            )
        self.config = FusionConfig(motion=motion.encoder.config, probe=probe.config)
        self.motion = motion.requires_grad_(False)
        self.probe = probe.requires_grad_(False)
        width = self.config.motion.width + self.config.probe.width
        self.head = nn.Linear(width, self.config.probe.classes)
        self.train(self.training)

    def train(self, mode: bool = True) -> "LateFusion":
        """For the new layer alone: what is frozen drops nothing out either."""
        super().train(mode)
        self.motion.eval()
        self.probe.eval()
        return self

    def forward(
        self,
        geometry: Tensor,
        visible: Tensor,
        tokens: Tensor,
        time: Tensor,
        present: Tensor | None = None,
    ) -> tuple[Scores, Tensor]:
        """Scores, and the motion branch's attention (B, H, N).

        geometry (B, N, T, 3), visible (B, N, T) and present (B, N) as for `TrackEncoder`, tokens
        (B, S, C) and time (S,) as for `AttentiveProbe`.
        """
        moved = self.motion.encoder(geometry, visible, present)
        looked = self.probe.embed(tokens, time)
        scores = Scores(
            motion=self.motion.head(moved.cls),
            appearance=self.probe.head(looked),
            fused=self.head(torch.cat([looked, moved.cls], -1)),
        )
        return scores, moved.attention


def load_probe(path: Path) -> AttentiveProbe:
    """The probe of a file, as `files.load_network`."""
    return load_network(
        path, AttentiveProbe, lambda **fields: AttentiveProbe(ProbeConfig(**fields))
    )


def load_fusion(path: Path) -> LateFusion:
    """The fusion of a file with both its branches; as `load_probe`."""
    return load_network(path, LateFusion, _fusion)


def _probe(**fields: Any) -> AttentiveProbe:
    return AttentiveProbe(ProbeConfig(**fields))


def _fusion(motion: dict[str, Any], probe: dict[str, Any]) -> LateFusion:
    looks = ProbeConfig(**probe)
    moves = TrAction(TrackEncoder(TrActionConfig(**motion)), classes=looks.classes)
    return LateFusion(moves, AttentiveProbe(looks))
