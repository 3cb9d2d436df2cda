"""Which part of a file a listed clip is, and how densely papers look at it."""

from dataclasses import replace

from pointaction.datasets.annotations import Item
from pointaction.video.cut import Cut

EVERY_FRAME = Cut(every=True)  # interpolated to 32, as TrAction has it (E)


def cut_of(item: Item, cut: Cut) -> Cut:
    """An item's own piece, looked at as densely as `cut` says."""
    return replace(cut, start=item.start, end=item.end)
