"""An attentive probe: one learned query reads a frozen backbone's tokens and names the action.

A. Bardes et al., "Revisiting Feature Prediction for Learning Visual Representations from Video"
(V-JEPA, 2024), the single cross-attention block of its evaluations, as TrAction's appendix C uses
it for every vision model. As there, the attention has no projection after it: the two layers that
follow do what one would. For image models each token is told its step in time, by sinusoids
(A. Vaswani et al., 2017) that are added to it: a set of frames has no order otherwise.

Shapes:  B clips   S tokens   C width   H heads   E = C / H
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from pointaction.errors import InputError

_SLOWEST = 10_000.0  # steps, over 2 pi, of the longest sinusoid's period


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    width: int  # C of the backbone
    classes: int
    heads: int = 12
    told_time: bool = False  # for image models; a video model has seen the order itself

    def __post_init__(self) -> None:
        for name in ("width", "classes", "heads"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name} of a probe must be a whole number above 0, not {value!r}")
        if self.width % self.heads:
            raise InputError(f"{self.heads} heads do not divide a width of {self.width}")
        if self.told_time and self.width % 2:
            raise InputError(f"sines and cosines need an even width, not {self.width}")


def sinusoids(time: Tensor, width: int) -> Tensor:
    """Steps in time (S,) as sines and cosines (S, width) of ever longer periods."""
    share = torch.arange(width // 2, device=time.device) / (width // 2)
    angle = time[:, None] * _SLOWEST**-share
    return torch.cat([angle.sin(), angle.cos()], -1)


class CrossAttention(nn.Module):
    """A query (B, 1, C) reads tokens (B, S, C)."""

    def __init__(self, config: ProbeConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(config.width)
        self.q = nn.Linear(config.width, config.width)
        self.kv = nn.Linear(config.width, 2 * config.width)

    def forward(self, query: Tensor, tokens: Tensor) -> Tensor:
        q, k, v = self._split(query, tokens)
        return scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    def weights(self, query: Tensor, tokens: Tensor) -> Tensor:
        """How much each head reads of each token, (B, H, S); a head's sum to 1."""
        q, k, _ = self._split(query, tokens)
        return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)[:, :, 0]

    def _split(self, query: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q = self.q(query).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, 1, E)
        kv = self.kv(self.norm(tokens)).unflatten(-1, (2, self.heads, -1))  # (B, S, 2, H, E)
        k, v = kv.permute(2, 0, 3, 1, 4)
        return q, k, v


class AttentiveProbe(nn.Module):
    """One cross-attention block and a linear head."""

    def __init__(self, config: ProbeConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.query = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.attention = CrossAttention(config)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
        )
        self.head = nn.Linear(width, config.classes)

    def embed(self, tokens: Tensor, time: Tensor) -> Tensor:
        """Clips as (B, C), from tokens (B, S, C) and the step in time (S,) that each is of.

        Raises InputError for the tokens of another backbone.
        """
        query, tokens = self._question(tokens, time)
        x = query + self.attention(query, tokens)
        return (x + self.mlp(x))[:, 0]

    def attention_of(self, tokens: Tensor, time: Tensor) -> Tensor:
        """How much each head reads of each token, (B, H, S); arguments as of `embed`."""
        return self.attention.weights(*self._question(tokens, time))

    def _question(self, tokens: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """The query (B, 1, C), and the tokens as they are read."""
        if tokens.shape[-1] != self.config.width:
            raise InputError(
                f"this probe reads tokens of width {self.config.width}, not {tokens.shape[-1]}; "
                "give it the features of the backbone that it was trained on"
            )
        if self.config.told_time:
            tokens = tokens + sinusoids(time, self.config.width).to(tokens.dtype)
        return self.query.expand(len(tokens), -1, -1), tokens

    def forward(self, tokens: Tensor, time: Tensor) -> Tensor:
        """Logits (B, classes), see `embed`."""
        return self.head(self.embed(tokens, time))
