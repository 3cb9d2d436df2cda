"""One clip, seen four ways: as it is, backwards, mirrored, and both.

A motion and its reverse, or its mirror image, are the same question with the names exchanged. So
the four answers, each with its labels renamed, are averaged; the answer to a clip that is run
backwards is then the answer to the clip with its labels renamed, by construction and not by luck
(docs/decisions/0012-four-views.md).

Shapes:  B clips   N tracks   T frames   C labels   H heads   D width   V views
"""

from typing import NamedTuple

import torch
from torch import Tensor

from pointaction.models.symmetry import UNNAMED, Symmetry
from pointaction.models.traction import TrAction


class Answer(NamedTuple):
    logits: Tensor  # (B, C)
    attention: Tensor  # (B, H, N) each row sums to 1
    embedded: Tensor  # (B, D) the clip as it is, see TrackEncoder.embed


def answer(model: TrAction, geometry: Tensor, visible: Tensor, symmetry: Symmetry | None) -> Answer:
    """Ask a model about geometry (B, N, T, 3) with visible (B, N, T), four ways if it can be."""
    encoder = model.encoder
    if symmetry is None:
        encoded = encoder(geometry, visible)
        logits, attention = model.head(encoded.cls), encoded.attention
        return Answer(logits, attention, encoded.cls - encoder.middle)
    mirror_image = mirrored(geometry, visible)
    encoded = encoder(
        torch.cat([geometry, geometry.flip(2), mirror_image, mirror_image.flip(2)]),
        torch.cat([visible, visible.flip(2), visible, visible.flip(2)]),
    )
    each = model.head(encoded.cls).unflatten(0, (4, -1))  # (V, B, C)
    same = tuple(range(each.shape[-1]))
    becomes = torch.tensor([same, symmetry.reverse, symmetry.mirror, symmetry.both])  # (V, C)
    becomes = becomes.to(each.device)[:, None].expand_as(each)
    named = becomes != UNNAMED
    renamed = each.gather(-1, becomes.clamp(min=0)) * named
    return Answer(
        logits=renamed.sum(0) / named.sum(0),
        attention=encoded.attention.unflatten(0, (4, -1)).mean(0),
        embedded=encoded.cls[: len(geometry)] - encoder.middle,
    )


def mirrored(geometry: Tensor, visible: Tensor) -> Tensor:
    """Left and right exchanged, about the middle of where points are seen."""
    x = geometry[..., 0]
    low = x.masked_fill(~visible, torch.inf).amin((1, 2))
    high = x.masked_fill(~visible, -torch.inf).amax((1, 2))
    both = torch.where(low <= high, low + high, 1.0)[:, None, None]  # nothing seen: any will do
    return torch.cat([(both - x)[..., None], geometry[..., 1:]], -1)
