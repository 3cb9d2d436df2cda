"""Frames as a backbone was trained to see them: resized, cut and normalised.

The rules of size are those of the processors in `transformers` 5, the resize is `resize.py`'s.

Shapes:  F frames   H, W pixels of the frames   h, w pixels of the pictures
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pointaction.appearance.resize import resized
from pointaction.errors import InputError
from pointaction.models.dinov2 import DEVIATION, MEAN

IMAGENET = MEAN, DEVIATION
HALVES = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
AS_IT_IS = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
_RESAMPLE = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which processors' files have
_TOGETHER = 4  # frames that are resized at once: some 200 MB at full HD

Triple = tuple[float, float, float]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """The square in the middle, once the shorter side has its length."""

    side: int  # pixels of the square
    short_side: int  # pixels

    def __post_init__(self) -> None:
        if not 0 < self.side <= self.short_side:
            raise InputError(
                f"a square of {self.side} pixels cannot be cut out of frames whose shorter side "
                f"is {self.short_side}"
            )

    def resized(self, size: Size) -> Size:
        height, width = size
        longer = int(self.short_side * max(size) / min(size))
        return (longer, self.short_side) if width <= height else (self.short_side, longer)

    def cut(self, pictures: Tensor) -> Tensor:
        top, left = ((length - self.side) // 2 for length in pictures.shape[-2:])
        return pictures[..., top : top + self.side, left : left + self.side]


@dataclass(frozen=True, slots=True, kw_only=True)
class Squashed:
    """The whole frame as a square, whatever its proportions."""

    side: int  # pixels

    def resized(self, size: Size) -> Size:
        return self.side, self.side

    def cut(self, pictures: Tensor) -> Tensor:
        return pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportional:
    """The whole frame in its proportions, in as many whole patches as are allowed (NaFlex)."""

    patch: int  # pixels a side
    most: int  # patches

    def resized(self, size: Size) -> Size:
        """The largest scale that is allowed, found by halving as the reference does."""
        low, high = 1e-6, 100.0
        while high - low >= 1e-5:
            scale = (low + high) / 2
            height, width = self._scaled(size, scale)
            if height // self.patch * (width // self.patch) <= self.most:
                low = scale
            else:
                high = scale
        return self._scaled(size, low)

    def _scaled(self, size: Size, scale: float) -> Size:
        height, width = (
            max(1, math.ceil(length * scale / self.patch)) * self.patch for length in size
        )
        return height, width

    def cut(self, pictures: Tensor) -> Tensor:
        return pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeInput:
    """How frames become what a backbone looks at."""

    frame: Centre | Squashed | Proportional  # what is seen of a frame, and how large
    resample: str  # "bilinear" or "bicubic", antialiased
    mean: Triple  # of RGB in 0..1; taken out
    deviation: Triple  # likewise; divided by

    def pictures(self, frames: Tensor) -> Tensor:
        """Pictures (F, 3, h, w) float32, on their device, from frames (F, H, W, 3) uint8 RGB."""
        return torch.cat([self._pictures(part) for part in frames.split(_TOGETHER)])

    def _pictures(self, frames: Tensor) -> Tensor:
        size = self.frame.resized((frames.shape[1], frames.shape[2]))
        whole = resized(frames.permute(0, 3, 1, 2), size, self.resample)
        pictures = self.frame.cut(whole).float() / 255
        mean, deviation = (
            pictures.new_tensor(each)[:, None, None] for each in (self.mean, self.deviation)
        )
        return (pictures - mean) / deviation

    def heeding(self, told: dict[str, Any]) -> "NativeInput":
        """This, but as a processor's file says (the names are those of `transformers`).

        Raises InputError for what cannot be followed.
        """
        try:
            return replace(self, frame=_frame(self.frame, told), **_values(told))
        except (TypeError, KeyError, ValueError) as error:
            raise InputError(f"the processor's file asks for what is not known: {error}") from error


def _frame(
    frame: Centre | Squashed | Proportional, told: dict[str, Any]
) -> Centre | Squashed | Proportional:
    if isinstance(frame, Proportional):
        return replace(frame, most=told.get("max_num_patches", frame.most))
    size = told.get("size")
    if size is None:
        return frame
    if isinstance(size, dict) and "shortest_edge" not in size:
        return Squashed(side=square(size))
    if told.get("do_center_crop") is False:
        raise ValueError("pictures that are not cut to a square")
    short_side = int(size["shortest_edge"] if isinstance(size, dict) else size)
    return Centre(side=square(told["crop_size"]), short_side=short_side)


def _values(told: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "resample" in told:
        values["resample"] = _RESAMPLE[told["resample"]]
    if told.get("do_normalize", True) is False:
        values["mean"], values["deviation"] = AS_IT_IS
    elif "image_mean" in told:
        for name, key in (("mean", "image_mean"), ("deviation", "image_std")):
            red, green, blue = told[key]
            values[name] = float(red), float(green), float(blue)
    return values


def square(size: Any) -> int:
    """The side of a square: a number, a pair, or a table of height and width.

    Raises ValueError for anything else.
    """
    sides = {"height": size, "width": size}
    if isinstance(size, dict):
        sides = size
    elif isinstance(size, (list, tuple)):
        sides = dict(zip(("height", "width"), size, strict=True))
    if sides["height"] != sides["width"] or not isinstance(sides["height"], int):
        raise ValueError(f"{size} is no square")
    return int(sides["height"])
