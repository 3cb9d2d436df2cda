"""Kinetics-400: DeepMind's lists, and the files as the CVD foundation's archives hold them.

train.csv, val.csv, test.csv   label,youtube_id,time_start,time_end,split[,is_cc]
train/VIDEOID_000084_000094.mp4

Clips are cut already, so that an item has no start and no end of its own.
"""

from pathlib import Path

from pointaction.datasets.annotations import TEST, TRAIN, VALIDATION, Annotations, Item, rows
from pointaction.errors import InputError

_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
# The same split has three names in the wild.
_SPLITS = {"train": TRAIN, "val": VALIDATION, "validate": VALIDATION, "validation": VALIDATION}
_SPLITS |= {"test": TEST}
_FOLDERS = {TRAIN: "train", VALIDATION: "val", TEST: "test"}


def read_kinetics(annotations: Path, videos: Path) -> Annotations:
    """The clips of those of train.csv, val.csv and test.csv that are there, labels by alphabet."""
    lists = [path for name in _FOLDERS.values() if (path := annotations / f"{name}.csv").is_file()]
    if not lists:
        raise InputError(f"{annotations} holds none of train.csv, val.csv and test.csv")
    items = tuple(
        _item(row, path, videos) for path in lists for row in rows(path, _COLUMNS) if row["label"]
    )
    return Annotations(items=items, labels=tuple(sorted({item.label for item in items})))


def _item(row: dict[str, str], path: Path, videos: Path) -> Item:
    split = _SPLITS.get(row["split"])
    if split is None:
        raise InputError(f"{path} names a split {row['split']!r}; there are {', '.join(_SPLITS)}")
    start, end = (int(float(row[name])) for name in ("time_start", "time_end"))
    name = f"{row['youtube_id']}_{start:06d}_{end:06d}.mp4"
    return Item(path=videos / _FOLDERS[split] / name, label=row["label"], split=split)
