"""The class splits of few-shot learning as Trokens hands them on, in its folder few_shot_info.

ssv2_small/train_few_shot.json      [{"id": "78687", "label": 3, ...}, ...]; also val and test
hmdb_few_shot.csv, ucf_few_shot.csv, kinetics100.csv    vid_base_path,split,label_id,...

`vid_base_path` is seen from the folder of the data set. FineGym's table is read by `finegym`.
"""

import json
from pathlib import Path

from pointaction.datasets.annotations import (
    TEST,
    TRAIN,
    VALIDATION,
    Annotations,
    Item,
    found,
    rows,
)
from pointaction.errors import InputError

_SPLITS = {"train": TRAIN, "val": VALIDATION, "test": TEST}


def read_trokens_csv(lists: Path, videos: Path, *, table: str) -> Annotations:
    """The clips of a table; those that it puts into no part are left out."""
    items = tuple(
        Item(path=videos / row["vid_base_path"], label=row["label_id"], split=_SPLITS[row["split"]])
        for row in rows(lists / table, ("vid_base_path", "split", "label_id"))
        if row["split"] in _SPLITS
    )
    return Annotations(items=items, labels=_sorted({item.label for item in items}))


def read_trokens_ssv2(lists: Path, videos: Path, *, folder: str) -> Annotations:
    """The clips of three lists in `folder`."""
    items = tuple(
        Item(path=videos / f"{name}.webm", label=label, split=split)
        for word, split in _SPLITS.items()
        for name, label in _clips(lists / folder / f"{word}_few_shot.json")
    )
    return Annotations(items=items, labels=_sorted({item.label for item in items}))


def _clips(path: Path) -> list[tuple[str, str]]:
    try:
        told = json.loads(found(path).read_text(encoding="utf-8"))
        return [(str(clip["id"]), str(clip["label"])) for clip in told]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no list of clips with id and label") from error


def _sorted(labels: set[str]) -> tuple[str, ...]:
    """Numbers in their order."""
    return tuple(sorted(labels, key=lambda label: (len(label), label)))
