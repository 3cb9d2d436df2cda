"""One clip, seen four ways: as it is, backwards, mirrored, and both.

A motion and its reverse, or its mirror image, are the same question with the names exchanged. So
the four answers, each with its labels renamed, are averaged; the answer to a clip that is run
backwards is then the answer to the clip with its labels renamed, by construction and not by luck
(docs/decisions/0012-four-views.md).

Shapes:  B clips   N tracks   T frames   C labels   H heads   D width   V views
"""

from typing import Protocol

import torch
from torch import Tensor

from pointaction.models.symmetry import UNNAMED, Symmetry
from pointaction.models.traction import Answer

_TRACKS = 1024  # asked about at once: more do not fit a processor's own memory, and take longer


class Asked(Protocol):
    """A model, whatever computes it."""

    def answer(self, geometry: Tensor, visible: Tensor) -> Answer:
        """Of geometry (B, N, T, 3) with visible (B, N, T), seen as it is."""
        ...


def answer(model: Asked, geometry: Tensor, visible: Tensor, symmetry: Symmetry | None) -> Answer:
    """Ask a model about geometry (B, N, T, 3) with visible (B, N, T), four ways if it can be."""
    if symmetry is None:
        return _ask(model, geometry, visible)
    mirror_image = mirrored(geometry, visible)
    told = _ask(
        model,
        torch.cat([geometry, geometry.flip(2), mirror_image, mirror_image.flip(2)]),
        torch.cat([visible, visible.flip(2), visible, visible.flip(2)]),
    )
    each = told.logits.unflatten(0, (4, -1))  # (V, B, C)
    same = tuple(range(each.shape[-1]))
    becomes = torch.tensor([same, symmetry.reverse, symmetry.mirror, symmetry.both])  # (V, C)
    becomes = becomes.to(each.device)[:, None].expand_as(each)
    named = becomes != UNNAMED
    renamed = each.gather(-1, becomes.clamp(min=0)) * named
    return Answer(
        logits=renamed.sum(0) / named.sum(0),
        attention=told.attention.unflatten(0, (4, -1)).mean(0),
        embedded=told.embedded[: len(geometry)],
    )


def _ask(model: Asked, geometry: Tensor, visible: Tensor) -> Answer:
    """A few clips at a time."""
    few = max(1, _TRACKS // max(1, geometry.shape[1]))
    parts = zip(geometry.split(few), visible.split(few), strict=True)
    told = [model.answer(*part) for part in parts]
    return Answer(*(torch.cat(each) for each in zip(*told, strict=True)))


def mirrored(geometry: Tensor, visible: Tensor) -> Tensor:
    """Left and right exchanged, about the middle of where points are seen."""
    x = geometry[..., 0]
    low = x.masked_fill(~visible, torch.inf).amin((1, 2))
    high = x.masked_fill(~visible, -torch.inf).amax((1, 2))
    both = torch.where(low <= high, low + high, 1.0)[:, None, None]  # nothing seen: any will do
    return torch.cat([(both - x)[..., None], geometry[..., 1:]], -1)
