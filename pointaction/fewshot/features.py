"""What an encoder made of one clip, for matchers to compare.

Shapes:  D, C widths   T moments   N tracks, M of them   F frames   P * P cells of a grid
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pointaction.errors import InputError

Part = Literal["clip", "frames", "points", "patches", "motion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """One clip. A part that its encoder cannot give, or was not asked for, is None."""

    clip: Tensor | None = None  # (D,) the whole
    frames: Tensor | None = None  # (T, D) what happens around each moment, in the order of time
    points: Tensor | None = None  # (N, D) its tracks, in no order
    patches: Tensor | None = None  # (T, P * P, C) moment by moment on a grid, row by row
    motion: Tensor | None = None  # (M, F, 3) some of its tracks on a clock: x, y, whether seen

    def to_bytes(self) -> bytes:
        """To be kept; `from_bytes` reads it."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return save({name: part.contiguous() for name, part in parts.items() if part is not None})

    @classmethod
    def from_bytes(cls, content: bytes) -> "Features":
        """InputError where these are no features."""
        try:
            return cls(**load(content))
        except (SafetensorError, TypeError) as error:
            raise InputError(f"these are no features of a clip ({error})") from error


def stacked(clips: Sequence[Features], part: Part) -> Tensor:
    """One part of all clips (n, ...); InputError where some lack it or differ in shape."""
    tensors = [getattr(clip, part) for clip in clips]
    found = [tensor for tensor in tensors if tensor is not None]
    if len(found) < len(tensors):
        raise InputError(
            f"this matcher compares {part}, which {len(tensors) - len(found)} of {len(tensors)} "
            "clips lack; use an encoder that gives them, or another matcher"
        )
    shapes = sorted({tuple(tensor.shape) for tensor in found})
    if len(shapes) != 1:
        raise InputError(
            f"all clips must be described alike, but their {part} have shapes {shapes}"
        )
    return torch.stack(found)
