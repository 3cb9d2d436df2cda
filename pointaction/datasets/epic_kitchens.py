"""EPIC-KITCHENS-100, verbs, as in the repository epic-kitchens-100-annotations.

EPIC_100_train.csv, EPIC_100_validation.csv    narration_id,participant_id,video_id,
                          narration_timestamp,start_timestamp,stop_timestamp,...,verb_class,...
EPIC_100_verb_classes.csv     id,key,instances,category
P01/videos/P01_01.MP4         as the official download script lays them out

The test split is published without labels, so that there is nothing to read.
"""

from pathlib import Path

from pointaction.datasets.annotations import TRAIN, VALIDATION, Annotations, Item, rows
from pointaction.errors import InputError

_COLUMNS = ("participant_id", "video_id", "start_timestamp", "stop_timestamp", "verb_class")


def read_epic_kitchens(annotations: Path, videos: Path) -> Annotations:
    """The action segments, each with its verb's key, in the order of the verbs' numbers."""
    verbs = {
        int(row["id"]): row["key"]
        for row in rows(annotations / "EPIC_100_verb_classes.csv", ("id", "key"))
    }
    items = tuple(
        Item(
            path=videos / row["participant_id"] / "videos" / f"{row['video_id']}.MP4",
            label=verbs[int(row["verb_class"])],
            split=split,
            start=seconds(row["start_timestamp"]),
            end=seconds(row["stop_timestamp"]),
        )
        for split in (TRAIN, VALIDATION)
        for row in rows(annotations / f"EPIC_100_{split}.csv", _COLUMNS)
    )
    return Annotations(items=items, labels=tuple(verbs[number] for number in sorted(verbs)))


def seconds(timestamp: str) -> float:
    """Seconds of a time of day such as 00:01:03.37; InputError when it is none."""
    try:
        hours, minutes, rest = timestamp.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(rest)
    except ValueError:
        raise InputError(f"{timestamp!r} is not a time like 00:01:03.37") from None
