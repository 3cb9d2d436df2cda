"""The data sets that `pointaction finetune --layout` reads, and how TrAction looks at their clips.

Appendix E: every frame of Something-Something, interpolated to 32; of Kinetics 32 frames at a
stride of 2, and of EPIC-Kitchens at one that depends on the segment, at most 20 (appendix A).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pointaction.datasets.annotations import Annotations, Item
from pointaction.datasets.epic_kitchens import read_epic_kitchens
from pointaction.datasets.kinetics import read_kinetics
from pointaction.datasets.ssv2 import read_ssv2
from pointaction.video.cut import Cut

SSV2_VIDEOS = "20bn-something-something-v2"
EVERY_FRAME = Cut(every=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    read: Callable[[Path, Path], Annotations]  # the folder of the lists, that of the videos
    videos: str  # where the owner's archives put them, seen from the lists
    cut: Cut  # of every clip


LAYOUTS = {
    "ssv2": Layout(read=read_ssv2, videos=SSV2_VIDEOS, cut=EVERY_FRAME),
    "kinetics": Layout(read=read_kinetics, videos=".", cut=Cut(stride=2)),
    "epic-kitchens": Layout(read=read_epic_kitchens, videos="EPIC-KITCHENS", cut=Cut(stride=20)),
}


def cut_of(item: Item, cut: Cut) -> Cut:
    """An item's own piece, looked at as densely as `cut` says."""
    return replace(cut, start=item.start, end=item.end)
