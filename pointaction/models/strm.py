"""STRM: TRX on frames that know their patches and each other.

A. Thatipelli et al., "Spatio-temporal Relation Modeling for Few-shot Action Recognition" (CVPR
2022). Patches attend to each other within a frame (PLE), frames are mixed within a clip (FLE),
and the tuples of TRX decide (TRM); beside them the patch-enriched frames are classified by
themselves (query-class similarity, QC). Every part can be switched off.

Parameters have the official names and shapes. `as_released` computes as the released code does:
patches attend without 1 / sqrt(D) and with a learned share; distances as in `trx`; and QC's maps
are neither trained nor saved, and keep dropping out when all else is set to `eval()`
(docs/decisions/0019-papers-before-code.md).

Shapes:  n, Q clips   T frames   P * P patches   D width   U tuples of k frames
"""

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, cross_entropy, relu

from pointaction.models.trx import CrossTransformers, Positions, TRXConfig, ordered_tuples, project

QUERY_CLASS_SHARE = 0.1  # lambda of equation 10, in the loss and in the answer


@dataclass(frozen=True, kw_only=True)
class STRMConfig(TRXConfig):
    cardinalities: tuple[int, ...] = (2,)
    patches: int = 4  # P: the grid has P x P of them
    inputs: int | None = None  # values of a patch that are brought to the width first; None: as is
    bottleneck: int = 1024  # of psi in PLE
    query_class_width: int = 1024
    ple: bool = True
    fle: bool = True
    trm: bool = True
    query_class: bool = True


