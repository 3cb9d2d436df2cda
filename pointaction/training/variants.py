"""TrAction as the paper has it, and but for one thing: the rows of its table 4 (c) and (d).

They are here to be measured. What is served is built by `pointaction.models.store`.

Shapes:  B clips   N tracks   T frames
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pointaction.models.masked_pretraining import MaskedConfig
from pointaction.models.traction import TrackEncoder, TrackTokens, TrAction, TrActionConfig

Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From geometry (B, N, T, 3) and visible (B, N, T) to what a variant is told instead."""


def as_it_is(geometry: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    return geometry, visible


def without_depth(geometry: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    return geometry * geometry.new_tensor([1.0, 1.0, 0.0]), visible


def without_visibility(geometry: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    return geometry, torch.ones_like(visible)


class ChangedTokens(TrackTokens):
    """Tokens of less than there is to tell."""

    def __init__(self, config: TrActionConfig, change: Change) -> None:
        super().__init__(config)
        self.change = change

    def forward(
        self, geometry: Tensor, visible: Tensor, present: Tensor | None
    ) -> tuple[Tensor, Tensor | float]:
        return super().forward(*self.change(geometry, visible), present)


class FromStart(nn.Module):
    """What each track tells of itself begins at the origin; where it began, its place tells."""

    def __init__(self, encode: nn.Module) -> None:
        super().__init__()
        self.encode = encode

    def forward(self, geometry: Tensor) -> Tensor:
        told: Tensor = self.encode(geometry - geometry[:, :, :1])
        return told


@dataclass(frozen=True, kw_only=True)
class Variant:
    name: str
    config: TrActionConfig = TrActionConfig()  # the paper's, table 6
    change: Change = as_it_is
    relative: bool = False  # coordinates, all of which begin at the origin
    decoder: int = 144  # width, in pretraining

    def small(self) -> "Variant":
        """The same in a size for trying out: trained in seconds, good for nothing."""
        config = replace(self.config, width=48, layers=2)
        return replace(self, name=f"{self.name}-small", config=config, decoder=24)

    def build(self, classes: int) -> TrAction:
        encoder = TrackEncoder(self.config)
        encoder.tokens = ChangedTokens(self.config, self.change)
        if self.relative:
            encoder.tokens.encode = FromStart(encoder.tokens.encode)
        return TrAction(encoder, classes=classes)

    def masked(self, mask: float) -> MaskedConfig:
        """The decoder that it is pretrained with, and the share of tracks that are hidden."""
        return MaskedConfig(mask=mask, width=self.decoder)


_ALL = (
    Variant(name="paper"),
    Variant(name="without-sine", config=TrActionConfig(bands=0)),
    Variant(name="without-position", config=TrActionConfig(place=False)),
    Variant(name="relative", relative=True),
    Variant(name="without-depth", change=without_depth),
    Variant(name="without-visibility", change=without_visibility),
)
VARIANTS = {variant.name: variant for variant in _ALL}
