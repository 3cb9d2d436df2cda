"""Two pictures of a model's answers: who is taken for whom, and whether it is as right as sure.

Shapes:  C classes   A, B pixels of a picture
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pointaction.evaluation.calibration import Reliability
from pointaction.explain.colours import heat

Image = NDArray[np.uint8]  # (A, B, 3) RGB

_PAPER, _INK, _FAINT = (255, 255, 255), (30, 30, 36), (200, 200, 208)
_BAR, _MISSING = (104, 92, 190), (240, 150, 130)
_LETTERS = 0.36  # size of the writing
_LINE = 11  # pixels that a line of it takes
_GAP = 6
_SIDE, _MARGIN = 400, 56  # of the reliability picture, in pixels


def confusion_picture(confusion: Tensor, labels: tuple[str, ...]) -> Image:
    """A row per true class, a column per answer, as shares of the row; classes never shown are out.

    confusion (C, C) counts; the columns stand in the order of the rows.
    """
    shown = confusion.sum(1) > 0
    counts = confusion[shown][:, shown].double()
    shares = (counts / confusion[shown].sum(1, keepdim=True)).numpy()
    names = [name for name, there in zip(labels, shown.tolist(), strict=True) if there]
    cell = max(_LINE, 240 // len(names))
    inside = np.repeat(np.repeat(_cells(shares), cell, 0), cell, 1)
    rows = _written(names, cell)
    columns = np.rot90(_written(names, cell))
    picture = np.full(
        (columns.shape[0] + len(inside) + _GAP, rows.shape[1] + len(inside) + _GAP, 3),
        _PAPER,
        np.uint8,
    )
    top, left = columns.shape[0], rows.shape[1]
    picture[top : top + len(inside), left : left + len(inside)] = inside
    picture[top : top + len(inside), :left] = rows
    picture[:top, left : left + len(inside)] = columns
    return picture


def reliability_picture(reliability: Reliability) -> Image:
    """Accuracy over sureness: bars, what is missing to the diagonal, and the 95 % intervals."""
    picture = np.full((_SIDE + 2 * _MARGIN, _SIDE + 2 * _MARGIN, 3), _PAPER, np.uint8)
    for tick in np.linspace(0, 1, 6).tolist():
        cv2.line(picture, _at(0, tick), _at(1, tick), _FAINT)
        _write(picture, f"{tick:.0%}", (_at(0, tick)[0] - 38, _at(0, tick)[1] + 4))
        _write(picture, f"{tick:.0%}", (_at(tick, 0)[0] - 12, _at(tick, 0)[1] + 16))
    width = 1 / 15
    for bin_ in reliability.bins:
        start = min(int(bin_.sureness / width), 14) * width
        share, (low, high) = bin_.accuracy.share, bin_.accuracy.interval
        gap = sorted((share, bin_.sureness))
        cv2.rectangle(picture, _at(start, gap[0]), _at(start + width, gap[1]), _MISSING, -1)
        cv2.rectangle(picture, _at(start, 0), _at(start + width, share), _BAR, 2)
        middle = start + width / 2
        cv2.line(picture, _at(middle, low), _at(middle, high), _INK, 1, cv2.LINE_AA)
    cv2.line(picture, _at(0, 0), _at(1, 1), _INK, 1, cv2.LINE_AA)
    _write(picture, f"accuracy over sureness, {reliability}", (_MARGIN, _MARGIN - 16))
    return picture


def _cells(shares: NDArray[np.floating]) -> Image:
    """Shares (C, C) as colours on white, so that what never happens does not show."""
    colour = np.where(shares[..., None] > 0, heat(0.1 + 0.8 * np.sqrt(shares)), _PAPER)
    colour[(shares == 0) & np.eye(len(shares), dtype=bool)] = _FAINT
    return colour.astype(np.uint8)


def _written(names: list[str], cell: int) -> Image:
    """One name a line, each `cell` pixels high, on paper as wide as the longest."""
    sizes = [cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, _LETTERS, 1)[0] for name in names]
    width = max(size[0] for size in sizes) + 2 * _GAP
    paper = np.full((cell * len(names), width, 3), _PAPER, np.uint8)
    for line, (name, size) in enumerate(zip(names, sizes, strict=True)):
        _write(paper, name, (width - _GAP - size[0], line * cell + (cell + 7) // 2))
    return paper


def _write(picture: Image, text: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, _LETTERS, _INK, 1, cv2.LINE_AA)


def _at(x: float, y: float) -> tuple[int, int]:
    """Pixel of a point of the unit square, y upwards."""
    return round(_MARGIN + x * _SIDE), round(_MARGIN + (1 - y) * _SIDE)
