"""TRX: a query's ordered pairs and triples of frames look for their like in each class.

T. Perrett et al., "Temporal-Relational CrossTransformers for Few-Shot Action Recognition" (CVPR
2021), in the words and numbers of STRM's section 2.1. Parameters have the official names and
shapes. `as_released` also computes as the released code does: it squares the distances, takes the
mean over cardinalities instead of the sum, and keeps a norm that it never uses
(docs/decisions/0019-papers-before-code.md).

Shapes:  n, Q clips   T frames   D width   U tuples of k frames   E projection
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


@dataclass(frozen=True, kw_only=True)
class TRXConfig:
    frames: int = 8
    width: int = 2048
    projection: int = 1152
    cardinalities: tuple[int, ...] = (2, 3)
    dropout: float = 0.1
    as_released: bool = False


class Positions(nn.Module):
    """Adds a tenth of the usual sines and cosines to frames, and drops some of the sum."""

    pe: Tensor

    def __init__(self, width: int, frames: int, dropout: float) -> None:
        super().__init__()
        when = torch.arange(int(1.5 * frames))[:, None]
        angle = when * torch.exp(torch.arange(0, width, 2) * (-math.log(10000) / width))
        table = 0.1 * torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)[:, :width]
        self.register_buffer("pe", table[None])
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x + self.pe[:, : x.shape[1]])


class Tuples(NamedTuple):
    """Clips as the ordered tuples of their frames."""

    keys: Tensor  # (n, U, E) what they are found by
    values: Tensor  # (n, U, E) what they are compared by

    def of(self, clips: Tensor) -> "Tuples":
        """Some of the clips: indices or a mask."""
        return Tuples(self.keys[clips], self.values[clips])


class CrossTransformer(nn.Module):
    """All tuples of one cardinality."""

    tuples: Tensor

    def __init__(self, config: TRXConfig, cardinality: int) -> None:
        super().__init__()
        inputs, width = cardinality * config.width, config.projection
        self.as_released = config.as_released
        self.pe = Positions(config.width, config.frames, config.dropout)
        self.k_linear = nn.Linear(inputs, width)
        self.v_linear = nn.Linear(inputs, width)
        self.norm_k = nn.LayerNorm(width)
        if config.as_released:
            self.norm_v = nn.LayerNorm(width)  # in its checkpoints, but not in its sums
        tuples = ordered_tuples(config.frames, cardinality)
        self.register_buffer("tuples", tuples, persistent=False)

    def embed(self, frames: Tensor) -> Tuples:
        """Clips (n, T, D), queries and supports alike."""
        x = self.pe(frames)
        keys, values = (project(x, layer, self.tuples) for layer in (self.k_linear, self.v_linear))
        return Tuples(self.norm_k(keys), values)

    def attention(self, query: Tuples, support: Tuples) -> Tensor:
        """What each query tuple reads of one class's supports, (Q, U, n, U); sums to 1."""
        scores = torch.einsum("que,nve->qunv", query.keys, support.keys)
        scores = scores / query.keys.shape[-1] ** 0.5
        return scores.flatten(2).softmax(-1).view_as(scores)

    def distance(self, query: Tuples, support: Tuples) -> Tensor:
        """Distance (Q,) of queries to the class of which `support` are the examples.

        Each query tuple is compared to a prototype made for it (STRM, equation 1, one summand).
        """
        read = self.attention(query, support).flatten(2)  # (Q, U, n * U)
        square = (query.values - read @ support.values.flatten(0, 1)).square().sum(-1)
        # The square root has no slope where a query is its own prototype.
        return (square if self.as_released else square.clamp(min=1e-12).sqrt()).mean(-1)


def ordered_tuples(frames: int, cardinality: int) -> Tensor:
    """All choices (U, k) of that many frames in the order of time, the first frames first."""
    return torch.tensor(list(combinations(range(frames), cardinality)))


def project(frames: Tensor, layer: nn.Linear, tuples: Tensor) -> Tensor:
    """A linear layer on concatenated tuples: frames (n, T, D), tuples (U, k), gives (n, U, E).

    W [a; b] = V a + W b, so each frame is multiplied once per place instead of once per tuple.
    """
    count = tuples.shape[1]
    places = layer.weight.unflatten(1, (count, -1)).transpose(0, 1).flatten(0, 1)  # (k * E, D)
    parts = linear(frames, places).unflatten(-1, (count, -1))  # (n, T, k, E)
    return sum((parts[:, tuples[:, place], place] for place in range(count)), layer.bias)


class CrossTransformers(nn.ModuleList):
    """One `CrossTransformer` per cardinality; their answers together."""

    def __init__(self, config: TRXConfig) -> None:
        super().__init__(CrossTransformer(config, count) for count in config.cardinalities)
        self.as_released = config.as_released

    def __iter__(self) -> Iterator[CrossTransformer]:
        return super().__iter__()  # type: ignore[return-value]

    def embed(self, frames: Tensor) -> list[Tuples]:
        """Clips (n, T, D) as the tuples of each cardinality."""
        return [each.embed(frames) for each in self]

    def logits(self, query: list[Tuples], support: list[Tuples], labels: Tensor) -> Tensor:
        """(Q, ways), the nearer the greater; labels (n,) of the supports are 0 to ways - 1."""
        classes = [labels == way for way in range(int(labels.max()) + 1)]
        distances = [
            torch.stack([each.distance(asked, known.of(clips)) for clips in classes], -1)
            for each, asked, known in zip(self, query, support, strict=True)
        ]
        together = torch.stack(distances)
        return -(together.mean(0) if self.as_released else together.sum(0))


class TRX(nn.Module):
    """The few-shot head behind any frame features."""

    def __init__(self, config: TRXConfig) -> None:
        super().__init__()
        self.config = config
        self.transformers = CrossTransformers(config)

    def forward(self, support: Tensor, labels: Tensor, query: Tensor) -> Tensor:
        """Logits (Q, ways) of query (Q, T, D) by support (n, T, D) with labels (n,).

        Labels are 0 to ways - 1, each at least once, in any order and number.
        """
        embed = self.transformers.embed
        return self.transformers.logits(embed(query), embed(support), labels)


def as_it_is(config: TRXConfig) -> TRX:
    """TRX without training: tuples are found and compared by what they are.

    The maps are identities, so config.projection has to be as wide as the greatest tuple: what
    smaller ones leave over stays 0.
    """
    head = TRX(config).requires_grad_(False)
    for each in head.transformers:
        for layer in (each.k_linear, each.v_linear):
            nn.init.eye_(layer.weight)
            nn.init.zeros_(layer.bias)
    return head.eval()