class ThreeLayers(nn.Module):
    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        self.inp_fc = nn.Linear(width, bottleneck)
        self.hid_fc = nn.Linear(bottleneck, bottleneck)
        self.out_fc = nn.Linear(bottleneck, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out_fc(relu(self.hid_fc(relu(self.inp_fc(x)))))


class TwoLayers(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inp_fc = nn.Linear(width, width)
        self.out_fc = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out_fc(relu(self.inp_fc(x)))


class PatchEnrichment(nn.Module):
    """PLE: the patches of a frame attend to each other (equations 2 to 4)."""

    def __init__(self, config: STRMConfig) -> None:
        super().__init__()
        width = config.width
        self.pe = Positions(width, config.patches**2, config.dropout)
        self.query_proj = nn.Linear(width, width)
        self.key_proj = nn.Linear(width, width)
        self.value_conv = nn.Linear(width, width)
        self.Bot_MLP = ThreeLayers(width, config.bottleneck)
        self.as_released = config.as_released
        if config.as_released:
            self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Patches (F, P * P, D) of F frames."""
        x = self.pe(x)
        scores = self.query_proj(x) @ self.key_proj(x).transpose(1, 2)
        if not self.as_released:
            scores = scores / x.shape[-1] ** 0.5
        read = scores.softmax(-1) @ self.value_conv(x)
        return self.Bot_MLP(x + (self.gamma * read if self.as_released else read))


class FrameEnrichment(nn.Module):
    """FLE: an MLP mixer over the frames of a clip, then over channels (equations 5 and 6)."""

    def __init__(self, config: STRMConfig) -> None:
        super().__init__()
        self.pe = Positions(config.width, config.frames, config.dropout)
        self.Tok_MLP = TwoLayers(config.frames)
        self.Bot_MLP = TwoLayers(config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Frames (n, T, D)."""
        return self.Bot_MLP(self.Tok_MLP(self.pe(x).transpose(1, 2)).transpose(1, 2))


class QueryClass(nn.Module):
    """How near each tuple of a query is to the nearest one of a class (equation 8)."""

    tuples: Tensor

    def __init__(self, config: STRMConfig, cardinality: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.clsW = nn.Linear(cardinality * config.width, config.query_class_width)
        tuples = ordered_tuples(config.frames, cardinality)
        self.register_buffer("tuples", tuples, persistent=False)

    def embed(self, frames: Tensor) -> Tensor:
        """Clips (n, T, D) as tuples (n, U, E)."""
        return relu(project(self.dropout(frames), self.clsW, self.tuples))

    def similarity(self, query: Tensor, support: Tensor) -> Tensor:
        """(Q,) of query (Q, U, E) to the class with examples (n, U, E): minus a mean distance."""
        distance = torch.cdist(query.flatten(0, 1), support.flatten(0, 1))  # (Q * U, n * U)
        return -distance.amin(-1).view(query.shape[:2]).mean(-1)


class Enriched(NamedTuple):
    """Clips after each of the two enrichments."""

    patches: Tensor  # (n, T, D) the frames H: means of enriched patches
    frames: Tensor  # (n, T, D) the frames E: enriched by each other


class Logits(NamedTuple):
    """What the two classifiers say; one that is switched off says 0."""

    tuples: Tensor  # (Q, ways) TRM
    query_class: Tensor  # (Q, ways) QC

    def together(self) -> Tensor:
        """The answer."""
        return self.tuples + QUERY_CLASS_SHARE * self.query_class

    def loss(self, labels: Tensor) -> Tensor:
        """Equation 10, for queries with labels (Q,)."""
        return cross_entropy(self.tuples, labels) + QUERY_CLASS_SHARE * cross_entropy(
            self.query_class, labels
        )


class STRM(nn.Module):
    """The few-shot head behind feature maps of an appearance backbone, or pooled tracks."""

    def __init__(self, config: STRMConfig) -> None:
        super().__init__()
        self.config = config
        if config.inputs is not None:
            self.widen = nn.Linear(config.inputs, config.width)
        if config.ple:
            self.attn_pat = PatchEnrichment(config)
        if config.fle:
            self.fr_enrich = FrameEnrichment(config)
        if config.trm:
            self.transformers = CrossTransformers(config)
        if config.query_class:
            heads = [QueryClass(config, count) for count in config.cardinalities]
            # As released: in a plain list, where neither an optimiser, a checkpoint nor eval()
            # finds them.
            self.query_class = heads if config.as_released else nn.ModuleList(heads)

    def enrich(self, clips: Tensor) -> Enriched:
        """Clips (n, T, P * P, D or `inputs`), their patches row by row."""
        if self.config.inputs is not None:
            clips = self.widen(clips)
        frames = clips
        if self.config.ple:
            frames = self.attn_pat(clips.flatten(0, 1)).view_as(clips)
        frames = frames.mean(2)
        return Enriched(frames, self.fr_enrich(frames) if self.config.fle else frames)

    def forward(self, support: Tensor, labels: Tensor, query: Tensor) -> Logits:
        """Logits of query (Q, T, P * P, D) by support (n, T, P * P, D) with labels (n,).

        Labels are 0 to ways - 1, each at least once, in any order and number.
        """
        return self.compare(self.enrich(support), labels, self.enrich(query))

    def compare(self, support: Enriched, labels: Tensor, query: Enriched) -> Logits:
        """The second half of `forward`."""
        ways = int(labels.max()) + 1
        tuples = similarity = query.frames.new_zeros(len(query.frames), ways)
        if self.config.trm:
            embed = self.transformers.embed
            tuples = self.transformers.logits(embed(query.frames), embed(support.frames), labels)
        if self.config.query_class:
            similarity = self._query_class(support.patches, labels, query.patches)
        return Logits(tuples, similarity)

    def _query_class(self, support: Tensor, labels: Tensor, query: Tensor) -> Tensor:
        ways = range(int(labels.max()) + 1)
        parts = []
        for head in self.query_class:
            each = cast(QueryClass, head).to(query.device)  # where nothing else moves it there
            asked, known = each.embed(query), each.embed(support)
            near = [each.similarity(asked, known[labels == way]) for way in ways]
            parts.append(torch.stack(near, -1))
        together = torch.stack(parts)
        return together.mean(0) if self.config.as_released else together.sum(0)


def strm_tiny(inputs: int) -> STRM:
    """A third of a million parameters, for patches of few values such as pooled tracks."""
    return STRM(
        STRMConfig(
            inputs=inputs,
            width=128,
            projection=128,
            bottleneck=64,
            query_class_width=64,
            dropout=0.0,
        )
    )


def patches_of(maps: Tensor, patches: int = 4) -> Tensor:
    """Feature maps (n, T, D, h, w) of a backbone, max-pooled to (n, T, P * P, D)."""
    pooled = adaptive_max_pool2d(maps.flatten(0, 1), patches)
    return pooled.flatten(2).transpose(1, 2).unflatten(0, maps.shape[:2])
