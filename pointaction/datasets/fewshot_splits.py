"""The standard few-shot benchmarks: whose classes are learned from, and whose are measured on.

CMN (L. Zhu, Y. Yang, ECCV 2018) divides Kinetics and SSv2, OTAM (K. Cao et al., CVPR 2020) SSv2
another way, and ARN (H. Zhang et al., ECCV 2020) UCF101 and HMDB51. No class is in two parts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pointaction.choices import chosen
from pointaction.datasets.annotations import TEST, TRAIN, VALIDATION, Annotations
from pointaction.datasets.fewshot_lists import read_fewshot_lists
from pointaction.datasets.finegym import read_finegym
from pointaction.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    read: Callable[[Path, Path], Annotations]  # the folder of the lists, that of the videos
    parts: tuple[str, ...] = (TRAIN, VALIDATION, TEST)  # papers measure on the last

    @property
    def measured(self) -> str:
        return self.parts[-1]


def _lists(*places: str) -> Benchmark:
    return Benchmark(read=partial(read_fewshot_lists, places=places))


_SSV2 = _lists("{clip}.webm")
_FOLDERS = _lists("{label}/{clip}.avi", "{clip}.avi")

BENCHMARKS = {
    "ssv2-otam": _SSV2,
    "ssv2-cmn": _SSV2,
    "kinetics-cmn": _lists(
        "{label}/{clip}.mp4",
        "{underscored}/{clip}.mp4",
        *(f"{part}/{{clip}}.mp4" for part in ("train", "val", "test")),
        # Who cut the videos anew, cut them elsewhere.
        "{label}/{youtube}.mp4",
        "{underscored}/{youtube}.mp4",
    ),
    "ucf101-arn": _FOLDERS,
    "hmdb51-arn": _FOLDERS,
    "finegym": Benchmark(read=read_finegym, parts=(TRAIN, VALIDATION)),
}


def read_benchmark(name: str, lists: Path, videos: Path) -> Annotations:
    """The clips of one of BENCHMARKS.

    Raises InputError where lists are missing or cannot be read, a part has no clip, or a class is
    in two parts.
    """
    benchmark = chosen(name, BENCHMARKS)
    annotations = benchmark.read(lists, videos)
    part_of: dict[str, str] = {}
    for item in annotations.items:
        part = part_of.setdefault(item.label, str(item.split))
        if part != item.split:
            raise InputError(
                f"{lists} puts {item.label!r} into {part} and into {item.split}; a class that is "
                "learned from must not be measured on"
            )
    for part in benchmark.parts:
        if part not in part_of.values():
            raise InputError(f"{lists} has no clip for {part}")
    return annotations
